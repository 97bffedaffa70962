/** What happens when two things happen at once: answers that come too late, calls from inside of listeners. */
import { expect, test } from "bun:test";
import type { Json } from "@carillon/protocol/frames";
import { Carillon } from "./client.ts";
import type { CarillonOptions } from "./options.ts";
import { memoryStore } from "./stores.ts";
import { FakeServer, publication } from "./testing/fake-server.ts";

function setUp(options: CarillonOptions = {}, server = new FakeServer()) {
  const client = new Carillon("ws://h", { platform: server.platform, heartbeatMs: undefined, ...options });
  const news = client.channel("news");
  const got: Json[] = [];
  const errors: string[] = [];
  client.on("error", ({ code }) => errors.push(code));
  news.on("error", ({ code }) => errors.push(code));
  const listen = () => news.on("publication", ({ data }) => got.push(data));
  return { server, client, news, got, errors, listen };
}

const answer = (server: FakeServer, id: number, offset: number) =>
  server.platform.socket.push(
    JSON.stringify({ type: "subscribed", id, channel: "news", position: { epoch: "e", offset } }),
  );

test("off and on again before the first answer: only the answer to the last question counts", async () => {
  const { server, news, errors, listen } = setUp();
  server.script.subscribe = () => undefined;
  listen();
  await server.settle();
  news.unsubscribe();
  news.subscribe();
  await server.settle();
  const [first, second] = server.asked("subscribe");
  answer(server, first?.id ?? 0, 5);
  expect(news.state).toBe("subscribing");
  server.platform.socket.push(
    JSON.stringify({
      type: "error",
      id: first?.id,
      code: "not_subscribed",
      message: "unsubscribed meanwhile",
    }),
  );
  await server.settle();
  answer(server, second?.id ?? 0, 7);
  await server.settle();
  expect([news.state, news.position?.offsets, errors]).toEqual(["live", [7, 7, 7], []]);
});

test("a store that answers after the connection was cut and made anew: asked once", async () => {
  let give = (_: string | undefined): void => {};
  const load = () => new Promise<string | undefined>((resolve) => (give = resolve));
  const { server, news, listen } = setUp({ store: { load, save: () => {} } });
  listen();
  await server.settle();
  await server.end();
  await server.pass(1_000);
  give('{"epoch":"e","offset":3}');
  await server.settle();
  expect(server.asked("subscribe").map(({ position }) => position)).toEqual([{ epoch: "e", offset: 3 }]);
  expect(news.position?.offsets).toEqual([3, 3, 3]);
});

test("switched off while the store is asked, and on again: from now, whatever the store had", async () => {
  let give = (_: string | undefined): void => {};
  const load = () => new Promise<string | undefined>((resolve) => (give = resolve));
  const { server, news, listen } = setUp({ store: { load, save: () => {} } });
  listen();
  await server.settle();
  news.unsubscribe();
  give('{"epoch":"e","offset":3}');
  await server.settle();
  news.subscribe();
  await server.settle();
  expect(server.asked("subscribe").map(({ position }) => position)).toEqual([undefined]);
});

test("switched off without a connection, what the server kept for the device is not wanted either", async () => {
  const { server, news, got, listen } = setUp({ device: "phone" });
  listen();
  await server.settle();
  await server.publish(publication(1));
  server.accepts = false;
  await server.end();
  news.unsubscribe();
  server.top = 5;
  server.script.subscribe = (command) =>
    ({ ...server.usual(command), from: { epoch: "e", offset: 1 } }) as never;
  news.subscribe();
  server.accepts = true;
  await server.pass(1_000);
  await server.page([publication(2), publication(5)], 5);
  await server.publish(publication(6));
  await server.pass(1_000);
  expect([got, news.state]).toEqual([[1, 6], "live"]);
  expect(server.asked("ack").at(-2)?.position).toEqual({ epoch: "e", offset: 5 });
});

