import { describe, expect, test } from "bun:test";
import type { Json } from "@carillon/protocol/frames";
import { Carillon } from "./client.ts";
import { memoryStore } from "./stores.ts";
import { FakeServer, publication } from "./testing/fake-server.ts";
import { acks, listen, positions } from "./testing/listening-app.ts";

describe("on and off", () => {
  test("off is not wanted: the position is forgotten, and on again starts from now", async () => {
    const { server, news, got, store, states } = await listen();
    await server.publish(publication(1));
    news.unsubscribe();
    await server.publish(publication(2));
    await server.pass(1_000);
    expect(server.asked("unsubscribe")).toHaveLength(1);
    expect([news.position, store.load("news"), states.at(-1)]).toEqual([
      undefined,
      undefined,
      "unsubscribed",
    ]);
    server.top = 2;
    news.subscribe();
    await server.settle();
    await server.publish(publication(3));
    expect(got).toEqual([1, 3]);
    expect(positions(server)).toEqual([undefined, undefined]);
  });

  test("off stays off when the connection comes back", async () => {
    const { server, news } = await listen();
    news.unsubscribe();
    await server.end();
    await server.pass(60_000);
    expect(positions(server)).toHaveLength(1);
  });

  test("a passing error is tried again after a while, one that is not refuses", async () => {
    const server = new FakeServer();
    const no = (code: "storage_unavailable" | "forbidden") => () =>
      ({ type: "error", code, message: "no" }) as const;
    server.script.subscribe = no("storage_unavailable");
    const { states, errors, news } = await listen({ server });
    expect(states).toEqual(["subscribing"]);
    await server.pass(300);
    expect(positions(server)).toHaveLength(2);
    server.script.subscribe = no("forbidden");
    await server.pass(60_000);
    expect(positions(server)).toHaveLength(3);
    expect(states).toEqual(["subscribing", "refused"]);
    expect(errors.map(({ code }) => code)).toEqual([
      "storage_unavailable",
      "storage_unavailable",
      "forbidden",
    ]);
    delete server.script.subscribe;
    news.subscribe();
    await server.settle();
    expect(news.state).toBe("live");
  });

  test("an answer that comes late is still one, and the attempt that was planned is not made", async () => {
    const server = new FakeServer();
    server.script.subscribe = () => undefined;
    const { news, got } = await listen({ server });
    await server.pass(10_000);
    expect(news.state).toBe("subscribing");
    const late = { type: "subscribed", id: 2, channel: "news", position: { epoch: "e", offset: 0 } };
    server.platform.socket.push(JSON.stringify(late));
    await server.pass(60_000);
    await server.publish(publication(1));
    expect([news.state, got, positions(server).length]).toEqual(["live", [1], 1]);
  });

  test("revoked, it subscribes again if the reason may pass; what had come is still handed over", async () => {
    const waiting: (() => void)[] = [];
    const { server, got, news } = await listen({
      listener: () => new Promise<void>((done) => waiting.push(done)),
    });
    await server.publish(publication(1), publication(2));
    const revoked = { type: "revoked", channel: "news", message: "no" } as const;
    await server.push({ ...revoked, code: "storage_unavailable" });
    await server.pass(300);
    expect([news.state, positions(server).length]).toEqual(["live", 2]);
    await server.push({ ...revoked, code: "forbidden" });
    expect(news.state).toBe("refused");
    waiting.shift()?.();
    await server.settle();
    expect(got).toEqual([1, 2]);
  });

  test("joins and leaves are told", async () => {
    const { server, news } = await listen();
    const told: string[] = [];
    news.on("join", ({ session }) => told.push(`+${session}`));
    news.on("leave", ({ session }) => told.push(`-${session}`));
    await server.push({ type: "join", channel: "news", member: { session: "a" } });
    await server.push({ type: "leave", channel: "news", member: { session: "a" } });
    expect(told).toEqual(["+a", "-a"]);
  });
});

describe("one by one, and acks by hand", () => {
  test("for await hands out the next one when it is asked for, and leaving counts as handled", async () => {
    const server = new FakeServer();
    const store = memoryStore();
    const news = new Carillon("ws://h", { platform: server.platform, store }).channel("news");
    const got: Json[] = [];
    const reading = (async () => {
      for await (const { data } of news) {
        got.push(data);
        if (data === 2) break;
      }
    })();
    await server.settle();
    await server.publish(publication(1), publication(2), publication(3));
    await reading;
    await server.pass(1_000);
    expect(got).toEqual([1, 2]);
    expect(store.load("news")).toBe('{"epoch":"e","offset":[0,2,0]}');
    // What came between two loops waits for the next one.
    for await (const { data } of news) {
      got.push(data);
      break;
    }
    expect(got).toEqual([1, 2, 3]);
  });

  test("a loop ends when the channel is switched off", async () => {
    const server = new FakeServer();
    const news = new Carillon("ws://h", { platform: server.platform }).channel("news");
    const reading = (async () => {
      for await (const _ of news) break;
      return "ended";
    })();
    await server.settle();
    news.unsubscribe();
    expect(await reading).toBe("ended");
  });

  test("by hand: kept and acknowledged only up to what the app has acknowledged", async () => {
    const { server, news, store } = await listen({ acks: "manual" });
    const unhandled: (() => void)[] = [];
    news.on("publication", ({ ack }) => unhandled.push(ack));
    await server.publish(publication(1), publication(2), publication(3));
    await server.pass(1_000);
    expect(store.load("news")).toBe('{"epoch":"e","offset":0}');
    unhandled[1]?.();
    unhandled[0]?.();
    await server.pass(1_000);
    expect(store.load("news")).toBe('{"epoch":"e","offset":[0,2,0]}');
    expect(acks(server).at(-1)).toEqual([0, 2, 0]);
    // One from before the channel was switched off means nothing any more.
    news.unsubscribe();
    unhandled[2]?.();
    await server.pass(1_000);
    expect(store.load("news")).toBeUndefined();
  });
});
