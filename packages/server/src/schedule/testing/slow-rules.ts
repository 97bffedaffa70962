/**
 * The oracle for rules in the simulation: when one is due, found by counting and by looking at the clock of a zone. It
 * shares nothing with what it checks.
 */
import type { ScheduleFields } from "../stored.ts";
import { type SlowCron, slowTimes } from "./slow-calendar.ts";

export interface Place {
  readonly zone: string;
  /** When the clock changes there. */
  readonly changeMs: number;
}

export const PLACES: readonly Place[] = [
  { zone: "UTC", changeMs: Date.UTC(2026, 10, 24, 9, 30) }, // never
  { zone: "Europe/Berlin", changeMs: Date.UTC(2026, 2, 29, 1) },
  { zone: "Europe/Berlin", changeMs: Date.UTC(2026, 9, 25, 1) },
  { zone: "America/New_York", changeMs: Date.UTC(2026, 10, 1, 6) },
  { zone: "Australia/Lord_Howe", changeMs: Date.UTC(2026, 3, 4, 15) }, // half an hour
  { zone: "America/Sao_Paulo", changeMs: Date.UTC(2018, 10, 4, 3) }, // at midnight
  { zone: "Pacific/Apia", changeMs: Date.UTC(2011, 11, 30, 10) }, // left out a whole day
];

const HOUR_MS = 3_600_000;
/** Around a change; no clock of the simulation leaves it. */
export const BEFORE_MS = 5 * HOUR_MS;
export const AFTER_MS = 44 * HOUR_MS;
/** Further than the longest wait for a time. */
const LOOK_AHEAD_MS = 30 * HOUR_MS;

function cron(
  text: string,
  minute: (minute: number) => boolean,
  hour?: (hour: number) => boolean,
): SlowCron & { readonly seconds: readonly number[] } {
  const [first = ""] = text.split(" ");
  return {
    text,
    everyHour: hour === undefined,
    fits: (shown) => minute(shown.minute) && (hour?.(shown.hour) ?? true),
    fitsDay: () => true,
    // All changes of clocks fall on whole minutes, so seconds can be put beside them.
    seconds: text.split(" ").length === 6 ? first.split(",").map(Number) : [0],
  };
}

export const CRONS = [
  cron("* * * * *", () => true),
  cron("*/5 * * * *", (minute) => minute % 5 === 0),
  cron("0,30 * * * *", (minute) => minute % 30 === 0),
  cron("5,20,50 * * * * *", () => true),
  cron(
    "30 2 * * *",
    (minute) => minute === 30,
    (hour) => hour === 2,
  ),
  cron(
    "15 1-3 * * *",
    (minute) => minute === 15,
    (hour) => hour >= 1 && hour <= 3,
  ),
  cron(
    "0 */2 * * *",
    (minute) => minute === 0,
    (hour) => hour % 2 === 0,
  ),
  cron(
    "*/10 0-12 * * *",
    (minute) => minute % 10 === 0,
    (hour) => hour <= 12,
  ),
  cron(
    "0 0 * * *",
    (minute) => minute === 0,
    (hour) => hour === 0,
  ),
];

const calendars = new Map<string, readonly number[]>();

/** All times that an expression names around the change of a place; looked up once. */
function calendarOf({ zone, changeMs }: Place, text: string): readonly number[] {
  const key = `${zone} ${changeMs} ${text}`;
  const known = calendars.get(key);
  if (known !== undefined) return known;
  const slow = CRONS.find((each) => each.text === text);
  if (slow === undefined) throw new Error(`no oracle for ${text}`);
  const until = changeMs + AFTER_MS + LOOK_AHEAD_MS;
  const minutes = slowTimes(slow, zone, changeMs - BEFORE_MS - HOUR_MS, until, 60_000);
  const times = minutes.flatMap((minute) => slow.seconds.map((second) => minute + second * 1_000));
  calendars.set(key, times);
  return times;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: HOUR_MS, d: 24 * HOUR_MS };

export function msOf(duration: string): number {
  const [, count, unit = ""] = /^(\d+)(\D+)$/.exec(duration) ?? [];
  return Number(count) * (UNITS[unit] ?? Number.NaN);
}

/** The first time after `afterMs` that a schedule names, which was made at `createdMs`; infinite if there is none. */
export function timeAfter(place: Place, fields: ScheduleFields, createdMs: number, afterMs: number): number {
  const { every, align, cron: text, at, delay, until } = fields;
  let time = Number.POSITIVE_INFINITY;
  if (every !== undefined) {
    const anchorMs = align === true ? 0 : createdMs;
    const everyMs = msOf(every);
    let count = Math.max(1, Math.floor((afterMs - anchorMs) / everyMs));
    while (anchorMs + count * everyMs <= afterMs) count += 1;
    time = anchorMs + count * everyMs;
  } else if (text !== undefined) {
    time = firstAfter(calendarOf(place, text), afterMs);
  } else {
    const once = at === undefined ? createdMs + msOf(delay ?? "") : Date.parse(at);
    if (once > afterMs) time = once;
  }
  return until !== undefined && time > Date.parse(until) ? Number.POSITIVE_INFINITY : time;
}

function firstAfter(times: readonly number[], afterMs: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) > afterMs) high = middle;
    else low = middle + 1;
  }
  return times[low] ?? Number.POSITIVE_INFINITY;
}

/** All times after `fromMs` and up to `toMs`. */
export function timesBetween(
  place: Place,
  fields: ScheduleFields,
  createdMs: number,
  fromMs: number,
  toMs: number,
): number[] {
  const times: number[] = [];
  for (let atMs = fromMs; ; times.push(atMs)) {
    atMs = timeAfter(place, fields, createdMs, atMs);
    if (atMs > toMs) return times;
  }
}
