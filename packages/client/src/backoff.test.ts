import { expect, test } from "bun:test";
import fc from "fast-check";
import { backoffMs } from "./backoff.ts";

const attempts = fc.nat({ max: 100_000 });
const dice = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("a wait is never a busy loop and never longer than 20 s", () => {
  fc.assert(
    fc.property(attempts, dice, (attempt, random) => {
      const waitMs = backoffMs(attempt, random);
      expect(waitMs).toBeGreaterThanOrEqual(100);
      expect(waitMs).toBeLessThanOrEqual(20_000);
    }),
  );
});

test("the window doubles until it is 20 s wide, and the whole of it is used", () => {
  const almostOne = 1 - Number.EPSILON;
  const widest = [0, 1, 2, 3, 4, 5, 6, 7].map((attempt) => Math.round(backoffMs(attempt, almostOne)));
  expect(widest).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000]);
  expect(backoffMs(7, 0)).toBe(100);
});
