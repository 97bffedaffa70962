import { expect, test } from "bun:test";
import fc from "fast-check";
import { channelNameProblem } from "./channel.ts";

test.each(["push", "a", "A-Z_0.9:/@~", "news/eu/1", "..a", "x".repeat(200), "user:42@home"])(
  "%j is a name",
  (name) => {
    expect(channelNameProblem(name)).toBeUndefined();
  },
);

test.each([
  ["", "empty"],
  ["x".repeat(201), "at most 200"],
  ["$all", "begin with $"],
  ["a b", "made of"],
  ["新闻", "made of"],
  ["a\n", "made of"],
  ["a//b", "dot-only"],
  ["/a", "dot-only"],
  ["a/", "dot-only"],
  ["a/../b", "dot-only"],
  [".", "dot-only"],
])("%j is refused: %s", (name, reason) => {
  expect(channelNameProblem(name)).toContain(reason);
});

test("a name survives as a URL path", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9_.:/@~-]{1,60}$/), (name) => {
      fc.pre(channelNameProblem(name) === undefined);
      expect(new URL(`/v1/channels/${name}/messages`, "http://h").pathname).toBe(
        `/v1/channels/${name}/messages`,
      );
    }),
  );
});
