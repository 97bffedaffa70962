import { expect, test } from "bun:test";
import fc from "fast-check";
import { channelPatterns, pattern } from "./pattern.ts";

test("a star stands for any characters", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[ab*]{0,8}$/), fc.stringMatching(/^[ab]{0,10}$/), (text, name) => {
      const oracle = new RegExp(`^${text.replaceAll("*", ".*")}$`);
      expect(pattern(text)(name)).toBe(oracle.test(name));
    }),
  );
});

test("a list fits what one of it fits; an empty one fits nothing", () => {
  const fits = channelPatterns("rooms/*, lobby");
  expect(["rooms/1", "lobby", "room", ""].map(fits)).toEqual([true, true, false, false]);
  expect(channelPatterns("")("x")).toBe(false);
});

test("names that begin with $ are meant only by patterns that do", () => {
  const names = ["$all", "$device/d_1", "$user/ann", "all"];
  const fitting = (list: string) => names.filter(channelPatterns(list));
  expect(fitting("*, *all, **, *device/*, *$all")).toEqual(["all"]);
  expect(fitting("$*")).toEqual(["$all", "$device/d_1", "$user/ann"]);
  expect(fitting("*, $user/*")).toEqual(["$user/ann", "all"]);
  expect(fitting("$all")).toEqual(["$all"]);
});
