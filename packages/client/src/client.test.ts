import { describe, expect, test } from "bun:test";
import { MAX_PENDING_COMMANDS } from "@carillon/protocol/limits";
import { Carillon } from "./client.ts";
import type { CarillonError } from "./errors.ts";
import type { CarillonOptions } from "./options.ts";
import { FakeServer, publication } from "./testing/fake-server.ts";

function setUp(options: CarillonOptions = {}, server = new FakeServer()) {
  const client = new Carillon("http://h", { platform: server.platform, heartbeatMs: undefined, ...options });
  const statuses: string[] = [];
  const errors: CarillonError[] = [];
  client.on("state", ({ status }) => statuses.push(status));
  client.on("error", (error) => errors.push(error));
  return { server, client, statuses, errors };
}

/** The code with which a promise was rejected. */
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "no error",
    (error: CarillonError) => error.code,
  );

describe("an address", () => {
  test.each([
    ["http://h", "ws://h/ws"],
    ["https://h/", "wss://h/ws"],
    ["HTTPS://h:8443/base/", "wss://h:8443/base/ws"],
    ["ws://h/ws", "ws://h/ws"],
    ["wss://h/base?a=/b#c", "wss://h/base/ws?a=/b"],
    ["http://[::1]:8080", "ws://[::1]:8080/ws"],
  ])("%s is %s, and the sub-protocol is offered there", (address, url) => {
    const { platform } = new FakeServer();
    new Carillon(address, { platform }).connect();
    expect([platform.socket.url, platform.socket.protocols]).toEqual([url, ["carillon.v1"]]);
  });

  test.each(["", "h", "ftp://h", "http://", "//h"])("%p is none", (address) => {
    expect(() => new Carillon(address, { platform: new FakeServer().platform })).toThrow(TypeError);
  });
});

describe("who it is", () => {
  test("is said before anything else; it is open once the server knows", async () => {
    const { server, client, statuses } = setUp({
      token: async () => "secret",
      device: "phone",
      client: "app/1",
    });
    client.channel("news").subscribe();
    expect(statuses).toEqual(["connecting"]);
    await server.settle();
    expect(server.commands.map(({ type }) => type)).toEqual(["connect", "subscribe", "ack"]);
    expect(server.commands[0]).toEqual({
      type: "connect",
      id: 1,
      token: "secret",
      device: "phone",
      client: "app/1",
    });
    expect([statuses, client.defaultChannel]).toEqual([["connecting", "open"], "push"]);
  });

  test("a token that is not valid ends it: told by error and code, no attempt follows, channels are refused", async () => {
    const { server, client, statuses, errors } = setUp({ token: "wrong" });
    server.script.connect = () => ({ type: "error", code: "invalid_token", message: "no" });
    const news = client.channel("news");
    news.subscribe();
    await server.settle();
    await server.end(4500, "no");
    await server.pass(3_600_000);
    expect(errors.map(({ code }) => code)).toEqual(["invalid_token"]);
    expect([statuses, news.state]).toEqual([["connecting", "closed"], "refused"]);
    expect(client.state).toEqual({ status: "closed", code: 4500, reason: "no" });
    expect(server.platform.sockets).toHaveLength(1);
    // With a better token, perhaps.
    delete server.script.connect;
    news.subscribe();
    await server.settle();
    expect(news.state).toBe("live");
  });

  test("a token that cannot be had now is asked for again", async () => {
    let calls = 0;
    const token = () => {
      calls += 1;
      if (calls === 1) throw new Error("offline");
      return "secret";
    };
    const { server, client, errors } = setUp({ token });
    client.connect();
    await server.pass(300);
    expect([errors[0]?.message, server.commands.length, client.state.status]).toEqual([
      "Error: offline",
      1,
      "open",
    ]);
  });

  test("a token that comes after its connection was lost is for nobody", async () => {
    const tokens: ((token: string) => void)[] = [];
    const { server, client } = setUp({ token: () => new Promise<string>((resolve) => tokens.push(resolve)) });
    client.connect();
    await server.settle();
    await server.end();
    await server.pass(300);
    tokens[0]?.("late");
    await server.settle();
    expect(server.commands).toEqual([]);
    tokens[1]?.("fresh");
    await server.settle();
    expect(server.asked("connect").map(({ token }) => token)).toEqual(["fresh"]);
  });

  test("a server that does not answer is left, and tried again", async () => {
    const { server, client, errors } = setUp();
    server.script.connect = () => undefined;
    client.connect();
    await server.pass(10_000);
    expect([client.state.status, errors[0]?.code]).toEqual(["waiting", "timeout"]);
  });
});