test("a store that takes its time is given one after the other", async () => {
  const saves: (string | undefined)[] = [];
  const finish: (() => void)[] = [];
  const store = {
    load: () => undefined,
    save: (_: string, value: string | undefined) => {
      saves.push(value);
      return new Promise<void>((done) => finish.push(done));
    },
  };
  const { server, listen } = setUp({ store });
  listen();
  await server.settle();
  await server.publish(publication(1));
  await server.pass(1_000);
  await server.publish(publication(2));
  await server.pass(1_000);
  expect(saves).toEqual(['{"epoch":"e","offset":0}']);
  for (let turn = 0; turn < 3; turn++) {
    finish.shift()?.();
    await server.settle();
  }
  expect(saves.slice(1)).toEqual(['{"epoch":"e","offset":[0,1,0]}', '{"epoch":"e","offset":[0,2,0]}']);
});

test("what could not be acknowledged is acknowledged once it is subscribed again", async () => {
  const { server, listen } = setUp({ device: "phone" });
  listen();
  await server.settle();
  await server.publish(publication(1));
  server.accepts = false;
  await server.end();
  await server.pass(5_000);
  expect(server.asked("ack")).toHaveLength(1);
  server.accepts = true;
  server.top = 1;
  await server.pass(20_000);
  const [subscribe] = server.commands.filter(({ type }) => type === "subscribe").slice(-1);
  const [ack] = server.asked("ack").slice(-1);
  expect(ack?.position).toEqual({ epoch: "e", offset: [0, 1, 0] });
  expect(server.commands.indexOf(ack as never)).toBeGreaterThan(server.commands.indexOf(subscribe as never));
});

test("a publication of a log that is over, acknowledged by hand, does not bring its position back", async () => {
  const server = new FakeServer();
  const store = memoryStore();
  const client = new Carillon("ws://h", { platform: server.platform, store, heartbeatMs: undefined });
  const acks: (() => void)[] = [];
  client.channel("news", { acks: "manual" }).on("publication", ({ ack }) => acks.push(ack));
  await server.settle();
  await server.publish(publication(1), publication(2));
  server.epoch = "f";
  server.top = 0;
  server.script.subscribe = () =>
    ({
      type: "subscribed",
      channel: "news",
      position: { epoch: "f", offset: 0 },
      from: { epoch: "f", offset: 0 },
      gap: { reason: "epoch" },
    }) as const;
  await server.end();
  await server.pass(1_000);
  acks[1]?.();
  await server.publish(publication(1, { id: "f1" }));
  acks[2]?.();
  acks[0]?.();
  await server.pass(1_000);
  expect(JSON.parse(String(store.load("news")))).toEqual({ epoch: "f", offset: [0, 1, 0] });
});

test("a listener that stops itself at once", async () => {
  const { server, news } = setUp();
  news.subscribe();
  await server.settle();
  await server.publish(publication(1), publication(2));
  const once: Json[] = [];
  const stop = news.on("publication", ({ data }) => {
    once.push(data);
    stop();
  });
  await server.settle();
  expect(once).toEqual([1]);
});

test.each([
  ["unsubscribes", (client: Carillon) => client.channel("news").unsubscribe(), [1]],
  ["closes the client", (client: Carillon) => client.close(), [1]],
])("a listener that %s gets nothing more", async (_, act, expected) => {
  const { server, client, news } = setUp();
  const got: Json[] = [];
  news.on("publication", ({ data }) => {
    got.push(data);
    act(client);
  });
  await server.settle();
  server.top = 3;
  await server.page([publication(1), publication(2), publication(3)], 3);
  await server.pass(60_000);
  expect(got).toEqual(expected);
  expect(server.platform.clock.pendingTimers).toBeLessThanOrEqual(1);
});

