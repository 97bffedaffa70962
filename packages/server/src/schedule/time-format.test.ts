import { expect, test } from "bun:test";
import fc from "fast-check";
import { momentsNear } from "../lib/testing/slow-clock.ts";
import { timestampFormat } from "../lib/timestamp.ts";
import { TimeZone } from "../lib/zones.ts";
import { parseTimeFormat } from "./time-format.ts";

const DAY_MS = 86_400_000;
const at = Date.UTC(2026, 10, 5, 9, 3, 7, 42);

function format(pattern: string, zone: string, atMs: number): string {
  const parsed = parseTimeFormat(pattern);
  if (!parsed.ok) throw new Error(parsed.problem);
  const text = parsed.format.render(atMs, new TimeZone(zone));
  expect(text.length).toBeLessThanOrEqual(parsed.format.maxLength);
  return text;
}

test.each([
  ["yyyy-MM-dd HH:mm:ss", "2026-11-05 09:03:07"],
  ["yy/M/d H:mm:ss.SSS", "26/11/5 9:03:07.042"],
  ["EEEE, d MMMM yyyy", "Thursday, 5 November 2026"],
  ["EEE MMM dd hh:mm a", "Thu Nov 05 09:03 AM"],
  ["yyyy-MM-dd'T'HH:mm:ssxxx", "2026-11-05T09:03:07+00:00"],
  ["h 'o''clock'", "9 o'clock"],
  ["''yy'' 今 ''''", "'26' 今 ''"],
  ["HH时mm分", "09时03分"],
])("%s is %s", (pattern, expected) => {
  expect(format(pattern, "UTC", at)).toBe(expected);
});

test.each([
  ["YYYY", "unknown letters YYYY"],
  ["HH:mmm", "unknown letters mmm"],
  ["yyyyMMddTHH", "unknown letters T"],
  ["HH 'o", "unclosed quote"],
  ["z", "unknown letters z"],
])("%s is refused, naming why", (pattern, reason) => {
  const parsed = parseTimeFormat(pattern);
  expect(parsed.ok ? "" : parsed.problem).toContain(reason);
});

test.each([
  [0, "12 AM"],
  [1, "1 AM"],
  [11, "11 AM"],
  [12, "12 PM"],
  [13, "1 PM"],
  [23, "11 PM"],
])("%d o'clock is %s", (hour, expected) => {
  expect(format("h a", "UTC", Date.UTC(2026, 0, 1, hour))).toBe(expected);
});

test.each([
  ["Asia/Kathmandu", "+05:45"],
  ["America/St_Johns", "-03:30"],
  ["America/New_York", "-05:00"],
])("in %s the offset is %s", (zone, expected) => {
  expect(format("xxx", zone, at)).toBe(expected);
});

test("in every zone and at every time, it says what Intl says", () => {
  fc.assert(
    fc.property(momentsNear(DAY_MS), ({ zone: timeZone, atMs }) => {
      expect(format("yyyy-MM-dd HH:mm:ss", timeZone, atMs)).toBe(timestampFormat(timeZone)(atMs));
      const intl = (options: Intl.DateTimeFormatOptions) =>
        new Intl.DateTimeFormat("en-US", { timeZone, ...options }).format(atMs);
      expect(format("EEEE EEE MMMM MMM", timeZone, atMs)).toBe(
        [
          intl({ weekday: "long" }),
          intl({ weekday: "short" }),
          intl({ month: "long" }),
          intl({ month: "short" }),
        ].join(" "),
      );
    }),
    { numRuns: 200 },
  );
});
