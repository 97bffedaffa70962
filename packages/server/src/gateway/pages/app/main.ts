/** The app page: a client of the plain-text protocol with a face. */
import type { ConnectionState } from "@carillon/client/connection";
import { type CancelTimer, systemPlatform } from "@carillon/client/platform";
import { TextClient } from "@carillon/client/text-client";
import { ABNORMAL_CLOSURE } from "@carillon/protocol/codes";
import { byId, prepend, timestamp } from "./dom.ts";
import { setUpHeartbeatCard } from "./heartbeat-card.ts";
import { loadSettings, saveSettings } from "./settings.ts";
import { type TextName, textOf } from "./texts.ts";

const MOST_MESSAGES = 200;
const MOST_LOG_LINES = 300;

const settings = loadSettings();
const platform = systemPlatform();
let roundTripMs: number | undefined;
let received = 0;
let cancelCountdown: CancelTimer = () => {};

const client = new TextClient({
  url: socketUrl(),
  platform,
  heartbeatMs: heartbeatMs(),
  push: settings.push,
  onState: (state) => {
    logState(state);
    showState();
  },
  onPush: showMessage,
  onReceived: (text) => log("logReceived", text),
  onHeartbeat: (ms) => {
    roundTripMs = ms;
    log("logHeartbeat", ms.toFixed(1));
    showRoundTrip();
  },
});

byId("connect").addEventListener("click", () => {
  settings.connect = client.state.status === "closed";
  saveSettings(settings);
  if (settings.connect) client.open();
  else client.close();
});
byId("push").addEventListener("click", () => {
  settings.push = !client.push;
  saveSettings(settings);
  client.setPush(settings.push);
  log(settings.push ? "logPushOn" : "logPushOff");
  showPush();
});
byId("beat").addEventListener("click", () => client.beat());
byId("clear").addEventListener("click", () => byId("log").replaceChildren());
byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byId<HTMLInputElement>("text");
  if (input.value === "" || !client.send(input.value)) return;
  log("logSent", input.value);
  input.value = "";
});
byId("language").addEventListener("click", () => {
  settings.language = settings.language === "en" ? "zh-CN" : "en";
  saveSettings(settings);
  showTexts();
});
setUpHeartbeatCard(settings, () => {
  saveSettings(settings);
  client.setHeartbeat(heartbeatMs());
});

showTexts();
if (settings.connect) client.open();

/** The server that this page came from, also behind a proxy that serves it under a path. */
function socketUrl(): string {
  const url = new URL("ws", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
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
  for (const input of document.querySelectorAll<HTMLInputElement>("[data-placeholder]")) {
    input.placeholder = text(input.dataset["placeholder"] as TextName);
    input.ariaLabel = input.placeholder;
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
  for (const id of ["beat", "send"]) byId<HTMLButtonElement>(id).disabled = state.status !== "open";
  if (state.status === "waiting") countDown(platform.monotonicMs() + state.retryInMs);
  else if (state.status === "closed" && state.code !== undefined) showDetail(text("refused", causeOf(state)));
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
  byId("push").ariaChecked = String(client.push);
  byId("push-hint").textContent = text(client.push ? "pushOn" : "pushOff");
}

function showRoundTrip(): void {
  byId("round-trip").textContent =
    roundTripMs === undefined ? text("noRoundTrip") : text("roundTrip", roundTripMs.toFixed(1));
}

function showMessage(message: string): void {
  const item = prepend(byId("messages"), now(), message, MOST_MESSAGES);
  item.dataset["message"] = message;
  received += 1;
  byId("count").textContent = String(received);
  byId("empty").hidden = true;
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
