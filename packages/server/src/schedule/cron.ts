/**
 * Cron expressions: what they say, and the next local time that they name. No zones, no clocks.
 *
 * croner reads an expression; the search is our own. Measured with croner 11.0.1: 72 KB for each expression it holds
 * (a million schedules would be 72 GB) and 11 to 24 µs for a next run in a zone. Here a whole rule takes 460 bytes, and a
 * next run 0.1 to 1 µs.
 */
import { CronPattern } from "croner";

/** A set of numbers from 0 to 59, thirty bits to a word. */
type Sixty = readonly [low: number, high: number];

/** An expression that names at least one day. Numbers are sets, a bit each. */
export interface Cron {
  readonly seconds: Sixty;
  readonly minutes: Sixty;
  readonly hours: number;
  /** From bit 0, the first. */
  readonly days: number;
  readonly lastDay: boolean;
  /** From bit 0, January. */
  readonly months: number;
  /** For each weekday from Sunday, which of the month: bit 0 the first, bit 5 the last, all six any. Absent for `*`. */
  readonly weekdays?: readonly number[];
  /** A day has to fit both day fields: one of them is `*`, or the weekday begins with `+`. Otherwise one is enough. */
  readonly both: boolean;
}

export type ParsedCron =
  | { readonly ok: true; readonly cron: Cron }
  | { readonly ok: false; readonly problem: string };

const MAX_LENGTH = 200;
const NICKNAME = /^ *@(yearly|annually|monthly|weekly|daily|midnight|hourly) *$/i;
const DAY_MS = 86_400_000;
/** After this the calendar is the same again: 400 years. */
const MONTHS_OF_A_CYCLE = 4_800;
const LAST_YEAR = 9_999;
const ANY_OF_MONTH = 63;
const LAST_OF_MONTH = 32;
const EVERY_HOUR = 2 ** 24 - 1;

/**
 * Reads an expression: 5 fields (minute, hour, day, month, weekday) or 6 (a second first), with `*`, lists, ranges, steps,
 * names, `L` (last day; `5L` or `FRI#L` the last Friday), `#` (`FRI#2` the second) and `@daily` and its like. If both day
 * fields are given, one is enough, unless the weekday begins with `+`.
 */
export function parseCron(text: string): ParsedCron {
  const refuse = (problem: string) => ({ ok: false, problem }) as const;
  if (text.length > MAX_LENGTH || !/^[\x20-\x7e]*$/.test(text)) {
    return refuse(`at most ${MAX_LENGTH} printable ASCII characters are allowed`);
  }
  const fields = text.split(" ").filter((field) => field !== "").length;
  if (fields !== 5 && fields !== 6 && !NICKNAME.test(text)) {
    return refuse(`5 fields, or 6 with a second first, are expected, not ${fields}`);
  }
  let pattern: CronPattern;
  try {
    pattern = new CronPattern(text, undefined, { mode: "5-or-6-parts" });
  } catch (error) {
    return refuse(inOurWords((error as Error).message));
  }
  if (pattern.lastWeekday || pattern.nearestWeekdays.some(Boolean)) return refuse("W is not supported");
  const cron = compact(pattern);
  if (nextLocal(cron, 0) === undefined) return refuse("no date ever fits it");
  return { ok: true, cron };
}

/** Whether all hours are named, so that a rule goes by the clock rather than by times of the day. */
export function isEveryHour(cron: Cron): boolean {
  return cron.hours === EVERY_HOUR;
}

function inOurWords(message: string): string {
  return (
    message
      .replace(/^CronPattern: (Syntax error, )?/, "")
      .replaceAll("dayOfWeek", "weekday")
      // The value that croner names is one too low for days and months.
      .replace(/^Invalid value for (\w+): .*/, "the $1 is out of range")
  );
}

function compact(pattern: CronPattern): Cron {
  return {
    seconds: [bits(pattern.second.slice(0, 30)), bits(pattern.second.slice(30))],
    minutes: [bits(pattern.minute.slice(0, 30)), bits(pattern.minute.slice(30))],
    hours: bits(pattern.hour),
    days: bits(pattern.day),
    lastDay: pattern.lastDayOfMonth,
    months: bits(pattern.month),
    ...(!pattern.starDOW && { weekdays: pattern.dayOfWeek.slice(0, 7) }),
    both: pattern.useAndLogic || pattern.starDOM,
  };
}

