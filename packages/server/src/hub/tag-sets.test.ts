import { expect, test } from "bun:test";
import { NO_TAGS, TagSets } from "./tag-sets.ts";

test("devices with the same tags, in whatever order, share one set", () => {
  const sets = new TagSets();
  const one = sets.hold(["a", "b"]);
  expect(sets.hold(["b", "a"])).toBe(one);
  expect(sets.hold(["a"]).key).not.toBe(one.key);
  expect(sets.hold([])).toBe(NO_TAGS);
  expect(sets.hold()).toBe(NO_TAGS);
});

test("a set is kept as long as somebody holds it, and never comes back under its old name", () => {
  const sets = new TagSets();
  const one = sets.hold(["a"]);
  sets.hold(["a"]);
  sets.release(one);
  expect(sets.hold(["a"])).toBe(one);
  sets.release(one);
  sets.release(one);
  expect(sets.hold(["a"]).key).not.toBe(one.key);
  sets.release(NO_TAGS);
});
