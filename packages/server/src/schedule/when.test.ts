import { expect, test } from "bun:test";
import fc from "fast-check";
import { momentsNear, slowLocalMs, ZONES } from "../lib/testing/slow-clock.ts";
import { compileRule, type Rule, type RuleFields } from "./rule.ts";
import { everFits, type SlowCron, slowCrons, slowSecondCrons, slowTimes } from "./testing/slow-calendar.ts";
import { dueBetween, dueNow, nextDue, nextDueAfter, preview, startOf } from "./when.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const createdMs = Date.UTC(2026, 10, 24, 9, 30);
const context = { id: "nightly", createdMs, timeZone: "UTC" };

function ruleOf(fields: RuleFields, id = context.id): Rule {
  const compiled = compileRule(fields, { ...context, id });
  if (!compiled.ok) throw new Error(`${compiled.field}: ${compiled.problem}`);
  return compiled.rule;
}

const at = (text: string) => Date.parse(text);
const iso = (times: readonly number[]) => times.map((ms) => new Date(ms).toISOString().replace(".000", ""));
const next = (fields: RuleFields, from: string, count: number) =>
  iso(preview(ruleOf(fields), at(from), count));

const ms = fc.integer({ min: 0, max: 10 ** 13 });
const every = fc.integer({ min: 1_000, max: 366 * DAY_MS });

test("the next run is on the grid, after the given time, and the first such", () => {
  fc.assert(
    fc.property(ms, every, ms, (anchorMs, everyMs, sinceAnchorMs) => {
      const afterMs = anchorMs + sinceAnchorMs;
      const dueMs = nextDue(anchorMs, everyMs, afterMs);
      expect((dueMs - anchorMs) % everyMs).toBe(0);
      expect(dueMs).toBeGreaterThan(afterMs);
      expect(dueMs - everyMs).toBeLessThanOrEqual(afterMs);
    }),
  );
});

test("before the anchor, the first run is one interval after it", () => {
  expect(nextDue(10_000, 1_000, 0)).toBe(11_000);
  expect(nextDue(10_000, 1_000, 10_000)).toBe(11_000);
});

function expectAsWatched(cron: SlowCron, zone: string, fromMs: number, toMs: number, stepMs: number) {
  const compiled = compileRule({ cron: cron.text, timeZone: zone }, context);
  if (!compiled.ok) {
    expect(compiled.problem).toBe("no date ever fits it");
    expect(everFits(cron)).toBe(false);
    return;
  }
  const times = dueBetween(compiled.rule, fromMs, toMs, 10_000);
  expect(iso(times)).toEqual(iso(slowTimes(cron, zone, fromMs, toMs, stepMs)));
}

test("cron is due exactly when a clock that is watched minute by minute says so", () => {
  fc.assert(
    fc.property(momentsNear(DAY_MS), slowCrons, ({ zone, atMs }, cron) => {
      expectAsWatched(cron, zone, atMs, atMs + 2 * DAY_MS, 60_000);
    }),
    { numRuns: 500 },
  );
}, 30_000);

test("cron with seconds is due exactly when a clock that is watched second by second says so", () => {
  fc.assert(
    fc.property(momentsNear(2 * HOUR_MS), slowSecondCrons, ({ zone, atMs }, cron) => {
      expectAsWatched(cron, zone, atMs, atMs + HOUR_MS, 1_000);
    }),
    { numRuns: 300 },
  );
}, 30_000);

test.each(ZONES)("in %s every day of a hundred years has its run", (timeZone) => {
  const rule = ruleOf({ cron: "30 2 * * *", timeZone });
  const fromMs = at("1970-01-10T00:00:00Z");
  const toMs = fromMs + 36_525 * DAY_MS;
  const nightsBefore = (ms: number) => Math.floor((slowLocalMs(timeZone, ms) - 2.5 * HOUR_MS) / DAY_MS);
  const times = dueBetween(rule, fromMs, toMs, 40_000);
  expect(times.length).toBe(nightsBefore(toMs) - nightsBefore(fromMs));
  expect(times.every((ms, index) => index === 0 || ms > (times[index - 1] ?? 0))).toBe(true);
});

const berlin = "Europe/Berlin";
test.each<[string, RuleFields, string, string[]]>([
  [
    "02:30 that is skipped runs at 03:00",
    { cron: "30 2 * * *", timeZone: berlin },
    "2026-03-28T12:00:00Z",
    ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
  ],
  [
    "02:30 that comes twice runs the first time",
    { cron: "30 2 * * *", timeZone: berlin },
    "2026-10-24T12:00:00Z",
    ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
  ],
  [
    "a night's skipped times are one run, with the one that is due at 03:00",
    { cron: "0,20,40 2,3 * * *", timeZone: berlin },
    "2026-03-29T00:30:00Z",
    ["2026-03-29T01:00:00Z", "2026-03-29T01:20:00Z"],
  ],
  [
    "every half an hour leaves nothing out and adds nothing where the clock jumps",
    { cron: "*/30 * * * *", timeZone: berlin },
    "2026-03-29T00:00:00Z",
    ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"],
  ],
  [
    "every half an hour goes on through the hour that comes twice",
    { cron: "*/30 * * * *", timeZone: berlin },
    "2026-10-25T00:00:00Z",
    ["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"],
  ],
  [
    "a day that a zone left out runs as the next begins",
    { cron: "0 12 * * *", timeZone: "Pacific/Apia" },
    "2011-12-29T22:00:00Z",
    ["2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"],
  ],
  [
    "a rule that starts in the second pass waits for the end of it",
    { cron: "*/20 2-23 * * *", timeZone: berlin },
    "2026-10-25T01:10:00Z",
    ["2026-10-25T02:00:00Z", "2026-10-25T02:20:00Z"],
  ],
  [
    "every counts hours that have passed, whatever the zone",
    { every: "24h", align: true, timeZone: berlin },
    "2026-03-28T12:00:00Z",
    ["2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z"],
  ],
  [
    "every without align counts from the creation",
    { every: "7m" },
    "2026-11-24T09:30:00Z",
    ["2026-11-24T09:37:00Z", "2026-11-24T09:44:00Z"],
  ],
  ["at runs once", { at: "2026-11-24T12:00:00+02:00" }, "2026-11-24T09:30:00Z", ["2026-11-24T10:00:00Z"]],
  ["delay runs once", { delay: "90s" }, "2026-11-24T09:30:00Z", ["2026-11-24T09:31:30Z"]],
])("%s", (_, fields, from, expected) => {
  const ended = "at" in fields || "delay" in fields;
  expect(next(fields, from, expected.length + (ended ? 1 : 0))).toEqual(expected);
});

