/** What the page remembers between two visits. A browser that keeps nothing (private mode) is no error. */
import { LANGUAGES, type Language, pickLanguage } from "./texts.ts";

export interface Settings {
  language: Language;
  /** Whether the person wants to be connected. */
  connect: boolean;
  push: boolean;
  /** Whether this browser is a device. */
  device: boolean;
  /** What to receive; "" for the server's default channel. */
  channel: string;
  /** What it is received with; "" for none. It is kept where scripts of this origin alone can read it. */
  token: string;
  /** Seconds between heartbeats; 0 is off. */
  heartbeatSeconds: number;
  /** Whether the seconds were typed, not picked. */
  customHeartbeat: boolean;
}

const KEY = "carillon.app";
/** Home routers and mobile networks forget an idle connection after five minutes and up. */
const DEFAULT_HEARTBEAT_SECONDS = 240;

export const MAX_HEARTBEAT_SECONDS = 86_400;

export function loadSettings(): Settings {
  const kept = read();
  return {
    language: LANGUAGES.find((each) => each === kept.language) ?? pickLanguage(navigator.languages),
    connect: kept.connect !== false,
    push: kept.push !== false,
    device: kept.device === true,
    channel: asText(kept.channel),
    token: asText(kept.token),
    heartbeatSeconds: isHeartbeat(kept.heartbeatSeconds) ? kept.heartbeatSeconds : DEFAULT_HEARTBEAT_SECONDS,
    customHeartbeat: kept.customHeartbeat === true,
  };
}

export function saveSettings(settings: Settings): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Storage is full or forbidden; the settings hold until the page is left.
  }
}

/** Forgets all that is kept under names that begin with `prefix`. */
export function forgetAll(prefix: string): void {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(prefix)) localStorage.removeItem(key);
  } catch {
    // Where nothing can be kept there is nothing to forget.
  }
}

/** Whether `value` is a number of seconds a heartbeat may have; 0 is off. */
export function isHeartbeat(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_HEARTBEAT_SECONDS;
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function read(): Partial<Record<keyof Settings, unknown>> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return typeof kept === "object" && kept !== null ? kept : {};
  } catch {
    return {};
  }
}
