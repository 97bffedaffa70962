import { expect, test } from "bun:test";
import { parseDuration } from "./duration.ts";

test.each([
  ["200ms", 200],
  ["5s", 5_000],
  ["5m", 300_000],
  ["2h", 7_200_000],
  ["7d", 604_800_000],
  ["0s", 0],
])("%s is %d ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(["", "5", "5x", "-5s", "5 s", "1.5s", "5S", "1h30m", " 5s", "5s\n", "1e3s", "9999999999999s"])(
  "%j is no length of time",
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);
