import { expect, test } from "bun:test";
import { z } from "zod";
import { grantedAccess, grantFields } from "./grants.ts";

const grants = z.strictObject(grantFields);
const isRead = (pattern: string) => grants.safeParse({ publish: [pattern] }).success;

test.each(["news", "news/*", "*", "$all", "$user/*", "$device/d_1", "$*"])("%s is a pattern", (pattern) => {
  expect(isRead(pattern)).toBe(true);
});

test.each(["", "$", "news,alerts", "news ", "a$b", "$$all", "*$all", "ä", "a\n", `$${"a".repeat(200)}`])(
  "%j is no pattern",
  (pattern) => {
    expect(isRead(pattern)).toBe(false);
  },
);

test("all channels are not those that the server keeps for devices", () => {
  const access = grantedAccess("key:1", { subscribe: ["*"], publish: ["*", "$user/*"] });
  const mayPublish = (channel: string) => access.may("publish", channel);
  expect(["news", "$user/ann", "$all", "$device/d_1"].map(mayPublish)).toEqual([true, true, false, false]);
  expect(access.may("subscribe", "$user/ann")).toBe(false);
  expect(access.may("history", "news")).toBe(false);
});
