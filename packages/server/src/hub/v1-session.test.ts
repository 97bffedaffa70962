import { expect, test } from "bun:test";
import { MAX_SUBSCRIPTIONS } from "@carillon/protocol/limits";
import { EngineError } from "../engine/engine.ts";
import { ADMIN_KEY, override, settle, setUpHub } from "./testing/hub-set-up.ts";
import { connected, received, say } from "./testing/v1-client.ts";

test("connect says who and where; nothing else comes first, and not twice", async () => {
  const hub = await setUpHub();
  const client = hub.connectV1();
  expect(await say(client, { type: "ping", id: 7 })).toMatchObject([
    { type: "error", id: 7, code: "not_connected" },
  ]);
  expect(await say(client, { type: "connect", id: 1 })).toMatchObject([
    {
      type: "connected",
      id: 1,
      session: client.session.info.id,
      defaultChannel: "push",
      maxFrameBytes: 65_536,
    },
  ]);
  expect(await say(client, { type: "connect", id: 2 })).toMatchObject([{ id: 2, code: "already_connected" }]);
  expect(await say(client, { type: "ping", id: 3 })).toEqual([{ type: "pong", id: 3 }]);
});

test("a wrong token is told so and not to come back; one that says nothing is closed", async () => {
  const hub = await setUpHub();
  const client = hub.connectV1();
  expect(await say(client, { type: "connect", id: 1, token: "guess" })).toMatchObject([
    { code: "invalid_token" },
  ]);
  expect(client.outbound.ended).toBe(4500);
  const silent = hub.connectV1();
  hub.clock.advance(15_000);
  expect(silent.outbound.ended).toBe(4001);
});

test.each([
  [{ type: "subscribe", channel: "news" }],
  [{ type: "publish", channel: "push", data: "x" }],
  [{ type: "history", channel: "news" }],
  [{ type: "presence", channel: "push" }],
])("without a token, %j is forbidden", async (command) => {
  const hub = await setUpHub();
  const client = await connected(hub, {});
  expect(await say(client, { id: 2, ...command })).toMatchObject([
    { type: "error", id: 2, code: "forbidden" },
  ]);
});

test("subscribed without a position, it starts from now", async () => {
  const hub = await setUpHub();
  await hub.publish("before");
  const client = await connected(hub, {});
  const [reply] = await say(client, { type: "subscribe", id: 2, channel: "push" });
  expect(reply).toMatchObject({ type: "subscribed", position: { offset: 1 } });
  await hub.publish("after");
  expect(received(client)).toEqual(["after"]);
});

test("with a position, what it missed comes first, in pages, and then what is new", async () => {
  const hub = await setUpHub();
  for (let n = 1; n <= 1_234; n++) await hub.publish(String(n));
  const client = await connected(hub);
  const { epoch } = await hub.engine.top("push");
  const all = say(client, { type: "subscribe", id: 2, channel: "push", position: { epoch, offset: 200 } });
  await hub.publish("1235");
  const pages = (await all).filter(({ type }) => type === "page");
  expect(pages.length).toBeGreaterThanOrEqual(3);
  await hub.publish("1236");
  expect(received(client)).toEqual(Array.from({ length: 1_036 }, (_, n) => String(n + 201)));
});

test("clients that return together share reads and encodings", async () => {
  let reads = 0;
  const hub = await setUpHub((engine) =>
    override(engine, {
      read: (channel, request) => {
        reads += 1;
        return engine.read(channel, request);
      },
    }),
  );
  for (let n = 1; n <= 300; n++) await hub.publish(String(n));
  const { epoch } = await hub.engine.top("push");
  const clients = await Promise.all(Array.from({ length: 50 }, () => connected(hub)));
  const command = { type: "subscribe", id: 2, channel: "push", position: { epoch, offset: 0 } };
  await Promise.all(clients.map((client) => say(client, command)));
  for (const client of clients) expect(received(client)).toHaveLength(300);
  expect(reads).toBe(1);
});

