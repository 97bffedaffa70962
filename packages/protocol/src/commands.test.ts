import { expect, test } from "bun:test";
import type { ErrorCode } from "./frames.ts";
import { parseCommand } from "./json.ts";

/** Each type of command with nothing but what it needs. */
const LEAST = {
  connect: { id: 1 },
  subscribe: { id: 1, channel: "news" },
  unsubscribe: { id: 1, channel: "news" },
  publish: { id: 1, channel: "news", data: 0 },
  history: { id: 1, channel: "news" },
  presence: { id: 1, channel: "news" },
  ping: { id: 1 },
  ack: { channel: "news", position: { epoch: "e", offset: 0 } },
  switch: { id: 1, channel: "news" },
  read: { id: 1, channel: "news", publications: ["a"] },
} as const;
type Type = keyof typeof LEAST;

const problemOf = (type: Type, fields: object) => {
  const parsed = parseCommand(JSON.stringify({ type, ...LEAST[type], ...fields }));
  return parsed.ok ? undefined : parsed.error;
};

const types = Object.keys(LEAST) as Type[];
const needed = types.flatMap((type) => Object.keys(LEAST[type]).map((field) => [type, field] as const));

test.each(needed)("%s needs %s", (type, field) => {
  const problem = problemOf(type, { [field]: undefined });
  expect(problem?.code).toBe("bad_field");
  expect(problem?.message).toStartWith(`${field}: expected `);
});

const TEXT = [1, null, true, [], {}, ""];
const ID = [0, -1, 1.5, "1", null, Number.MAX_SAFE_INTEGER + 1, [1], {}, true];
const OFFSET = [
  -1,
  0.5,
  "1",
  null,
  Number.MAX_SAFE_INTEGER + 1,
  {},
  [1, 2],
  [1, 2, 3, 4],
  [1, 2, "3"],
  [1, 2, -1],
];
const POSITION = [
  1,
  "e:1",
  null,
  [],
  ["e", 1],
  {},
  { epoch: "e" },
  { offset: 1 },
  { epoch: "", offset: 1 },
  { epoch: "e".repeat(65), offset: 1 },
  { epoch: 1, offset: 1 },
  ...OFFSET.map((offset) => ({ epoch: "e", offset })),
];
const CHANNEL = [1, null, true, ["news"], {}];
const BAD: Readonly<Record<Type, Readonly<Record<string, readonly unknown[]>>>> = {
  connect: {
    id: ID,
    token: [...TEXT, "x".repeat(8_193)],
    device: [...TEXT, "x".repeat(101), "a b", "a\n", "é"],
    client: [...TEXT, "x".repeat(201)],
    urgentFirst: [false, 1, null, "true", {}],
  },
  subscribe: { id: ID, channel: CHANNEL, position: POSITION },
  unsubscribe: { id: ID, channel: CHANNEL },
  publish: {
    id: ID,
    channel: CHANNEL,
    ttl: [-1, 1.5, "1", null, 31_536_001, true, []],
    urgency: [...TEXT, "urgent", "High", "toString"],
    collapseKey: [...TEXT, "x".repeat(33), "a b", "a.b", "é"],
    idempotencyKey: [...TEXT, "x".repeat(201), "a\n", "é"],
    tags: [1, null, "a", {}, [1], [""], [null], ["x".repeat(65)], Array(17).fill("a")],
  },
  history: {
    id: ID,
    channel: CHANNEL,
    after: [-1, 0.5, "1", null, [1, 2, 3]],
    limit: [0, -1, 1.5, "1", null, 1_001],
  },
  presence: { id: ID, channel: CHANNEL },
  ping: { id: ID },
  ack: { channel: CHANNEL, position: POSITION },
  switch: {
    id: ID,
    channel: CHANNEL,
    push: [0, 1, null, "true", {}],
    quietHours: [
      1,
      true,
      "22:00",
      [],
      ["22:00", "07:00"],
      {},
      { from: "22:00" },
      { to: "07:00" },
      { from: "22:00", to: "22:00" },
      ...["24:00", "9:00", "09:60", "0900", "09:00:00", "09:00\n", "", 9, null].flatMap((at) => [
        { from: at, to: "07:00" },
        { from: "22:00", to: at },
      ]),
    ],
  },
  read: {
    id: ID,
    channel: CHANNEL,
    publications: [1, null, "a", {}, [], [1], [""], ["x".repeat(65)], Array(101).fill("a")],
  },
};

