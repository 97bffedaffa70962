/** The app page: a client of `carillon.v1` with a face. What it missed while it was away, it shows when it is back. */
import {
  Carillon,
  type Channel,
  type ConnectionState,
  type Gap,
  type Json,
  localStorageStore,
} from "@carillon/client";
import { type CancelTimer, systemPlatform } from "@carillon/client/platform";
import { ABNORMAL_CLOSURE } from "@carillon/protocol/codes";
import { setUpAccessCard } from "./access-card.ts";
import { byId, prepend, timestamp } from "./dom.ts";
import { setUpHeartbeatCard } from "./heartbeat-card.ts";
import { forgetAll, loadSettings, saveSettings } from "./settings.ts";
import { type TextName, textOf } from "./texts.ts";

const MOST_MESSAGES = 200;
const MOST_LOG_LINES = 300;
const POSITIONS = "carillon.app:";

const settings = loadSettings();
const platform = systemPlatform();
let roundTripMs: number | undefined;
let received = 0;
let cancelCountdown: CancelTimer = () => {};
let channel: Channel | undefined;
let listening = false;

// The server that this page came from, also behind a proxy that serves it under a path.
const client = new Carillon(new URL(".", location.href).href, {
  store: localStorageStore(POSITIONS),
  heartbeatMs: heartbeatMs(),
  client: "carillon-page",
  ...(settings.token !== "" && { token: settings.token }),
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
client.on("error", ({ message }) => log("logError", message));

byId("connect").addEventListener("click", () => {
  settings.connect = client.state.status === "closed";
  saveSettings(settings);
  if (settings.connect) client.connect();
  else client.close();
});
byId("push").addEventListener("click", () => {
  settings.push = !settings.push;
  saveSettings(settings);
  if (settings.push) switchOn();
  else switchOff();
  log(settings.push ? "logPushOn" : "logPushOff");
  showPush();
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
addEventListener("pagehide", () => channel?.flush());

showTexts();
if (settings.connect) client.connect();

/** There is a connection, so the server has named its default channel. */
function opened(): void {
  const name = settings.channel || client.defaultChannel;
  if (channel === undefined && name !== undefined) {
    channel = client.channel(name);
    channel.on("state", showState);
    channel.on("gap", showGap);
    channel.on("error", ({ message }) => log("logError", message));
  }
  if (settings.push) switchOn();
}

/** Both listening and subscribing connect, so they wait until the person wants that. */
function switchOn(): void {
  if (channel === undefined || !settings.connect) return;
  if (!listening) channel.on("publication", ({ data, time }) => showMessage(asText(data), new Date(time)));
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

/** `at` is when the server took it, which for one that was missed is a while ago. */
function showMessage(message: string, at: Date): void {
  const item = prepend(byId("messages"), timestamp(at), message, MOST_MESSAGES);
  item.dataset["message"] = message;
  received += 1;
  byId("count").textContent = String(received);
  byId("empty").hidden = true;
}

function showGap(gap: Gap): void {
  const name = "from" in gap ? "gap" : "otherLog";
  log(name);
  const item = prepend(byId("messages"), now(), text(name), MOST_MESSAGES);
  item.classList.add("gap");
  byId("empty").hidden = true;
}

function asText(data: Json): string {
  return typeof data === "string" ? data : JSON.stringify(data);
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

function log(name: TextName, value: string | number = ""): void {
  prepend(byId("log"), now(), text(name, value), MOST_LOG_LINES);
}

function now(): string {
  return timestamp(new Date(platform.wallMs()));
}
