import { expect, test } from "bun:test";
import fc from "fast-check";
import { type CompiledRule, checkRule, compileRule, RULE_FIELDS, type RuleFields } from "./rule.ts";
import { nextDueAfter } from "./when.ts";

const createdMs = Date.UTC(2026, 10, 24, 9, 30);
const context = { id: "nightly", createdMs, timeZone: "Europe/Berlin" };
const check = (fields: RuleFields) => checkRule(fields, context, createdMs);
const said = (result: CompiledRule) => (result.ok ? "ok" : `${result.field}: ${result.problem}`);

test.each<[RuleFields, string]>([
  [{}, "every: one of every, cron, at and delay is required"],
  [{ every: "5m", cron: "* * * * *" }, "cron: cannot be combined with every"],
  [{ at: "2027-01-01T00:00:00Z", delay: "5m" }, "delay: cannot be combined with at"],
  [{ every: "999ms" }, "every: a length of time from 1s"],
  [{ every: "0s" }, "every: a length of time from 1s"],
  [{ every: "3651d" }, "every: a length of time from 1s to 3650d"],
  [{ every: "5 minutes" }, "every: a length of time"],
  [{ cron: "0 0 30 2 *" }, "cron: no date ever fits it"],
  [{ cron: "0 0 30 2 *", align: true }, "align: goes with every only"],
  [{ every: "5m", timeZone: "Mars/Olympus" }, "timeZone: no such time zone"],
  [{ at: "2026-11-24T09:30:00" }, "at: a time such as"],
  [{ at: "2026-02-30T00:00:00Z" }, "at: a time such as"],
  [{ at: "2026-11-24T09:30:00Z" }, "at: is in the past"],
  [{ delay: "0s" }, "delay: a length of time from 1ms"],
  [{ every: "5m", jitter: "25h" }, "jitter: a length of time up to 1d"],
  [{ every: "5m", until: "tomorrow" }, "until: a time such as"],
  [{ every: "5m", until: "2026-11-24T09:30:00Z" }, "until: is in the past"],
  [{ every: "5m", until: "2026-11-24T09:34:59Z" }, "until: no run is due before it"],
  [{ at: "2026-12-01T00:00:00Z", until: "2026-11-30T00:00:00Z" }, "until: no run is due before it"],
  [{ every: "5m", maxRuns: 0 }, "maxRuns: a whole number from 1"],
  [{ every: "5m", maxRuns: 1.5 }, "maxRuns: a whole number from 1"],
  [{ every: "5m", maxRuns: Number.POSITIVE_INFINITY }, "maxRuns: a whole number from 1"],
  [{ every: "5m", misfire: 1_001 }, "misfire: skip, one, all or a whole number up to 1000"],
  [{ every: "5m", misfire: -1 }, "misfire: skip, one, all"],
  [{ every: "5m", misfire: "constructor" as "all" }, "misfire: skip, one, all"],
  [{ every: 300 as unknown as string }, "every: a string is expected"],
  [{ every: "5m", enabled: "no" as unknown as boolean }, "enabled: a boolean is expected"],
  [{ every: "5m", misfire: null as unknown as "all" }, "misfire: a string or a number is expected"],
])("%j is refused, naming the field and why", (fields, expected) => {
  expect(said(check(fields))).toStartWith(expected);
});

test("what is left out has its usual value", () => {
  expect(check({ every: "5m" })).toEqual({
    ok: true,
    rule: {
      id: "nightly",
      when: { kind: "every", everyMs: 300_000, anchorMs: createdMs },
      timeZone: "Europe/Berlin",
      jitterMs: 0,
      untilMs: Number.POSITIVE_INFINITY,
      maxRuns: Number.POSITIVE_INFINITY,
      enabled: true,
      missedRuns: 1,
    },
  });
});

test.each<[RuleFields["misfire"], number]>([
  ["skip", 0],
  ["one", 1],
  ["all", 1_000],
  [0, 0],
  [1_000, 1_000],
])("misfire %p makes up for %d runs", (misfire, missedRuns) => {
  expect(compileRule({ every: "1s", ...(misfire !== undefined && { misfire }) }, context)).toMatchObject({
    rule: { missedRuns },
  });
});

test("a rule whose time is over is kept, though it would not be taken any more", () => {
  const fields: RuleFields = { every: "5m", until: "2026-11-24T09:00:00Z" };
  const compiled = compileRule(fields, context);
  expect(compiled.ok && nextDueAfter(compiled.rule, createdMs)).toBeUndefined();
  expect(compiled.ok).toBe(true);
});

test("one that is switched off is taken", () => {
  expect(check({ every: "5m", enabled: false })).toMatchObject({ ok: true, rule: { enabled: false } });
});

test("whatever comes in, the answer is a rule that is due or a field and a line", () => {
  const value = fc.oneof(
    fc.anything(),
    fc.string(),
    fc.constantFrom("5m", "1s", "* * * * *", "0 0 L 2 FRI#2", "2027-01-01T00:00:00Z", "UTC", "skip", 3),
  );
  const fields = fc.dictionary(fc.constantFrom(...RULE_FIELDS), value, { maxKeys: 4 });
  fc.assert(
    fc.property(fields, (each) => {
      const checked = check(each as RuleFields);
      if (checked.ok) expect(nextDueAfter({ ...checked.rule, enabled: true }, createdMs)).toBeNumber();
      else {
        expect(RULE_FIELDS).toContain(checked.field);
        expect(checked.problem).toMatch(/^.+$/);
      }
    }),
    { numRuns: 3_000 },
  );
});