const bad = types.flatMap((type) =>
  Object.entries(BAD[type]).flatMap(([field, values]) =>
    values.map((value) => [type, field, value] as const),
  ),
);

test.each(bad)("%s with %s %j is told which field", (type, field, value) => {
  const problem = problemOf(type, { [field]: value });
  expect(problem?.code).toBe("bad_field");
  expect(problem?.message).toStartWith(`${field}: expected `);
  // So that the client finds the promise that waits for it.
  expect(problem?.id).toBe(field === "id" || type === "ack" ? undefined : 1);
});

const GOOD: readonly (readonly [Type, object])[] = [
  [
    "connect",
    { id: Number.MAX_SAFE_INTEGER, token: "x".repeat(8_192), device: "a-Z_0.9:", client: "x".repeat(200) },
  ],
  ["subscribe", { position: { epoch: "e".repeat(64), offset: Number.MAX_SAFE_INTEGER } }],
  ["publish", { ttl: 0, data: false, collapseKey: "x".repeat(32), idempotencyKey: " ~", tags: [] }],
  ["publish", { ttl: 31_536_000, data: "", urgency: "low", tags: Array(16).fill("x".repeat(64)) }],
  ["history", { after: 0, limit: 1_000 }],
  ["switch", { push: false, quietHours: null }],
  ["switch", { quietHours: { from: "00:00", to: "23:59" } }],
  ["read", { publications: Array(100).fill("x".repeat(64)) }],
];
test.each(GOOD)("%s with %j is one", (type, fields) => {
  expect(problemOf(type, fields)).toBeUndefined();
});

test.each(types.filter((type) => "channel" in LEAST[type]))("%s names a wrong channel's problem", (type) => {
  for (const channel of ["", "$", "$other", "$device/", "a b", "a//b", "x".repeat(201)]) {
    expect(problemOf(type, { channel })?.code).toBe("invalid_channel");
  }
});

const OF_INBOXES: readonly Type[] = ["subscribe", "unsubscribe", "ack", "switch", "read"];
test.each(types.filter((type) => "channel" in LEAST[type]))("%s and an inbox's channel", (type) => {
  const expected = OF_INBOXES.includes(type) ? undefined : "invalid_channel";
  for (const channel of ["$all", "$device/d_1", "$user/ann@example.com"]) {
    expect(problemOf(type, { channel })?.code).toBe(expected);
  }
});

const NO_COMMAND: readonly (readonly [string, ErrorCode, number | undefined])[] = [
  ["", "bad_frame", undefined],
  ["null", "bad_frame", undefined],
  ["[]", "bad_frame", undefined],
  ['"connect"', "bad_frame", undefined],
  ["{}", "bad_frame", undefined],
  ['{"id":3}', "bad_frame", 3],
  ['{"id":3,"type":null}', "bad_frame", 3],
  ['{"id":3,"type":["ping"]}', "bad_frame", 3],
  ['{"id":3,"type":"Ping"}', "bad_frame", 3],
  ['{"id":3,"type":"connected"}', "bad_frame", 3],
  ['{"id":"3","type":"nothing"}', "bad_frame", undefined],
];
test.each(NO_COMMAND)("%s is no command: %s", (text, code, id) => {
  const parsed = parseCommand(text);
  expect(parsed.ok ? undefined : [parsed.error.code, parsed.error.id]).toEqual([code, id]);
});
