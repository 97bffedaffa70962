import { expect, test } from "bun:test";
import fc from "fast-check";
import { momentsNear, slowLocalMs } from "../../lib/testing/slow-clock.ts";
import { type TimeZone, timeZone } from "../../lib/zones.ts";
import type { QuietHours } from "./device.ts";
import { isQuiet, nextChange, parseTimeOfDay, quietHoursProblem } from "./quiet-hours.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

function zoneOf(name: string): TimeZone {
  const zone = timeZone(name);
  if (zone === undefined) throw new Error(`no zone ${name}`);
  return zone;
}

test.each<[string, number | undefined]>([
  ["00:00", 0],
  ["07:05", 25_500_000],
  ["23:59", 86_340_000],
  ["24:00", undefined],
  ["7:00", undefined],
  ["07:60", undefined],
  ["07:00:00", undefined],
  ["07:00\n", undefined],
  ["٠٧:٠٠", undefined],
  ["", undefined],
])("%j is %p ms after midnight", (text, ms) => {
  expect(parseTimeOfDay(text)).toBe(ms as number);
});

test("quiet hours that are none say why", () => {
  expect(quietHoursProblem({ from: "22:00", to: "07:00" })).toBeUndefined();
  expect(quietHoursProblem({ from: "22", to: "07:00" })).toBe("from: a time from 00:00 to 23:59 is expected");
  expect(quietHoursProblem({ from: "22:00", to: "24:00" })).toBe(
    "to: a time from 00:00 to 23:59 is expected",
  );
  expect(quietHoursProblem({ from: "07:00", to: "07:00" })).toContain("the same time");
});

test.each([
  ["22:00", "07:00", "21:59:59.999", false],
  ["22:00", "07:00", "22:00:00.000", true],
  ["22:00", "07:00", "00:00:00.000", true],
  ["22:00", "07:00", "06:59:59.999", true],
  ["22:00", "07:00", "07:00:00.000", false],
  ["13:00", "14:30", "12:59:59.999", false],
  ["13:00", "14:30", "13:00:00.000", true],
  ["13:00", "14:30", "14:30:00.000", false],
  ["00:00", "23:59", "23:59:00.000", false],
  ["07:00", "07:00", "07:00:00.000", false],
  ["late", "07:00", "03:00:00.000", false],
])("from %s to %s, at %s it is quiet: %p", (from, to, time, expected) => {
  const kolkata = zoneOf("Asia/Kolkata");
  expect(isQuiet({ from, to }, kolkata, Date.parse(`2026-11-24T${time}+05:30`))).toBe(expected);
});

test("the night of a summer time's beginning is shorter by an hour, and of its end longer", () => {
  const berlin = zoneOf("Europe/Berlin");
  const night = { from: "22:00", to: "07:00" };
  for (const [begin, end] of [
    ["2026-03-28T22:00:00+01:00", "2026-03-29T07:00:00+02:00"],
    ["2026-10-24T22:00:00+02:00", "2026-10-25T07:00:00+01:00"],
  ] as const) {
    expect(nextChange(night, berlin, Date.parse(begin) - 1)).toBe(Date.parse(begin));
    expect(nextChange(night, berlin, Date.parse(begin))).toBe(Date.parse(end));
  }
});

test("an edge that the clock jumps over takes effect at the jump", () => {
  const berlin = zoneOf("Europe/Berlin");
  const jumpMs = Date.parse("2026-03-29T01:00:00Z");
  expect(nextChange({ from: "02:30", to: "07:00" }, berlin, jumpMs - 1)).toBe(jumpMs);
  expect(nextChange({ from: "22:00", to: "02:30" }, berlin, jumpMs - DAY_MS / 12)).toBe(jumpMs);
  // All of it is jumped over: not quiet that night.
  const short = { from: "02:10", to: "02:50" };
  expect(nextChange(short, berlin, jumpMs - MINUTE_MS)).toBe(Date.parse("2026-03-30T02:10:00+02:00"));
});

