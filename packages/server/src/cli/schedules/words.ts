/** Times and rules as people say them. */
import { parseDuration } from "../../lib/duration.ts";
import { machineTimeZone, timestampFormat } from "../../lib/timestamp.ts";
import type { View } from "./view.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const UNITS = [
  ["d", DAY_MS],
  ["h", HOUR_MS],
  ["m", MINUTE_MS],
  ["s", 1_000],
] as const;
const WEEKDAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/**
 * A time to come as it is said at `nowMs`: `in 42 s`, `in 3 min`, `today 18:00`, `tomorrow 09:00`, `Friday 09:00`,
 * `2026-12-24 18:00`; by the clock of `timeZone`, usually this machine's.
 */
export function inWords(dueMs: number, nowMs: number, timeZone = machineTimeZone()): string {
  const waitMs = dueMs - nowMs;
  if (waitMs <= 0) return "now";
  if (waitMs < MINUTE_MS) return `in ${Math.ceil(waitMs / 1_000)} s`;
  if (waitMs < HOUR_MS) return `in ${Math.floor(waitMs / MINUTE_MS)} min`;
  const format = timestampFormat(timeZone);
  const [date = "", time = ""] = format(dueMs).split(" ");
  const [today = ""] = format(nowMs).split(" ");
  return `${dayInWords(date, today)} ${time.slice(0, "hh:mm".length)}`;
}

function dayInWords(date: string, today: string): string {
  const days = (Date.parse(date) - Date.parse(today)) / DAY_MS;
  if (days === 0) return "today";
  if (days === 1) return "tomorrow";
  // A week from today is a day of the same name.
  return days < 7 ? (WEEKDAYS[new Date(date).getUTCDay()] ?? date) : date;
}

/** A moment as people read it on this machine. */
export function momentOf(rfc3339: string): string {
  return timestampFormat(machineTimeZone())(Date.parse(rfc3339));
}

/** How long something took or was late: `3 ms`, `1.2 s`, `5 min`, `2 h`, `3 d`. */
export function lengthOf(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < MINUTE_MS) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  return ms < DAY_MS ? `${Math.floor(ms / HOUR_MS)} h` : `${Math.floor(ms / DAY_MS)} d`;
}

/** The rule: `every 5m`, `0 9 * * 1-5 in Asia/Shanghai`, `once`. */
export function ruleInWords({ every, align, cron, timeZone }: View): string {
  if (every !== undefined) return `every ${inLargestUnit(every)}${align ? ", aligned" : ""}`;
  return cron === undefined ? "once" : `${cron} in ${timeZone}`;
}

/** The server's own schedule counts in milliseconds, which nobody does. */
function inLargestUnit(length: string): string {
  const ms = parseDuration(length) ?? 0;
  const unit = UNITS.find(([, unitMs]) => ms >= unitMs && ms % unitMs === 0);
  return unit === undefined ? length : `${ms / unit[1]}${unit[0]}`;
}

/** When the next run is due, or why there is none. */
export function nextInWords({ enabled, nextDueAt }: View, nowMs: number): string {
  if (!enabled) return "paused";
  return nextDueAt === null ? "ended" : inWords(Date.parse(nextDueAt), nowMs);
}

/** What is published, as one text. */
export function dataInWords({ data }: View): string {
  return typeof data === "string" ? data : JSON.stringify(data);
}