test("a rule ends with its last moment, its last run, or when it is switched off", () => {
  const until = ruleOf({ every: "1m", until: "2026-11-24T09:32:00Z" });
  expect(preview(until, createdMs, 10)).toHaveLength(2);
  const thrice = ruleOf({ every: "1m", maxRuns: 3 });
  expect(preview(thrice, createdMs, 10)).toHaveLength(3);
  expect(nextDueAfter(thrice, createdMs, 2)).toBe(createdMs + 60_000);
  expect(nextDueAfter(thrice, createdMs, 3)).toBeUndefined();
  expect(dueBetween(thrice, createdMs, createdMs + DAY_MS, 10, 1)).toHaveLength(2);
  const off = ruleOf({ every: "1m", enabled: false });
  expect(nextDueAfter(off, createdMs)).toBeUndefined();
  expect(dueBetween(off, createdMs, createdMs + DAY_MS, 10)).toEqual([]);
  expect(dueNow(off, createdMs, createdMs + DAY_MS, 0)).toEqual([]);
  expect(preview(off, createdMs, 10)).toHaveLength(10);
});

test("nothing is due after the year 9999", () => {
  expect(nextDueAfter(ruleOf({ cron: "0 0 1 1 *" }), at("9999-06-01T00:00:00Z"))).toBeUndefined();
  expect(nextDueAfter(ruleOf({ every: "3650d" }), at("9999-06-01T00:00:00Z"))).toBeUndefined();
});

const rules = fc
  .tuple(
    fc.oneof(
      fc.record({ every: fc.integer({ min: 1, max: 5_000 }).map((seconds) => `${seconds}s`) }),
      slowCrons.filter(everFits).map(({ text }) => ({ cron: text })),
      fc.constant({ cron: "* * 3 * * *" }),
    ),
    fc.record({
      jitter: fc.constantFrom("0s", "10s", "3h"),
      misfire: fc.oneof(fc.constantFrom("skip", "one", "all"), fc.integer({ min: 0, max: 50 })),
    }),
  )
  .map(([when, rest]) => ({ ...when, ...rest, timeZone: berlin }) as RuleFields);

test("a downtime is made up for by the latest runs that should have started, as many as the rule says", () => {
  fc.assert(
    fc.property(rules, fc.integer({ min: 0, max: 3 * DAY_MS }), (fields, downMs) => {
      const rule = ruleOf(fields);
      const nowMs = createdMs + downMs;
      const started = dueBetween(rule, createdMs, nowMs, 1_000_000).filter(
        (dueMs) => startOf(rule, dueMs) <= nowMs,
      );
      const expected = rule.missedRuns === 0 ? [] : started.slice(-rule.missedRuns);
      expect(dueNow(rule, createdMs, nowMs, -1)).toEqual(expected);
    }),
    { numRuns: 150 },
  );
});

test("a rule that makes up for nothing still has the run it is only a little late for", () => {
  const rule = ruleOf({ every: "1h", misfire: "skip" });
  const nowMs = createdMs + 5 * HOUR_MS + 800;
  expect(dueNow(rule, createdMs, nowMs, 1_000)).toEqual([createdMs + 5 * HOUR_MS]);
  expect(dueNow(rule, createdMs, nowMs, 500)).toEqual([]);
});

test("made-up runs count towards the last one", () => {
  const rule = ruleOf({ every: "1m", misfire: "all", maxRuns: 10 });
  expect(dueNow(rule, createdMs, createdMs + DAY_MS, 0, 6)).toEqual(
    dueBetween(rule, createdMs + DAY_MS - 240_000, createdMs + DAY_MS, 10),
  );
  expect(dueNow(rule, createdMs, createdMs + DAY_MS, 0, 10)).toEqual([]);
});

test("a jitter spreads the starts over its window, keeps their order, and is the same wherever it is computed", () => {
  const fields: RuleFields = { every: "10s", jitter: "1m" };
  const rule = ruleOf(fields);
  const due = preview(rule, createdMs, 1_000);
  const starts = due.map((dueMs) => startOf(rule, dueMs));
  const waits = starts.map((ms, index) => ms - (due[index] ?? 0));
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...waits)).toBeLessThan(10_000);
  // Even: a tenth of them in each tenth of the window.
  for (let tenth = 0; tenth < 10; tenth++) {
    const share = waits.filter((wait) => Math.floor(wait / 1_000) === tenth).length;
    expect(share).toBeWithin(65, 136);
  }
  expect(due.map((dueMs) => startOf(ruleOf(fields), dueMs))).toEqual(starts);
  expect(due.map((dueMs) => startOf(ruleOf(fields, "other"), dueMs))).not.toEqual(starts);
  // Pinned: nodes of two versions, side by side in an update, have to agree.
  expect(waits.slice(0, 3)).toEqual([3_296, 3_668, 8_566]);
});