test("a position of another log gets everything kept and is told why; one from the future is an error", async () => {
  const hub = await setUpHub();
  await hub.publish("1");
  const { epoch } = await hub.engine.top("push");
  const client = await connected(hub);
  const command = { type: "subscribe", channel: "push" };
  expect(await say(client, { ...command, id: 2, position: { epoch, offset: 9 } })).toMatchObject([
    { type: "error", id: 2, code: "future_position" },
  ]);
  const [reply] = await say(client, { ...command, id: 3, position: { epoch: "other", offset: 9 } });
  expect(reply).toMatchObject({
    type: "subscribed",
    gap: { reason: "epoch" },
    position: { epoch, offset: 1 },
  });
  expect(received(client)).toEqual(["1"]);
});

test("subscribed twice, or not at all; bad names; too many", async () => {
  const hub = await setUpHub();
  const client = await connected(hub);
  await say(client, { type: "subscribe", id: 2, channel: "a" });
  expect(await say(client, { type: "subscribe", id: 3, channel: "a" })).toMatchObject([
    { code: "already_subscribed" },
  ]);
  expect(await say(client, { type: "unsubscribe", id: 4, channel: "b" })).toMatchObject([
    { code: "not_subscribed" },
  ]);
  expect(await say(client, { type: "subscribe", id: 5, channel: "$others" })).toMatchObject([
    { code: "invalid_channel" },
  ]);
  for (let n = 1; n < MAX_SUBSCRIPTIONS; n++) {
    if (n % 500 === 0) hub.clock.advance(1_000);
    client.session.receive(JSON.stringify({ type: "subscribe", id: n + 10, channel: `c${n}` }));
  }
  hub.clock.advance(1_000);
  await settle();
  expect(await say(client, { type: "subscribe", id: 9_999, channel: "one-more" })).toMatchObject([
    { id: 9_999, code: "too_many_subscriptions" },
  ]);
  expect(client.outbound.ended).toBeUndefined();
});

test("subscribed again with a position, it starts anew from there and lives on once", async () => {
  const hub = await setUpHub();
  const { epoch } = await hub.engine.top("a");
  const client = await connected(hub);
  await say(client, { type: "subscribe", id: 2, channel: "a" });
  await hub.publish("1", "a");
  const again = { type: "subscribe", id: 3, channel: "a", position: { epoch, offset: 0 } };
  expect((await say(client, again))[0]).toMatchObject({
    type: "subscribed",
    id: 3,
    from: { epoch, offset: 0 },
  });
  await hub.publish("2", "a");
  expect(received(client)).toEqual(["1", "1", "2"]);
  expect(await say(client, { type: "presence", id: 4, channel: "a" })).toMatchObject([{ count: 1 }]);
});

test("unsubscribed, nothing comes; subscribed again, from now", async () => {
  const hub = await setUpHub();
  const client = await connected(hub, { token: ADMIN_KEY, device: "phone" });
  await say(client, { type: "subscribe", id: 2, channel: "push" });
  await hub.publish("1");
  expect(await say(client, { type: "unsubscribe", id: 3, channel: "push" })).toEqual([
    { type: "unsubscribed", id: 3, channel: "push" },
  ]);
  await hub.publish("2");
  await say(client, { type: "subscribe", id: 4, channel: "push" });
  await hub.publish("3");
  expect(received(client)).toEqual(["1", "3"]);
});

test("publish is answered when it is kept, with where it is; a repeated key with the first result", async () => {
  const hub = await setUpHub();
  const client = await connected(hub);
  const command = { type: "publish", channel: "news", data: { a: [1, null] }, idempotencyKey: "k" };
  const [first] = await say(client, { ...command, id: 2 });
  expect(first).toMatchObject({ type: "published", id: 2, channel: "news", offset: 1 });
  const [repeat] = await say(client, { ...command, id: 3, data: "other" });
  expect(repeat).toEqual({ ...first, id: 3, duplicate: true });
  const [unstored] = await say(client, { ...command, id: 4, idempotencyKey: undefined, ttl: 0 });
  expect(unstored?.["offset"]).toBeUndefined();
  const [history] = await say(client, { type: "history", id: 5, channel: "news" });
  expect(history).toMatchObject({
    type: "history",
    to: 1,
    more: false,
    publications: [{ data: { a: [1, null] } }],
  });
});

