import { expect, test } from "bun:test";
import fc from "fast-check";
import { inboxNameProblem, userProblem } from "./inbox.ts";
import { encodePublicationFrame } from "./json.ts";

test.each(["$all", "$device/d_1", "$device/phone-1:a.b", "$user/ann", "$user/ann@example.com", "$user/a/b"])(
  "%j is a channel of an inbox",
  (name) => {
    expect(inboxNameProblem(name)).toBeUndefined();
  },
);

test.each([
  ["", "server's own"],
  ["all", "server's own"],
  ["$all/", "server's own"],
  ["$device", "server's own"],
  ["$devices/d_1", "server's own"],
  ["x$device/d_1", "server's own"],
  ["$device/", "device id"],
  ["$device/a/b", "device id"],
  [`$device/${"x".repeat(101)}`, "device id"],
  ["$device/a\n", "device id"],
  ["$user/", "user"],
  ["$user/a b", "user"],
  ['$user/a"', "user"],
  ["$user/a\\", "user"],
  ["$user/é", "user"],
  ["$user/a\n", "user"],
  [`$user/${"x".repeat(129)}`, "user"],
])("%j is refused: %s", (name, reason) => {
  expect(inboxNameProblem(name)).toContain(reason);
});

test("whatever names a user can stand in a frame as it is", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 128, unit: "grapheme-ascii" }), (user) => {
      fc.pre(userProblem(user) === undefined);
      expect(JSON.parse(encodePublicationFrame(`$user/${user}`, "{}")).channel).toBe(`$user/${user}`);
    }),
  );
});
