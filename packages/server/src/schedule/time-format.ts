/**
 * Times as a format says: `parseTimeFormat("EEE d MMM, HH:mm")`.
 *
 * | letters                         | a time as                                        |
 * | ------------------------------- | ------------------------------------------------ |
 * | `yyyy`, `yy`                    | 2026, 26                                         |
 * | `MMMM`, `MMM`, `MM`, `M`        | November, Nov, 11, 11                            |
 * | `dd`, `d`                       | 05, 5                                            |
 * | `EEEE`, `EEE`                   | Tuesday, Tue                                     |
 * | `HH`, `H`; `hh`, `h` with `a`   | 09, 9; 09, 9 AM                                  |
 * | `mm`, `ss`, `SSS`               | minute, second, thousandths, always two or three |
 * | `xxx`                           | +01:00                                           |
 *
 * They are Unicode's (UTS 35), in English. All but letters stands for itself; letters do in quotes (`yyyy'T'HH`), and `''` is
 * one quote.
 */
import type { TimeZone } from "../lib/zones.ts";

export interface TimeFormat {
  readonly render: (atMs: number, zone: TimeZone) => string;
  /** The most characters that it renders. */
  readonly maxLength: number;
}

export type ParsedTimeFormat =
  | { readonly ok: true; readonly format: TimeFormat }
  | { readonly ok: false; readonly problem: string };

interface Field {
  readonly maxLength: number;
  /** `local` has in UTC what the clock shows. */
  readonly render: (local: Date, offsetMs: number) => string;
}

const MONTHS = "January February March April May June July August September October November December".split(
  " ",
);
const WEEKDAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

const padded = (length: number, of: (local: Date) => number): Field => ({
  maxLength: length,
  render: (local) => `${of(local)}`.padStart(length, "0"),
});
const plain = (of: (local: Date) => number): Field => ({ maxLength: 2, render: (local) => `${of(local)}` });
const named = (names: readonly string[], length: number, of: (local: Date) => number): Field => ({
  maxLength: length,
  render: (local) => (names[of(local)] ?? "").slice(0, length),
});

const year = (local: Date) => local.getUTCFullYear();
const month = (local: Date) => local.getUTCMonth();
const day = (local: Date) => local.getUTCDate();
const hour = (local: Date) => local.getUTCHours();
const hourOfTwelve = (local: Date) => ((hour(local) + 11) % 12) + 1;
const weekday = (local: Date) => local.getUTCDay();

const FIELDS: ReadonlyMap<string, Field> = new Map([
  ["yyyy", padded(4, year)],
  ["yy", padded(2, (local) => year(local) % 100)],
  ["MMMM", named(MONTHS, 9, month)],
  ["MMM", named(MONTHS, 3, month)],
  ["MM", padded(2, (local) => month(local) + 1)],
  ["M", plain((local) => month(local) + 1)],
  ["dd", padded(2, day)],
  ["d", plain(day)],
  ["EEEE", named(WEEKDAYS, 9, weekday)],
  ["EEE", named(WEEKDAYS, 3, weekday)],
  ["HH", padded(2, hour)],
  ["H", plain(hour)],
  ["hh", padded(2, hourOfTwelve)],
  ["h", plain(hourOfTwelve)],
  ["a", { maxLength: 2, render: (local) => (hour(local) < 12 ? "AM" : "PM") }],
  ["mm", padded(2, (local) => local.getUTCMinutes())],
  ["ss", padded(2, (local) => local.getUTCSeconds())],
  ["SSS", padded(3, (local) => local.getUTCMilliseconds())],
  ["xxx", { maxLength: 6, render: (_, offsetMs) => offset(offsetMs) }],
]);

function offset(offsetMs: number): string {
  const minutes = Math.floor(Math.abs(offsetMs) / 60_000);
  const two = (value: number) => `${value}`.padStart(2, "0");
  return `${offsetMs < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** A quote, a quoted text, one letter again and again, or anything but letters and quotes. */
const PART = /''|'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+/g;

/** Reads a format; a problem is one line for people. */
export function parseTimeFormat(pattern: string): ParsedTimeFormat {
  const fields: Field[] = [];
  let readTo = 0;
  for (const { 0: part, 1: quoted, 2: letter, index } of pattern.matchAll(PART)) {
    if (index !== readTo) break;
    readTo += part.length;
    const field = letter === undefined ? literal(part, quoted) : FIELDS.get(part);
    if (field === undefined)
      return { ok: false, problem: `unknown letters ${part} in the format ${pattern}` };
    fields.push(field);
  }
  if (readTo < pattern.length) return { ok: false, problem: `unclosed quote in the format ${pattern}` };
  const maxLength = fields.reduce((sum, field) => sum + field.maxLength, 0);
  const render = (atMs: number, zone: TimeZone) => {
    const { offsetMs } = zone.spanAt(atMs);
    const local = new Date(atMs + offsetMs);
    let text = "";
    for (const field of fields) text += field.render(local, offsetMs);
    return text;
  };
  return { ok: true, format: { render, maxLength } };
}

function literal(part: string, quoted: string | undefined): Field {
  const text = part === "''" ? "'" : (quoted?.replaceAll("''", "'") ?? part);
  return { maxLength: text.length, render: () => text };
}
