/** Access that comes late, ends, is renewed or withdrawn, on a connection that lives. */
import { expect, test } from "bun:test";
import { type Access, type Authenticated, accessOf } from "./access.ts";
import type { HubEvent } from "./events.ts";
import { testAuthenticator } from "./testing/defaults.ts";
import { ADMIN_KEY, setUpHub } from "./testing/hub-set-up.ts";
import { connected, received, say } from "./testing/v1-client.ts";

/** 2026-11-24T09:30:00Z, where the virtual clock begins. */
const START_MS = Date.parse("2026-11-24T09:30:00Z");

/** Tokens are `CHANNELS:SECONDS`, the channels separated by commas; without seconds they do not expire. */
function scripted(token: string | undefined): Authenticated {
  if (token === undefined || token === "bad") return "invalid";
  if (token === "old") return "expired";
  if (token === "later") return "unavailable";
  const [channels = "", seconds] = token.split(":");
  const names = channels.split(",");
  const fits = (channel: string) => names.includes(channel);
  const grants = { subscribe: fits, publish: fits, history: fits, presence: fits };
  return accessOf(
    `user:${channels}`,
    grants,
    seconds === undefined ? undefined : START_MS + Number(seconds) * 1e3,
  );
}

const setUp = () => setUpHub((engine) => engine, { authenticate: scripted });

test("a connection ends with its token, so that the client comes back with another", async () => {
  const hub = await setUp();
  const client = await connected(hub, { token: "news:60" });
  expect(JSON.parse(client.outbound.frames[0] ?? "")).toMatchObject({
    expiresAt: "2026-11-24T09:31:00.000Z",
  });
  const lasting = await connected(hub, { token: "news" });
  hub.clock.advance(59_000);
  expect(client.outbound.ended).toBeUndefined();
  hub.clock.advance(2_000);
  expect(client.outbound.ended).toBe(4002);
  expect(lasting.outbound.ended).toBeUndefined();
});

test("a plain-text connection ends with its token, too", async () => {
  const hub = await setUp();
  const access = scripted("push:60") as Access;
  const client = hub.connect({ access });
  hub.clock.advance(61_000);
  expect(client.outbound.ended).toBe(4002);
});

test("refresh gives more time; the subscriptions stay", async () => {
  const hub = await setUp();
  const client = await connected(hub, { token: "news:60" });
  await say(client, { type: "subscribe", id: 2, channel: "news" });
  hub.clock.advance(50_000);
  expect(await say(client, { type: "refresh", id: 3, token: "news:120" })).toEqual([
    { type: "refreshed", id: 3, expiresAt: "2026-11-24T09:32:00.000Z" },
  ]);
  hub.clock.advance(60_000);
  await hub.publish("still there", "news");
  expect(received(client)).toEqual(["still there"]);
  hub.clock.advance(11_000);
  expect(client.outbound.ended).toBe(4002);
});

test("a refreshed token without an end never ends the connection", async () => {
  const hub = await setUp();
  const client = await connected(hub, { token: "news:60" });
  expect(await say(client, { type: "refresh", id: 2, token: "news" })).toEqual([
    { type: "refreshed", id: 2 },
  ]);
  hub.clock.advance(61_000);
  expect(client.outbound.ended).toBeUndefined();
});

test("what the newer token does not allow is revoked, and publishing with it", async () => {
  const hub = await setUp();
  const client = await connected(hub, { token: "news,sport" });
  await say(client, { type: "subscribe", id: 2, channel: "news" });
  await say(client, { type: "subscribe", id: 3, channel: "sport" });
  expect(await say(client, { type: "refresh", id: 4, token: "sport" })).toEqual([
    {
      type: "revoked",
      channel: "news",
      code: "forbidden",
      message: "this token does not allow to receive news",
    },
    { type: "refreshed", id: 4 },
  ]);
  expect(await say(client, { type: "publish", id: 5, channel: "news", data: 1 })).toMatchObject([
    { code: "forbidden" },
  ]);
  await hub.publish("not for you", "news");
  await hub.publish("for you", "sport");
  expect(received(client)).toEqual(["for you"]);
});

test.each([
  ["bad", "invalid_token"],
  ["old", "token_expired"],
])("a refresh with a token that is %s changes nothing", async (token, code) => {
  const hub = await setUp();
  const client = await connected(hub, { token: "news" });
  expect(await say(client, { type: "refresh", id: 2, token })).toMatchObject([
    { type: "error", id: 2, code },
  ]);
  expect(client.outbound.ended).toBeUndefined();
  expect(await say(client, { type: "publish", id: 3, channel: "news", data: 1 })).toMatchObject([
    { type: "published" },
  ]);
});