test("what the clock shows twice is quiet twice", () => {
  const berlin = zoneOf("Europe/Berlin");
  const quiet = { from: "02:00", to: "02:30" };
  const changes = [Date.parse("2026-10-25T00:00:00Z") - 1];
  for (let at = 0; at < 4; at++) changes.push(nextChange(quiet, berlin, changes.at(-1) ?? 0));
  expect(changes.slice(1).map((ms) => new Date(ms).toISOString().slice(11, 16))).toEqual([
    "00:00",
    "00:30",
    "01:00",
    "01:30",
  ]);
});

test("an edge that the clock is set back from comes when it shows it", () => {
  const berlin = zoneOf("Europe/Berlin");
  const backMs = Date.parse("2026-10-25T01:00:00Z");
  expect(nextChange({ from: "22:00", to: "03:00" }, berlin, backMs - 1)).toBe(backMs + 60 * MINUTE_MS);
  expect(nextChange({ from: "03:00", to: "07:00" }, berlin, backMs - 1)).toBe(backMs + 60 * MINUTE_MS);
});

test("what are no quiet hours never change", () => {
  for (const quiet of [
    { from: "07:00", to: "07:00" },
    { from: "late", to: "07:00" },
  ]) {
    expect(nextChange(quiet, zoneOf("UTC"), 0)).toBe(Number.POSITIVE_INFINITY);
  }
});

const minuteOfDay = fc.integer({ min: 0, max: 1_439 });
const clock = (minutes: number) =>
  `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;

/** Mostly with edges in the hours in which clocks change. */
const quietHours: fc.Arbitrary<QuietHours> = fc
  .tuple(
    fc.oneof(minuteOfDay, fc.integer({ min: 0, max: 200 })),
    fc.oneof(minuteOfDay, fc.integer({ min: 0, max: 200 })),
  )
  .filter(([from, to]) => from !== to)
  .map(([from, to]) => ({ from: clock(from), to: clock(to) }));

/** By the letters of a clock that `Intl` shows. */
function slowIsQuiet({ from, to }: QuietHours, zone: string, atMs: number): boolean {
  const shown = new Date(slowLocalMs(zone, atMs)).toISOString().slice(11, 16);
  return from < to ? shown >= from && shown < to : shown >= from || shown < to;
}

test("it stays as it is up to the next change, and is otherwise from there on", () => {
  fc.assert(
    fc.property(momentsNear(2 * DAY_MS), quietHours, ({ zone: name, atMs }, quiet) => {
      const zone = zoneOf(name);
      const changeMs = nextChange(quiet, zone, atMs);
      const isNow = slowIsQuiet(quiet, name, atMs);
      expect(isQuiet(quiet, zone, atMs)).toBe(isNow);
      expect(changeMs).toBeWithin(atMs + 1, atMs + 3 * DAY_MS);
      // Clocks change on whole minutes, and so do quiet hours.
      for (let ms = Math.ceil(atMs / MINUTE_MS) * MINUTE_MS; ms < changeMs; ms += MINUTE_MS) {
        if (slowIsQuiet(quiet, name, ms) !== isNow) throw new Error(`missed ${new Date(ms).toISOString()}`);
      }
      expect(isQuiet(quiet, zone, changeMs - 1)).toBe(isNow);
      expect(isQuiet(quiet, zone, changeMs)).toBe(!isNow);
      expect(slowIsQuiet(quiet, name, changeMs)).toBe(!isNow);
    }),
    { numRuns: 300 },
  );
});

test("in every zone, a year's changes take turns", () => {
  const zones = Intl.supportedValuesOf("timeZone");
  const from = fc.integer({ min: Date.UTC(1970, 0, 2), max: Date.UTC(2070, 0, 1) });
  fc.assert(
    fc.property(fc.constantFrom(...zones), from, quietHours, (name, startMs, quiet) => {
      const zone = zoneOf(name);
      let atMs = startMs;
      for (let changes = 0; changes < 800; changes++) {
        const nextMs = nextChange(quiet, zone, atMs);
        expect(nextMs).toBeGreaterThan(atMs);
        expect(isQuiet(quiet, zone, nextMs - 1)).toBe(isQuiet(quiet, zone, atMs));
        expect(isQuiet(quiet, zone, nextMs)).toBe(!isQuiet(quiet, zone, atMs));
        atMs = nextMs;
      }
    }),
    { numRuns: 50 },
  );
});