function bits(flags: readonly number[]): number {
  return flags.reduce((sum, flag, at) => (flag ? sum | (1 << at) : sum), 0);
}

/**
 * The first local time after `localMs` that the expression names, a whole second. `undefined` where none comes before the
 * year 10000.
 */
export function nextLocal(cron: Cron, localMs: number): number | undefined {
  const second = Math.floor(localMs / 1_000) + 1;
  const day = Math.floor(second / 86_400);
  const today = nextDay(cron, day);
  if (today === undefined) return undefined;
  const time = nextTime(cron, today === day ? second - day * 86_400 : 0);
  if (time !== undefined) return today * DAY_MS + time * 1_000;
  const later = nextDay(cron, today + 1);
  return later === undefined ? undefined : later * DAY_MS + (nextTime(cron, 0) ?? 0) * 1_000;
}

/** The first second of the day from `from` on that is named. */
function nextTime({ hours, minutes, seconds }: Cron, from: number): number | undefined {
  const hour = Math.floor(from / 3_600);
  const minute = Math.floor(from / 60) % 60;
  if (((hours >> hour) & 1) === 1) {
    if (has(minutes, minute)) {
      const second = firstOfSixty(seconds, from % 60);
      if (second !== undefined) return hour * 3_600 + minute * 60 + second;
    }
    const nextMinute = firstOfSixty(minutes, minute + 1);
    if (nextMinute !== undefined) return hour * 3_600 + nextMinute * 60 + (firstOfSixty(seconds, 0) ?? 0);
  }
  const nextHour = first(hours, hour + 1);
  if (nextHour === undefined) return undefined;
  return nextHour * 3_600 + (firstOfSixty(minutes, 0) ?? 0) * 60 + (firstOfSixty(seconds, 0) ?? 0);
}

/** The first day from `day` on that is named, both counted from 1970. */
function nextDay(cron: Cron, day: number): number | undefined {
  const from = new Date(day * DAY_MS);
  let date = from.getUTCDate() - 1;
  const start = from.getUTCFullYear() * 12 + from.getUTCMonth();
  for (let month = start; month <= start + MONTHS_OF_A_CYCLE; month++) {
    if (((cron.months >> (month % 12)) & 1) === 1) {
      const found = first(daysOf(cron, Math.floor(month / 12), month % 12), date);
      if (found !== undefined) {
        if (month >= (LAST_YEAR + 1) * 12) return undefined;
        return Date.UTC(Math.floor(month / 12), month % 12, 1 + found) / DAY_MS;
      }
    }
    date = 0;
  }
  return undefined;
}

/** The days of a month that are named, from bit 0. */
function daysOf({ days, lastDay, weekdays, both }: Cron, year: number, month: number): number {
  const length = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  const all = length === 31 ? 0x7fffffff : (1 << length) - 1;
  const byDate = (days | (lastDay ? 1 << (length - 1) : 0)) & all;
  if (weekdays === undefined) return byDate;
  const firstWeekday = new Date(Date.UTC(year, month, 1)).getUTCDay();
  let byWeekday = 0;
  for (let day = 0; day < length; day++) {
    const which = weekdays[(firstWeekday + day) % 7] ?? 0;
    const isLast = day + 7 >= length;
    const fits =
      which === ANY_OF_MONTH || (which >> Math.floor(day / 7)) & 1 || (isLast && which & LAST_OF_MONTH);
    if (fits) byWeekday |= 1 << day;
  }
  return both ? byDate & byWeekday : byDate | byWeekday;
}

/** The lowest member of `set` from `from` on. */
function first(set: number, from: number): number | undefined {
  const rest = from > 30 ? 0 : set & (-1 << from);
  return rest === 0 ? undefined : 31 - Math.clz32(rest & -rest);
}

function firstOfSixty([low, high]: Sixty, from: number): number | undefined {
  if (from < 30) {
    const found = first(low, from);
    if (found !== undefined) return found;
  }
  const found = first(high, Math.max(0, from - 30));
  return found === undefined ? undefined : found + 30;
}

function has([low, high]: Sixty, value: number): boolean {
  return (((value < 30 ? low : high) >> (value % 30)) & 1) === 1;
}