test("a session may refresh once a second, whatever the token is worth", async () => {
  let looked = 0;
  const authenticate = (token: string | undefined) => {
    looked += 1;
    return scripted(token);
  };
  const hub = await setUpHub((engine) => engine, { authenticate });
  const client = await connected(hub, { token: "news" });
  const other = await connected(hub, { token: "news" });
  const refresh = (token: string) => say(client, { type: "refresh", id: 2, token });
  expect(await refresh("bad")).toMatchObject([{ code: "invalid_token" }]);
  hub.clock.advance(400);
  for (let n = 0; n < 100; n++) {
    expect(await refresh("sport")).toEqual([
      { type: "error", id: 2, code: "rate_limited", message: "too many refreshes; try again in 600 ms" },
    ]);
  }
  expect(looked).toBe(3);
  expect(await say(other, { type: "refresh", id: 2, token: "sport" })).toMatchObject([{ type: "refreshed" }]);
  hub.clock.advance(600);
  expect(await refresh("sport")).toMatchObject([{ type: "refreshed" }]);
});

test("one refresh at a time: those that come meanwhile are refused", async () => {
  const asked: ReturnType<typeof Promise.withResolvers<Authenticated>>[] = [];
  const authenticate = (token: string | undefined) => {
    if (token === "news") return scripted(token);
    asked.push(Promise.withResolvers());
    return asked.at(-1)?.promise ?? "invalid";
  };
  const hub = await setUpHub((engine) => engine, { authenticate });
  const client = await connected(hub, { token: "news" });
  const refresh = (id: number) => say(client, { type: "refresh", id, token: "sport" });
  expect(await refresh(2)).toEqual([]);
  hub.clock.advance(5_000);
  expect(await refresh(3)).toMatchObject([{ id: 3, code: "rate_limited" }]);
  asked[0]?.resolve("unavailable");
  expect(await say(client)).toMatchObject([{ id: 2, code: "internal" }]);
  expect(await refresh(4)).toEqual([]);
  asked[1]?.resolve(scripted("sport"));
  expect(await say(client)).toMatchObject([{ id: 4, type: "refreshed" }]);
  expect(asked).toHaveLength(2);
});

test("who came without a token may hand one in later", async () => {
  const hub = await setUpHub();
  const client = await connected(hub, {});
  const publish = { type: "publish", id: 2, channel: "news", data: 1 };
  expect(await say(client, publish)).toMatchObject([{ code: "forbidden" }]);
  expect(await say(client, { type: "refresh", id: 3, token: ADMIN_KEY })).toMatchObject([
    { type: "refreshed" },
  ]);
  expect(await say(client, publish)).toMatchObject([{ type: "published" }]);
});

test("where nobody is let in without a token, who has none is closed for good", async () => {
  const hub = await setUpHub((engine) => engine, { authenticate: testAuthenticator(false) });
  const client = hub.connectV1();
  expect(await say(client, { type: "connect", id: 1 })).toEqual([
    { type: "error", id: 1, code: "invalid_token", message: "a token is needed" },
  ]);
  expect([client.outbound.ended, hub.hub.connections]).toEqual([4500, 0]);
  expect((await connected(hub)).outbound.ended).toBeUndefined();
});

test("with an expired token one is told so, and may come back", async () => {
  const hub = await setUp();
  const client = hub.connectV1();
  expect(await say(client, { type: "connect", id: 1, token: "old" })).toMatchObject([
    { code: "token_expired" },
  ]);
  expect(client.outbound.ended).toBe(4002);
});

test("with a token that cannot be looked at now one may come back, too", async () => {
  const hub = await setUp();
  const client = hub.connectV1();
  expect(await say(client, { type: "connect", id: 1, token: "later" })).toMatchObject([{ code: "internal" }]);
  expect(client.outbound.ended).toBe(1013);
});

test("what comes while the token is being looked at is carried out after the answer, in order", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const hub = await setUpHub((engine) => engine, {
    authenticate: (token) => promise.then(() => scripted(token)),
  });
  const client = hub.connectV1();
  const early = [
    { type: "connect", id: 1, token: "news" },
    { type: "subscribe", id: 2, channel: "news" },
    { type: "ping", id: 3 },
  ];
  expect(await say(client, ...early)).toEqual([]);
  resolve();
  const replies = await say(client);
  expect(replies.map(({ type }) => type)).toEqual(["connected", "pong", "subscribed"]);
});

