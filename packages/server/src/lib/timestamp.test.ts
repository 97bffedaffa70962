import { expect, test } from "bun:test";
import { isTimeZone, timestampFormat } from "./timestamp.ts";

const at = Date.UTC(2026, 10, 24, 9, 30, 0);

test.each([
  ["UTC", "2026-11-24 09:30:00"],
  ["Asia/Shanghai", "2026-11-24 17:30:00"],
  ["America/New_York", "2026-11-24 04:30:00"],
  ["Asia/Kathmandu", "2026-11-24 15:15:00"],
])("in %s it is %s", (zone, text) => {
  expect(timestampFormat(zone)(at)).toBe(text);
});

test("midnight is 00, and the cache ends with its second", () => {
  const format = timestampFormat("UTC");
  const midnight = Date.UTC(2026, 0, 1);
  expect(format(midnight + 999)).toBe("2026-01-01 00:00:00");
  expect(format(midnight + 1_000)).toBe("2026-01-01 00:00:01");
  expect(format(midnight - 1)).toBe("2025-12-31 23:59:59");
});

test("unknown zones are told apart", () => {
  expect(isTimeZone("Europe/Berlin")).toBe(true);
  expect(isTimeZone("Mars/Olympus")).toBe(false);
  expect(isTimeZone("")).toBe(false);
});
