import { expect, test } from "bun:test";
import { Cron as Croner } from "croner";
import fc from "fast-check";
import { FROM_MS, TO_MS } from "../lib/testing/slow-clock.ts";
import { nextLocal, parseCron } from "./cron.ts";
import { everFits, slowCrons, slowSecondCrons } from "./testing/slow-calendar.ts";

const ms = fc.integer({ min: FROM_MS, max: TO_MS });

test("without zones, the next times are those that croner finds", () => {
  fc.assert(
    fc.property(fc.oneof(slowCrons, slowSecondCrons).filter(everFits), ms, ({ text }, fromMs) => {
      const parsed = parseCron(text);
      if (!parsed.ok) throw new Error(parsed.problem);
      const croner = new Croner(text, { timezone: "UTC", mode: "5-or-6-parts" });
      let afterMs = fromMs;
      for (const expected of croner.nextRuns(5, new Date(fromMs))) {
        afterMs = nextLocal(parsed.cron, afterMs) ?? Number.NaN;
        expect(afterMs).toBe(expected.getTime());
      }
    }),
    { numRuns: 1_000 },
  );
});

test.each([
  ["0 0 30 2 *", "no date ever fits it"],
  ["0 0 31 4,6,9,11 *", "no date ever fits it"],
  ["0 0 1 * +MON#2", "no date ever fits it"],
  ["61 * * * *", "the minute is out of range"],
  ["0 24 * * *", "the hour is out"],
  ["0 0 0 * *", "the day is out"],
  ["0 0 * 13 *", "the month is out"],
  ["0 0 * * 8", "the weekday is out"],
  ["0 0 * * MON#6", "1-5 or L"],
  ["0 0 * FOO *", "FOO"],
  ["*/0 * * * *", "stepping"],
  ["0 0 * * 5-1", "5-1"],
  ["0 0 15W * *", "W is not supported"],
  ["0 0 LW * *", "W is not supported"],
  ["* * * *", "not 4"],
  ["0 0 0 1 1 * 2027", "not 7"],
  ["", "not 0"],
  ["@reboot", "not 1"],
  ["0 0 * * *\n", "printable"],
  [`${"1,".repeat(100)}1 * * * *`, "200"],
])("%j is refused, naming why", (text, reason) => {
  const parsed = parseCron(text);
  const problem = parsed.ok ? "" : parsed.problem;
  expect(problem).toContain(reason);
  expect(problem).not.toContain("\n");
});

test("any text is read or refused, never thrown at", () => {
  const field = fc.string({ unit: fc.constantFrom(..."0123456789*/,-#?LlWw+@MONfeb"), maxLength: 8 });
  const text = fc.oneof(
    fc.string(),
    fc.array(field, { minLength: 4, maxLength: 7 }).map((all) => all.join(" ")),
  );
  fc.assert(
    fc.property(text, (each) => {
      const parsed = parseCron(each);
      expect(parsed.ok || parsed.problem !== "").toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  ["@daily", "2026-11-25T00:00:00Z"],
  ["@Monthly", "2026-12-01T00:00:00Z"],
  ["  0   9 * *   MON ", "2026-11-30T09:00:00Z"],
  ["0 0 L * *", "2026-11-30T00:00:00Z"],
  ["0 0 * * FRIL", "2026-11-27T00:00:00Z"],
  ["0 0 29 2 *", "2028-02-29T00:00:00Z"],
  ["30 59 23 31 DEC ?", "2026-12-31T23:59:30Z"],
  // A 29 February that is a Monday comes every 28 years, and 40 apart over 2100.
  ["0 0 29 2 +MON", "2044-02-29T00:00:00Z"],
])("%j comes next at %s", (text, expected) => {
  const parsed = parseCron(text);
  const next = parsed.ok ? nextLocal(parsed.cron, Date.UTC(2026, 10, 24, 9, 30)) : undefined;
  expect(next).toBe(Date.parse(expected));
});
