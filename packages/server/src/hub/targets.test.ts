import { expect, test } from "bun:test";
import { userProblem } from "@carillon/protocol/inbox";
import fc from "fast-check";
import { addressOf, parseTarget, type Target, targetText } from "./targets.ts";

const read = (text: string): Target | string => {
  const parsed = parseTarget(text);
  return parsed.ok ? parsed.target : parsed.problem;
};

test.each<[string, Target, string, string | undefined]>([
  ["device:d_1", { kind: "device", id: "d_1" }, "$device/d_1", undefined],
  ["user:ann@example.org", { kind: "user", user: "ann@example.org" }, "$user/ann@example.org", undefined],
  ["channel:news/berlin", { kind: "channel", channel: "news/berlin" }, "news/berlin", undefined],
  ["everyone", { kind: "everyone" }, "$all", undefined],
  ["tag:a", { kind: "tags", expression: "tag:a" }, "$all", "tag:a"],
  [" !( tag:a&tag:b)", { kind: "tags", expression: "!(tag:a & tag:b)" }, "$all", "!(tag:a & tag:b)"],
])("%s is written to %j in %s, for %p", (text, target, channel, expression) => {
  expect(read(text)).toEqual(target);
  expect(addressOf(target)).toEqual({ channel, ...(expression !== undefined && { target: expression }) });
});

test.each([
  ["", "device:ID, user:ID, channel:NAME, tag:NAME or everyone is expected"],
  ["Everyone", "is expected"],
  ["everyone ", "is expected"],
  ["news", "is expected"],
  ["group:admins", "is expected"],
  ["constructor:x", "is expected"],
  ["device:", "device"],
  ["device:a/b", "device"],
  ["device:$x", "device"],
  ["user:", "a user is named by"],
  ["user:a b", "a user is named by"],
  ['user:a"', "a user is named by"],
  ["user:a\\b", "a user is named by"],
  ["user:é", "a user is named by"],
  ["user:ann\n", "a user is named by"],
  [`user:${"a".repeat(129)}`, "a user is named by"],
  ["channel:$all", "channel names that begin with $"],
  ["channel:$device/x", "channel names that begin with $"],
  ["channel:", "cannot be empty"],
  ["channel:news\n", "a channel name is made of"],
  ["tag:a & user:ann", "expected tag:NAME"],
  ["tag:a & everyone", "expected tag:NAME"],
])("%j is refused, saying why", (text, problem) => {
  expect(read(text)).toContain(problem);
});

const user = fc.string({
  unit: fc.constantFrom(..."aZ09!#$&'()*+,-./:;<=>?@[]^_`{|}~"),
  minLength: 1,
  maxLength: 128,
});
const channel = fc.constantFrom("news", "a/b", "A.b~c_d-e:f@g");
const targets: fc.Arbitrary<Target> = fc.oneof(
  fc.constantFrom("d_1", "phone.1", "a:b").map((id): Target => ({ kind: "device", id })),
  user.map((name): Target => ({ kind: "user", user: name })),
  channel.map((name): Target => ({ kind: "channel", channel: name })),
  fc
    .constantFrom("tag:a", "!tag:a", "(tag:a | tag:b) & tag:c")
    .map((expression): Target => ({ kind: "tags", expression })),
  fc.constant<Target>({ kind: "everyone" }),
);

test("what is written is read as the same", () => {
  fc.assert(fc.property(targets, (target) => expect(read(targetText(target))).toEqual(target)));
});

test("only one kind of target reaches each channel", () => {
  fc.assert(
    fc.property(targets, targets, (one, other) => {
      const [from, to] = [addressOf(one), addressOf(other)];
      if (from.channel !== to.channel || from.target !== to.target) return;
      expect(one).toEqual(other);
    }),
  );
});

test("any text is read or refused, never thrown at", () => {
  const start = fc.constantFrom("", "device:", "user:", "channel:", "tag:", "everyone", "!(", "$");
  fc.assert(
    fc.property(start, fc.string({ unit: "binary" }), (kind, rest) => {
      const parsed = parseTarget(kind + rest);
      if (parsed.ok) expect(read(targetText(parsed.target))).toEqual(parsed.target);
      else expect(parsed.problem).not.toBe("");
    }),
    { numRuns: 2_000 },
  );
});

test("a million characters are refused at once", () => {
  for (const text of ["(", "!", "user:", "tag:a&", " ", "device:a\n"])
    expect(read(text.repeat(1_000_000))).toBeString();
});

test("users are told from other texts", () => {
  expect(userProblem("auth0|5f7c8ec7c33c6c004bbafe82")).toBeUndefined();
  expect(userProblem("a\u007f")).toBeDefined();
});
