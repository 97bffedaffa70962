import { expect, test } from "bun:test";
import { parseRetention } from "./retention.ts";

function retentionOf(text: string) {
  const parsed = parseRetention(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.retentionOf;
}

test("the first rule that fits counts", () => {
  const of = retentionOf("news/* 7d 1000 10MB, audit/*,  * 30d 100000");
  expect(of("news/a")).toEqual({ maxAgeMs: 7 * 86_400_000, maxCount: 1_000, maxBytes: 10_000_000 });
  expect(of("audit/a")).toEqual({});
  expect(of("news")).toEqual({ maxAgeMs: 30 * 86_400_000, maxCount: 100_000 });
});

test("what no rule fits is kept without bound", () => {
  expect(retentionOf("a 5")("b")).toEqual({});
  expect(retentionOf("")("b")).toEqual({});
});

test.each([
  ["a 5 6", '"6"'],
  ["a 1h 2h", '"2h"'],
  ["a 5, b 7x", "b 7x"],
  ["* 0", '"0" would keep nothing'],
  ["* 0MB", "would keep nothing"],
  ["* -1", '"-1"'],
  ["* 1.5GB", '"1.5GB"'],
])("%s: the problem names %s", (text, named) => {
  const parsed = parseRetention(text);
  expect(parsed.ok ? "" : parsed.problem).toContain(named);
});
