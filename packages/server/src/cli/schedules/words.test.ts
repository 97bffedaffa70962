import { expect, test } from "bun:test";
import type { View } from "./view.ts";
import { dataInWords, inWords, lengthOf, nextInWords, ruleInWords } from "./words.ts";

const NOW = Date.parse("2026-11-24T09:30:00Z"); // a Tuesday

test.each([
  ["2026-11-24T09:29:00Z", "now"],
  ["2026-11-24T09:30:00Z", "now"],
  ["2026-11-24T09:30:00.001Z", "in 1 s"],
  ["2026-11-24T09:30:59.000Z", "in 59 s"],
  ["2026-11-24T09:31:00Z", "in 1 min"],
  ["2026-11-24T10:29:59Z", "in 59 min"],
  ["2026-11-24T10:30:00Z", "today 10:30"],
  ["2026-11-24T23:59:59Z", "today 23:59"],
  ["2026-11-25T00:00:00Z", "tomorrow 00:00"],
  ["2026-11-26T00:00:00Z", "Thursday 00:00"],
  ["2026-11-30T23:59:59Z", "Monday 23:59"],
  ["2026-12-01T00:00:00Z", "2026-12-01 00:00"],
  ["2027-11-24T10:30:00Z", "2027-11-24 10:30"],
])("%s is said as %s", (due, said) => {
  expect(inWords(Date.parse(due), NOW, "UTC")).toBe(said);
});

test.each([
  ["Asia/Shanghai", "2026-11-24T16:00:00Z", "tomorrow 00:00"],
  ["America/Los_Angeles", "2026-11-25T07:59:00Z", "today 23:59"],
  ["Pacific/Kiritimati", "2026-11-24T10:30:00Z", "tomorrow 00:30"],
])("days are those of %s", (zone, due, said) => {
  expect(inWords(Date.parse(due), NOW, zone)).toBe(said);
});

test("the day on which the clock is set back is one day", () => {
  const beforeMs = Date.parse("2026-10-24T22:30:00Z"); // 00:30 in Berlin, on a day of 25 hours
  expect(inWords(Date.parse("2026-10-25T22:30:00Z"), beforeMs, "Europe/Berlin")).toBe("today 23:30");
  expect(inWords(Date.parse("2026-10-25T23:30:00Z"), beforeMs, "Europe/Berlin")).toBe("tomorrow 00:30");
});

test("across midnight, minutes are still minutes", () => {
  const lateMs = Date.parse("2026-11-24T23:50:00Z");
  expect(inWords(lateMs + 20 * 60_000, lateMs, "UTC")).toBe("in 20 min");
});

test.each([
  [0, "0 ms"],
  [999, "999 ms"],
  [1_000, "1.0 s"],
  [59_000, "59.0 s"],
  [60_000, "1 min"],
  [3_599_999, "59 min"],
  [3_600_000, "1 h"],
  [86_400_000, "1 d"],
])("%i is %s", (ms, said) => {
  expect(lengthOf(ms)).toBe(said);
});

const view = {
  id: "a",
  channel: "news",
  data: "Tea",
  timeZone: "Asia/Tokyo",
  enabled: true,
  createdAt: "2026-11-24T09:30:00.000Z",
  runs: 0,
  nextDueAt: "2026-11-24T09:33:00.000Z",
} satisfies View;

test.each([
  [{ every: "300000ms" }, "every 5m"],
  [{ every: "90s" }, "every 90s"],
  [{ every: "1500ms" }, "every 1500ms"],
  [{ every: "48h", align: true }, "every 2d, aligned"],
  [{ every: "60m", align: false }, "every 1h"],
  [{ every: "in a later version" }, "every in a later version"],
  [{ cron: "0 9 * * 1-5" }, "0 9 * * 1-5 in Asia/Tokyo"],
  [{ at: "2026-12-24T18:00:00Z" }, "once"],
  [{ delay: "1h" }, "once"],
])("the rule %j is said as %s", (rule, said) => {
  expect(ruleInWords({ ...view, ...rule })).toBe(said);
});

test("why there is no next run", () => {
  expect(nextInWords(view, NOW)).toBe("in 3 min");
  expect(nextInWords({ ...view, enabled: false, nextDueAt: null }, NOW)).toBe("paused");
  expect(nextInWords({ ...view, nextDueAt: null }, NOW)).toBe("ended");
});

test("JSON is told as JSON", () => {
  expect(dataInWords(view)).toBe("Tea");
  expect(dataInWords({ ...view, data: { n: [1] } })).toBe('{"n":[1]}');
});