test("a ttl of 0 reaches those who are here; an expired one nobody", async () => {
  const hub = await setUpHub();
  const client = await connected(hub);
  await say(client, { type: "subscribe", id: 2, channel: "push" });
  await say(client, { type: "publish", id: 3, channel: "push", data: "now", ttl: 0 });
  await say(client, { type: "publish", id: 4, channel: "push", data: "soon", ttl: 5 });
  expect(received(client)).toEqual(["now", "soon"]);
  const { epoch } = await hub.engine.top("push");
  hub.clock.advance(5_000);
  const late = await connected(hub);
  await say(late, { type: "subscribe", id: 2, channel: "push", position: { epoch, offset: 0 } });
  expect(received(late)).toEqual([]);
});

test("of those with one collapse key, a returning client gets the last", async () => {
  const hub = await setUpHub();
  const client = await connected(hub);
  for (const data of ["1", "2", "3"]) {
    await say(client, { type: "publish", id: 2, channel: "push", data, collapseKey: "score" });
  }
  const { epoch } = await hub.engine.top("push");
  await say(client, { type: "subscribe", id: 3, channel: "push", position: { epoch, offset: 0 } });
  expect(received(client)).toEqual(["3"]);
});

test("presence: who is there, and who comes and goes where a channel says so", async () => {
  const hub = await setUpHub();
  const one = await connected(hub, { token: ADMIN_KEY, device: "d1" });
  const other = await connected(hub);
  await say(
    one,
    { type: "subscribe", id: 2, channel: "rooms/1" },
    { type: "subscribe", id: 3, channel: "push" },
  );
  const before = one.outbound.frames.length;
  await say(
    other,
    { type: "subscribe", id: 2, channel: "rooms/1" },
    { type: "subscribe", id: 3, channel: "push" },
  );
  expect(await say(other, { type: "presence", id: 4, channel: "rooms/1" })).toMatchObject([
    { type: "presence", count: 2, members: [{ session: one.session.info.id, device: "d1" }, {}] },
  ]);
  other.outbound.close(1000, "");
  expect(one.outbound.frames.slice(before).map((frame) => JSON.parse(frame))).toEqual([
    { type: "join", channel: "rooms/1", member: { session: other.session.info.id } },
    { type: "leave", channel: "rooms/1", member: { session: other.session.info.id } },
  ]);
});

test("while the engine fails, publishes are refused, live pushes go on, and connections live", async () => {
  let broken = false;
  const fail = () => Promise.reject(new EngineError("unavailable", "disk full"));
  const hub = await setUpHub((engine) =>
    override(engine, {
      publish: (items) => (broken && items.some(({ stored }) => stored) ? fail() : engine.publish(items)),
      top: (channel) => (broken ? fail() : engine.top(channel)),
      read: (channel, request) => (broken ? fail() : engine.read(channel, request)),
      positionsOf: (device) => (broken ? fail() : engine.positionsOf(device)),
      savePositions: (positions) => (broken ? fail() : engine.savePositions(positions)),
    }),
  );
  const client = await connected(hub);
  await say(client, { type: "subscribe", id: 2, channel: "push" });
  broken = true;
  const publish = { type: "publish", channel: "push", data: "x" };
  expect(await say(client, { ...publish, id: 3 })).toMatchObject([{ id: 3, code: "storage_unavailable" }]);
  expect(await say(client, { type: "subscribe", id: 4, channel: "news" })).toMatchObject([
    { id: 4, code: "storage_unavailable" },
  ]);
  const text = hub.connect({ device: "phone" });
  await settle();
  await say(client, { ...publish, id: 5, ttl: 0 });
  expect([received(client), text.outbound.frames]).toEqual([["x"], ["x"]]);
  broken = false;
  expect(await say(client, { type: "subscribe", id: 6, channel: "news" })).toMatchObject([
    { type: "subscribed" },
  ]);
});

test("what cannot be read is answered, and nobody else notices", async () => {
  const hub = await setUpHub();
  const client = await connected(hub);
  const witness = await connected(hub);
  await say(witness, { type: "subscribe", id: 2, channel: "push" });
  for (const frame of ["", "null", "[]", "{", '{"type":"__proto__","id":1}', "[".repeat(60_000)]) {
    const before = client.outbound.frames.length;
    client.session.receive(frame);
    expect(JSON.parse(client.outbound.frames[before] ?? "")).toMatchObject({
      type: "error",
      code: "bad_frame",
    });
  }
  await hub.publish("still here");
  expect(client.outbound.ended).toBeUndefined();
  expect(received(witness)).toEqual(["still here"]);
});
