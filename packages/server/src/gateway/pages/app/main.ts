/** The app page: a client of `carillon.v1` with a face. What it missed while it was away, it shows when it is back. */
import {
  Carillon,
  type Channel,
  type ConnectionState,
  Device,
  type Gap,
  type InboxPublication,
  localStorageStore,
} from "@carillon/client/device";
import { type CancelTimer, systemPlatform } from "@carillon/client/platform";
import { ABNORMAL_CLOSURE } from "@carillon/protocol/codes";
import { setUpAccessCard } from "./access-card.ts";
import { closeNotification, endClosedPage } from "./closed-page.ts";
import { forWhom, setUpDeviceCard } from "./device-card.ts";
import { byId, prepend, timestamp } from "./dom.ts";
import { setUpHeartbeatCard } from "./heartbeat-card.ts";
import { hideMessage, showInboxMessage, showMessage, showMissing } from "./messages.ts";
import { forgetAll, loadSettings, saveSettings } from "./settings.ts";
import { type TextName, textOf } from "./texts.ts";

const MOST_LOG_LINES = 300;
const MOST_UNREAD = 200;
const POSITIONS = "carillon.app:";

const settings = loadSettings();
const platform = systemPlatform();
let roundTripMs: number | undefined;
let cancelCountdown: CancelTimer = () => {};
let channel: Channel | undefined;
let listening = false;
/** Of the inbox, shown while nobody looked. */
const unread: InboxPublication[] = [];

// The server that this page came from, also behind a proxy that serves it under a path.
const server = new URL(".", location.href).href;
const options = { store: localStorageStore(POSITIONS), heartbeatMs: heartbeatMs(), client: "carillon-page" };
const { token } = settings;
// A device has a token of its own; the one that the person has typed says what it may.
const device = settings.device
  ? new Device(server, { ...options, platform: "web", ...(token !== "" && { authorization: token }) })
  : undefined;
const client = device?.carillon ?? new Carillon(server, { ...options, ...(token !== "" && { token }) });
const showDevice = setUpDeviceCard({
  device,
  server,
  text,
  failed,
  channel: () => channel?.name,
  wants: (isDevice) => void beDevice(isDevice),
});
client.on("state", (state) => {
  logState(state);
  showState();
  if (state.status === "open") opened();
});
client.on("heartbeat", (ms) => {
  roundTripMs = ms;
  log("logHeartbeat", ms.toFixed(1));
  showRoundTrip();
});
client.on("error", failed);

byId("connect").addEventListener("click", () => {
  settings.connect = client.state.status === "closed";
  saveSettings(settings);
  if (settings.connect) client.connect();
  else client.close();
});
byId("push").addEventListener("click", () => {
  if (device === undefined) {
    pushIs(!settings.push);
    if (settings.push) switchOn();
    else switchOff();
  } else if (channel !== undefined) switchDevice(channel.name, !settings.push);
});
byId("beat").addEventListener("click", () => client.beat());
byId("clear").addEventListener("click", () => byId("log").replaceChildren());
byId("language").addEventListener("click", () => {
  settings.language = settings.language === "en" ? "zh-CN" : "en";
  saveSettings(settings);
  showTexts();
});
setUpAccessCard(settings, () => {
  saveSettings(settings);
  // Another channel with another token is another client.
  location.reload();
});
setUpHeartbeatCard(settings, () => {
  saveSettings(settings);
  client.heartbeatMs = heartbeatMs();
});

// A reload is no reason to show again what was shown within the last second.
addEventListener("pagehide", () => {
  channel?.flush();
  for (const name of device?.inbox ?? []) client.channel(name).flush();
});

if (device !== undefined) setUpDevice(device);
showTexts();
if (settings.connect) client.connect();

/** There is a connection, so the server has named its default channel. */
function opened(): void {
  const name = settings.channel || client.defaultChannel;
  if (channel === undefined && name !== undefined) {
    channel = client.channel(name);
    channel.on("state", showState);
    channel.on("gap", showGap);
    channel.on("error", failed);
    device?.on("publication", showInbox);
  }
  // What a device does not want, the server knows.
  if (settings.push || device !== undefined) switchOn();
}

function setUpDevice(device: Device): void {
  let wasOff = false;
  device.on("registered", ({ id }) => {
    log("logRegistered", id);
    wasOff = !settings.push;
  });
  client.on("state", ({ status }) => {
    // Push that was off here before it was a device stays off.
    if (status === "open" && wasOff && channel !== undefined) switchDevice(channel.name, false);
    if (status === "open") wasOff = false;
  });
  device.on("switch", ({ channel: name, push }) => {
    if (name === channel?.name && push !== settings.push) pushIs(push);
  });
  device.on("withdrawn", (id) => {
    if (hideMessage(id)) log("logWithdrawn");
    void closeNotification(id);
  });
  device.on("gap", ({ gap }) => showGap(gap));
  device.on("error", failed);
  document.addEventListener("visibilitychange", () => readVisible());
  byId("access-hint").dataset["text"] = "accessHintDevice";
}