test("one that floods before the answer to connect is closed", async () => {
  const hub = await setUpHub((engine) => engine, { authenticate: () => new Promise(() => {}) });
  hub.limits.maxFramesPerSecond = 100_000;
  const client = hub.connectV1();
  client.session.receive('{"type":"connect","id":1,"token":"news"}');
  for (let n = 0; n < 2_000; n++) client.session.receive('{"type":"ping","id":2}');
  expect(client.outbound.ended).toBe(1008);
});

test("one that sends large frames before the answer to connect is closed, and they are let go", async () => {
  const hub = await setUpHub((engine) => engine, { authenticate: () => new Promise(() => {}) });
  const client = hub.connectV1();
  client.session.receive('{"type":"connect","id":1,"token":"news"}');
  client.session.receive(`{"type":"ping","id":2,"more":"${"x".repeat(40_000)}"}`);
  expect(client.outbound.ended).toBeUndefined();
  client.session.receive(`{"type":"ping","id":3,"more":"${"x".repeat(40_000)}"}`);
  expect(client.outbound.ended).toBe(1008);
});

test("a connection that ends while its token is being looked at leaves nothing behind", async () => {
  const { promise, resolve } = Promise.withResolvers<Authenticated>();
  const events: HubEvent[] = [];
  const sink = { wants: () => true, tell: (event: HubEvent) => void events.push(event) };
  const hub = await setUpHub((engine) => engine, { authenticate: () => promise, events: sink });
  const client = hub.connectV1();
  client.session.receive('{"type":"connect","id":1,"token":"news","device":"phone"}');
  client.outbound.close(1000, "");
  resolve(scripted("news:60"));
  await say(client);
  expect(client.outbound.frames).toEqual([]);
  expect(events).toEqual([]);
});

test("who is withdrawn is closed for good, and nobody else", async () => {
  const hub = await setUp();
  const gone = await connected(hub, { token: "news" });
  const here = await connected(hub, { token: "sport" });
  hub.hub.withdraw("user:news");
  expect(gone.outbound.ended).toBe(4500);
  expect(here.outbound.ended).toBeUndefined();
});

test("events tell who came and went, and that a device is offline once its last connection has gone", async () => {
  const events: HubEvent[] = [];
  const sink = { wants: () => true, tell: (event: HubEvent) => void events.push(event) };
  const hub = await setUpHub((engine) => engine, { authenticate: scripted, events: sink });
  const first = await connected(hub, { token: "news", device: "phone" });
  const second = await connected(hub, { token: "news", device: "phone" });
  first.outbound.close(1000, "");
  expect(events.map(({ type }) => type)).toEqual(["connected", "connected", "disconnected"]);
  second.outbound.terminate();
  expect(events.slice(3)).toMatchObject([
    { type: "disconnected", protocol: "v1", address: "::1", device: "phone", code: 1006 },
    { type: "device_offline", device: "phone" },
  ]);
  await hub.publish("x", "news");
  expect(events.at(-1)).toMatchObject({ type: "publication", publication: { channel: "news", data: '"x"' } });
});

test("publications beyond the rate are refused with a code, and go on later", async () => {
  const hub = await setUp();
  hub.limits.maxPublishesPerSecond = 5;
  const client = await connected(hub, { token: "news" });
  const commands = Array.from({ length: 20 }, (_, n) => ({
    type: "publish",
    id: n + 2,
    channel: "news",
    data: n,
  }));
  const replies = await say(client, ...commands);
  expect(replies.filter(({ code }) => code === "rate_limited").length).toBeGreaterThan(8);
  hub.clock.advance(2_000);
  expect(await say(client, { type: "publish", id: 99, channel: "news", data: 1 })).toMatchObject([
    { type: "published" },
  ]);
});

test("bytes beyond the rate end the connection", async () => {
  const hub = await setUp();
  hub.limits.maxBytesPerSecond = 10_000;
  const client = hub.connect({ access: scripted("push") as Access });
  for (let n = 0; n < 9; n++) client.session.receive("x".repeat(1_000));
  expect(client.outbound.ended).toBeUndefined();
  hub.clock.advance(1_000);
  for (let n = 0; n < 11; n++) client.session.receive("x".repeat(1_000));
  expect(client.outbound.ended).toBe(1008);
});
