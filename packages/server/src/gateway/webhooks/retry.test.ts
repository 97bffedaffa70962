import { expect, test } from "bun:test";
import fc from "fast-check";
import { askedWait, MAX_ATTEMPTS, verdictOn, waitAfter } from "./retry.ts";

const nowMs = Date.UTC(2026, 10, 24, 9, 30, 0);

test("the waits grow threefold; with full jitter the last attempt comes 46 minutes after the first, 91 at most", () => {
  const failures = Array.from({ length: MAX_ATTEMPTS - 1 }, (_, index) => index + 1);
  expect(failures.map((count) => waitAfter(count, 1) / 1_000)).toEqual([5, 15, 45, 135, 405, 1_215, 3_645]);
  const total = (random: number) =>
    failures.reduce((sum, count) => sum + waitAfter(count, random), 0) / 60_000;
  expect(total(0)).toBe(0);
  expect(total(0.5)).toBeCloseTo(45.5, 1);
  expect(total(1)).toBeCloseTo(91.1, 1);
});

test.each([
  [200, "delivered"],
  [204, "delivered"],
  [299, "delivered"],
  [301, "dead"],
  [307, "dead"],
  [400, "dead"],
  [404, "dead"],
  [410, "dead"],
  [429, "again"],
  [500, "again"],
  [503, "again"],
  [599, "again"],
] as const)("%i: %s", (status, verdict) => {
  expect(verdictOn(status)).toBe(verdict);
});

test.each([
  [null, 0],
  ["", 0],
  ["0", 0],
  ["7", 7_000],
  [" 7 ", 7_000],
  ["3600", 3_600_000],
  ["3601", 3_600_000],
  ["999999999999999999999", 3_600_000],
  ["-5", 0],
  ["1.5", 0],
  ["soon", 0],
  ["Tue, 24 Nov 2026 09:30:30 GMT", 30_000],
  ["Tue, 24 Nov 2026 09:29:30 GMT", 0],
  ["Tue, 24 Nov 2099 09:30:30 GMT", 3_600_000],
  ["99", 99_000],
])("Retry-After: %p asks for %i ms", (header, ms) => {
  expect(askedWait(header, nowMs)).toBe(ms);
});

test("whatever a receiver writes there, the wait is a number within an hour", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.date().map(String), fc.nat().map(String)), (header) => {
      const ms = askedWait(header, nowMs);
      expect(ms).toBeWithin(0, 3_600_001);
    }),
  );
});
