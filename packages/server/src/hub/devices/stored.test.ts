import { expect, test } from "bun:test";
import fc from "fast-check";
import { EngineError } from "../../engine/engine.ts";
import { keepDevice, labelsOf, publicPart, readDevice, type StoredDevice } from "./stored.ts";

const text = fc.string({ maxLength: 20 });
const keys = fc.record({ p256dh: text, auth: text });
const name = fc.oneof(fc.constantFrom("__proto__", "constructor", "$all", "$device", "$user", "news"), text);
const wanted = fc.record(
  { push: fc.boolean(), quietHours: fc.record({ from: text, to: text }) },
  { requiredKeys: ["push"], noNullPrototype: true },
);
const device = fc
  .record(
    {
      platform: text,
      appVersion: text,
      locale: text,
      timeZone: text,
      tags: fc.array(text),
      user: text,
      webPush: fc.record({ endpoint: text, keys }, { noNullPrototype: true }),
      unifiedPush: fc.record({ endpoint: text, keys }, { requiredKeys: ["endpoint"], noNullPrototype: true }),
      grants: fc.constant({ subscribe: ["news/*"] }),
      hash: fc.constant("a".repeat(43)),
      by: text,
      id: text,
      isRegistered: fc.boolean(),
      createdAtMs: fc.nat(),
      lastSeenMs: fc.nat(),
      subscriptions: fc.array(fc.tuple(name, wanted)).map((list) => Object.fromEntries(list)),
    },
    {
      requiredKeys: ["id", "isRegistered", "createdAtMs", "lastSeenMs", "subscriptions"],
      noNullPrototype: true,
    },
  )
  .map((made) => made as StoredDevice);

test("what is kept is what was said", () => {
  fc.assert(
    fc.property(device, (made) => {
      const { data = "", expect: _, ...record } = keepDevice(made, null);
      expect(record.dueMs).toBe(made.lastSeenMs);
      const read = readDevice({ kind: record.kind, id: record.id, data });
      // By entries, as one may be called __proto__.
      const { subscriptions, ...rest } = made;
      const { subscriptions: kept, ...others } = read;
      expect(others).toStrictEqual(JSON.parse(JSON.stringify(rest)));
      expect(JSON.stringify(Object.entries(kept))).toBe(JSON.stringify(Object.entries(subscriptions)));
    }),
  );
});

const on = { push: true };
const off = { push: false };
const plain: StoredDevice = {
  id: "d",
  isRegistered: true,
  createdAtMs: 1,
  lastSeenMs: 1,
  hash: "h",
  by: "admin",
  subscriptions: { news: on, chat: off, $all: off, $user: on },
};

test("it is found by what is said of it", () => {
  const endpoint = "https://push.example/1";
  const labels = labelsOf({ ...plain, user: "ann", tags: ["a", "b"], unifiedPush: { endpoint } });
  const expected = ["registered", "user:ann", "tag:a", "tag:b", "channel:news", "off:$all", "endpoint"];
  expect(labels.toSorted()).toEqual(expected.toSorted());
  expect(labelsOf({ ...plain, isRegistered: false, user: "ann", tags: ["a"] })).toEqual(["channel:news"]);
});

test("nobody sees its hash, or who made it", () => {
  const { hash: _, by: _by, ...rest } = plain;
  expect(publicPart(plain)).toStrictEqual(rest);
});

test.each([
  ["is no JSON", () => "{"],
  ["has another hash", (data: object) => JSON.stringify({ ...data, hash: "x" })],
  ["says what only a later version knows", (data: object) => JSON.stringify({ ...data, addresses: [] })],
])("one that %s is not guessed at", (_, spoil) => {
  const { data = "{}" } = keepDevice({ ...plain, hash: "a".repeat(43) }, null);
  const spoilt = spoil(JSON.parse(data));
  expect(() => readDevice({ kind: "device", id: "d", data: spoilt, labels: [] })).toThrow(EngineError);
});