describe("commands", () => {
  test("connect by themselves, and answer with what the server says", async () => {
    const { server, client } = setUp();
    const news = client.channel("news");
    const published = news.publish({ a: 1 }, { ttl: 60, idempotencyKey: "k" });
    const history = news.history({ after: 3, limit: 2 });
    const presence = news.presence();
    await server.settle();
    expect(await published).toMatchObject({ publication: "p", epoch: "e", offset: 1 });
    expect(await history).toMatchObject({ publications: [], to: 0, more: false });
    expect(await presence).toMatchObject({ count: 0, members: [] });
    const rest = { channel: "news", data: { a: 1 }, ttl: 60, idempotencyKey: "k" };
    expect(server.commands.slice(1)).toEqual([
      { type: "publish", id: 2, ...rest },
      { type: "history", id: 3, channel: "news", after: 3, limit: 2 },
      { type: "presence", id: 4, channel: "news" },
    ]);
  });

  test("are refused with the server's code, in time, or when the connection ends", async () => {
    const { server, client } = setUp();
    const news = client.channel("news");
    server.script.publish = () => ({ type: "error", code: "forbidden", message: "no" });
    const forbidden = codeOf(news.publish(1));
    server.script.history = () => undefined;
    const timeout = codeOf(news.history());
    await server.pass(10_000);
    const lost = codeOf(news.history());
    await server.end();
    expect([await forbidden, await timeout, await lost]).toEqual(["forbidden", "timeout", "connection_lost"]);
  });

  test("wait so long for a connection and no longer, and not for one that the app has closed", async () => {
    const { server, client } = setUp({ timeoutMs: 2_000 });
    server.accepts = false;
    const late = codeOf(client.channel("news").publish(1));
    await server.pass(2_000);
    expect(await late).toBe("timeout");
    const closed = codeOf(client.channel("news").publish(1));
    client.close();
    expect(await closed).toBe("closed");
    expect(server.platform.clock.pendingTimers).toBe(0);
  });

  test("are bounded, with a connection and without one", async () => {
    const { server, client } = setUp();
    const news = client.channel("news");
    const askTooMany = () => Array.from({ length: MAX_PENDING_COMMANDS + 1 }, () => codeOf(news.history()));
    server.accepts = false;
    const waiting = askTooMany();
    expect(await waiting.at(-1)).toBe("too_many_pending");
    server.accepts = true;
    await server.settle();
    expect(await waiting[0]).toBe("no error");
    // Those that are answered make room; that takes its time, as not all are sent at once.
    await server.pass(5_000);
    const more = codeOf(news.presence());
    await server.settle();
    expect(await more).toBe("no error");
    server.script.history = () => undefined;
    const pending = askTooMany();
    await server.settle();
    expect(await pending.at(-1)).toBe("too_many_pending");
  });
});

describe("the connection", () => {
  test("a heartbeat without an answer ends it, and a new one is made", async () => {
    const { server, client } = setUp({ heartbeatMs: 60_000 });
    const roundTrips: number[] = [];
    client.on("heartbeat", (ms) => roundTrips.push(ms));
    client.connect();
    await server.pass(60_000);
    expect([server.asked("ping").length, roundTrips]).toEqual([1, [0]]);
    server.script.ping = () => undefined;
    await server.pass(70_000);
    expect(client.state).toMatchObject({ status: "waiting", reason: "a heartbeat got no answer" });
    await server.pass(300);
    expect([client.state.status, server.platform.sockets.length]).toEqual(["open", 2]);
    // There, it begins anew.
    delete server.script.ping;
    await server.pass(60_000);
    expect([server.asked("ping").length, roundTrips]).toEqual([3, [0, 0]]);
    client.close();
    expect(server.platform.clock.pendingTimers).toBe(0);
  });

  test("an address that no socket takes ends it; the channels wait for the app", async () => {
    const { platform } = new FakeServer();
    const client = new Carillon("http://h:99999", { platform });
    const news = client.channel("news");
    news.subscribe();
    expect(client.state).toMatchObject({
      status: "closed",
      reason: "SyntaxError: invalid url ws://h:99999/ws",
    });
    expect(news.state).toBe("subscribing");
    expect(await codeOf(news.publish(1))).toBe("closed");
  });

  test("woken while it stands open, it finds out whether it is still alive", async () => {
    const { server, client } = setUp();
    client.connect();
    await server.settle();
    server.platform.wake();
    await server.settle();
    expect(server.asked("ping")).toHaveLength(1);
  });

  test("closed, it has acknowledged what was handled, and leaves nothing behind", async () => {
    const { server, client } = setUp();
    const news = client.channel("news");
    news.on("publication", () => {});
    await server.settle();
    await server.publish(publication(1));
    client.close();
    await server.settle();
    expect(server.asked("ack").at(-1)?.position.offset).toEqual([0, 1, 0]);
    expect([server.platform.clock.pendingTimers, server.platform.wakeListeners]).toEqual([0, 0]);
    expect([client.state.status, news.state]).toEqual(["closed", "subscribing"]);
    client.connect();
    await server.settle();
    expect(news.state).toBe("live");
  });

  test("frames that are not understood change nothing", async () => {
    const { server, client } = setUp();
    const news = client.channel("news");
    news.subscribe();
    await server.settle();
    for (const frame of [
      "nonsense",
      "null",
      '{"type":"later","channel":"news"}',
      '{"type":"subscribed","id":2,"channel":"news"}',
      '{"type":"page","channel":"news","epoch":"e","publications":[null],"to":1,"more":false}',
      '{"type":"publication","channel":"news","publication":{}}',
      '{"type":"publication","channel":"of nobody","publication":{"id":"a","time":"t"}}',
      '{"type":"pong","id":999}',
    ]) {
      server.platform.socket.push(frame);
    }
    await server.settle();
    expect([client.state.status, news.state, news.position?.offsets]).toEqual(["open", "live", [0, 0, 0]]);
  });

  test("a channel is the same object each time", () => {
    const { client } = setUp();
    expect(client.channel("news")).toBe(client.channel("news"));
  });
});