test("closed by a listener, it has kept what the listener returned from, and goes on with the next when it connects", async () => {
  const store = memoryStore();
  const { server, client, news } = setUp({ store });
  const got: Json[] = [];
  news.on("publication", ({ data }) => {
    got.push(data);
    if (data === 1) client.close();
  });
  await server.settle();
  server.top = 2;
  await server.page([publication(1), publication(2)], 2);
  expect(store.load("news")).toBe('{"epoch":"e","offset":[0,1,0]}');
  client.connect();
  await server.settle();
  expect(got).toEqual([1, 2]);
});

test("closed means closed: a command does not connect again", async () => {
  const { server, client, news } = setUp();
  client.connect();
  await server.settle();
  client.close();
  expect(await news.publish("x").catch(({ code }) => code)).toBe("closed");
  await server.pass(60_000);
  expect([client.state.status, server.platform.sockets.length]).toEqual(["closed", 1]);
});

test("a connection that ends right after it was accepted is not open", async () => {
  const { server, client, listen } = setUp();
  const states: string[] = [];
  client.on("state", ({ status }) => states.push(status));
  server.script.connect = () => undefined;
  listen();
  await server.settle();
  const { socket } = server.platform;
  socket.push(
    JSON.stringify({ ...server.usual({ type: "connect", id: 1 }), id: server.asked("connect")[0]?.id }),
  );
  socket.end(1012);
  await server.settle();
  expect(states.slice(0, 2)).toEqual(
    ["connecting", "open"].slice(0, states.indexOf("waiting")).concat("waiting").slice(0, 2),
  );
  expect(client.state.status).toBe("waiting");
});

test("a heartbeat may be answered later than a command", async () => {
  const { server, client } = setUp({ timeoutMs: 1_000, heartbeatMs: 60_000 });
  client.connect();
  await server.settle();
  server.script.ping = () => undefined;
  await server.pass(60_000);
  await server.pass(5_000);
  const [ping] = server.asked("ping");
  server.platform.socket.push(JSON.stringify({ type: "pong", id: ping?.id }));
  await server.pass(10_000);
  expect(server.platform.sockets).toHaveLength(1);
});

test("a frame that the server would cut the connection for is not sent", async () => {
  const { server, client, news } = setUp();
  client.connect();
  await server.settle();
  expect(await news.publish("茶".repeat(30_000)).catch(({ code }) => code)).toBe("payload_too_large");
  expect(server.asked("publish")).toHaveLength(0);
});

test("a late end of a subscription that the app has ended itself does not bring it back", async () => {
  const { server, news, listen } = setUp();
  listen();
  await server.settle();
  news.unsubscribe();
  await server.push({ type: "revoked", channel: "news", code: "storage_unavailable", message: "no" });
  await server.pass(20_000);
  expect([news.state, server.asked("subscribe").length]).toEqual(["unsubscribed", 1]);
});

test("a gap is told in its place: after what came before it has been handled", async () => {
  const { server, news } = setUp();
  const told: unknown[] = [];
  const waiting: (() => void)[] = [];
  news.on("gap", (gap) => told.push(gap));
  news.on("publication", ({ data }) => {
    told.push(data);
    return new Promise<void>((done) => waiting.push(done));
  });
  await server.settle();
  await server.publish(publication(1));
  await server.push({
    type: "page",
    channel: "news",
    epoch: "e",
    publications: [publication(9)],
    to: 9,
    more: false,
    gap: { from: 2, to: 8 },
  });
  expect(told).toEqual([1]);
  waiting.shift()?.();
  await server.settle();
  expect(told).toEqual([1, { from: 2, to: 8 }, 9]);
});

test("subscribed already, as the server sees it: a new connection makes both agree", async () => {
  const { server, news, errors, listen } = setUp();
  server.script.subscribe = () => ({ type: "error", code: "already_subscribed", message: "already" });
  listen();
  await server.settle();
  delete server.script.subscribe;
  await server.pass(20_000);
  expect([news.state, server.platform.sockets.length]).toEqual(["live", 2]);
  expect(errors).toEqual([]);
});
