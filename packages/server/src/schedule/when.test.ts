import { expect, test } from "bun:test";
import fc from "fast-check";
import { nextDue } from "./when.ts";

const ms = fc.integer({ min: 0, max: 10 ** 13 });
const every = fc.integer({ min: 1_000, max: 366 * 86_400_000 });

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