/** Makes this browser a device, or none any more. It is another client then. */
async function beDevice(isDevice: boolean): Promise<void> {
  if (device !== undefined) {
    try {
      await device.remove();
    } catch (error) {
      // One that the server does not know any more is gone already.
      if (!isGone(error)) {
        failed(error);
        if (settings.connect) client.connect();
        return;
      }
    }
    await endClosedPage();
    forgetAll(POSITIONS);
  }
  settings.device = isDevice;
  saveSettings(settings);
  location.reload();
}

function isGone(error: unknown): boolean {
  const { cause } = error as { readonly cause?: unknown };
  return cause === 401 || cause === 404;
}

function showInbox(publication: InboxPublication): void {
  const { data, time, id, channel: name } = publication;
  showInboxMessage(data, time, id, forWhom(name, text));
  if (unread.push(publication) > MOST_UNREAD) unread.shift();
  readVisible();
}

/** What stands before the person's eyes is read. */
function readVisible(): void {
  if (document.visibilityState !== "visible") return;
  for (const publication of unread.splice(0)) {
    device?.read(publication).catch(failed);
    void closeNotification(publication.id);
  }
}

function switchDevice(name: string, push: boolean): void {
  device?.switch(name, { push }).catch(failed);
}

function pushIs(on: boolean): void {
  settings.push = on;
  saveSettings(settings);
  log(on ? "logPushOn" : "logPushOff");
  showPush();
}

/** Both listening and subscribing connect, so they wait until the person wants that. */
function switchOn(): void {
  if (channel === undefined || !settings.connect) return;
  if (!listening) channel.on("publication", ({ data, time }) => void showMessage(data, time));
  listening = true;
  channel.subscribe();
}

/** Switched on again, it starts from then, also where there has been no connection yet. */
function switchOff(): void {
  if (channel === undefined) forgetAll(POSITIONS);
  else channel.unsubscribe();
}

function heartbeatMs(): number | undefined {
  return settings.heartbeatSeconds === 0 ? undefined : settings.heartbeatSeconds * 1000;
}

function text(name: TextName, value: string | number = ""): string {
  return textOf(settings.language, name, value);
}

function showTexts(): void {
  document.documentElement.lang = settings.language;
  for (const element of document.querySelectorAll<HTMLElement>("[data-text]")) {
    element.textContent = text(element.dataset["text"] as TextName);
  }
  const language = byId("language");
  language.textContent = text("language");
  language.lang = settings.language === "en" ? "zh-CN" : "en";
  showState();
  showPush();
  showRoundTrip();
  showDevice();
}

function showState(): void {
  const { state } = client;
  cancelCountdown();
  byId("state").dataset["state"] = state.status;
  byId("state-text").textContent = text(state.status);
  const connect = byId("connect");
  connect.textContent = text(state.status === "closed" ? "connect" : "disconnect");
  connect.classList.toggle("quiet", state.status !== "closed");
  byId<HTMLButtonElement>("beat").disabled = state.status !== "open";
  if (state.status === "waiting") countDown(platform.monotonicMs() + state.retryInMs);
  else if (state.status === "closed" && state.code !== undefined) showDetail(text("refused", causeOf(state)));
  else if (channel?.state === "catching-up") showDetail(text("catchingUp"));
  else if (channel?.state === "refused") showDetail(text("notAllowed"));
  else showDetail("");
}

function countDown(untilMs: number): void {
  const leftMs = Math.max(0, untilMs - platform.monotonicMs());
  showDetail(text("retryIn", Math.ceil(leftMs / 1000)));
  if (leftMs > 0) cancelCountdown = platform.setTimer(Math.min(leftMs, 1_000), () => countDown(untilMs));
}

function showDetail(detail: string): void {
  const element = byId("state-detail");
  element.textContent = detail;
  element.hidden = detail === "";
}

function showPush(): void {
  byId("push").ariaChecked = String(settings.push);
  byId("push-hint").textContent = text(settings.push ? "pushOn" : "pushOff");
}

function showRoundTrip(): void {
  byId("round-trip").textContent =
    roundTripMs === undefined ? text("noRoundTrip") : text("roundTrip", roundTripMs.toFixed(1));
}

function showGap(gap: Gap): void {
  const name = "from" in gap ? "gap" : "otherLog";
  log(name);
  showMissing(now(), text(name));
}

function logState(state: ConnectionState): void {
  if (state.status === "connecting") log("logConnecting");
  else if (state.status === "open") log("logOpen");
  else if (state.status === "waiting") log("logLost", causeOf(state));
  else if (state.code === undefined) log("logClosed");
  else log("logRefused", causeOf(state));
}

function causeOf({ code, reason }: { readonly code?: number; readonly reason?: string }): string {
  if (reason) return `${code}: ${reason}`;
  return code === ABNORMAL_CLOSURE ? text("unreachable") : String(code);
}

function failed(error: unknown): void {
  log("logError", error instanceof Error ? error.message : String(error));
}

function log(name: TextName, value: string | number = ""): void {
  prepend(byId("log"), now(), text(name, value), MOST_LOG_LINES);
}

function now(): string {
  return timestamp(new Date(platform.wallMs()));
}
