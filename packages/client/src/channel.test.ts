import { describe, expect, test } from "bun:test";
import type { Json } from "@carillon/protocol/frames";
import { Carillon } from "./client.ts";
import { memoryStore } from "./stores.ts";
import { FakeServer, publication } from "./testing/fake-server.ts";
import { acks, listen, positions } from "./testing/listening-app.ts";

describe("where it starts and how it comes back", () => {
  test("from now, which is kept at once; what is handled is kept and acknowledged within a second", async () => {
    const server = new FakeServer();
    server.top = 7;
    const { store, got, states, news } = await listen({ server });
    expect(positions(server)).toEqual([undefined]);
    expect(states).toEqual(["subscribing", "catching-up", "live"]);
    expect(store.load("news")).toBe('{"epoch":"e","offset":7}');
    await server.publish(publication(8), publication(9));
    expect(got).toEqual([8, 9]);
    expect(news.position).toEqual({ epoch: "e", offsets: [7, 9, 7] });
    await server.pass(1_000);
    expect(store.load("news")).toBe('{"epoch":"e","offset":[7,9,7]}');
    expect(acks(server)).toEqual([7, [7, 9, 7]]);
  });

  test("after a cut from its position, in pages, each publication once and nothing before the last page is live", async () => {
    const { server, got, states } = await listen();
    await server.publish(publication(1));
    server.top = 4;
    await server.end();
    await server.pass(300);
    expect(positions(server).at(-1)).toEqual({ epoch: "e", offset: [0, 1, 0] });
    await server.page([publication(1), publication(2)], 2);
    expect(states.at(-1)).toBe("catching-up");
    await server.page([publication(4, { prev: 2 })], 4);
    await server.publish(publication(5), publication(5));
    expect(got).toEqual([1, 2, 4, 5]);
    expect(states.slice(3)).toEqual(["subscribing", "catching-up", "live"]);
  });

  test("in its next life from where the last one had handled everything", async () => {
    const first = await listen();
    await first.server.publish(publication(1), publication(2));
    first.client.close();
    await first.server.settle();
    const second = await listen({ store: first.store });
    expect(positions(second.server)).toEqual([{ epoch: "e", offset: [0, 2, 0] }]);
  });

  test.each(["nonsense", '{"epoch":"e"}', '{"epoch":"e","offset":[1,2]}', "null", "7"])(
    "a store that holds %s holds nothing",
    async (kept) => {
      const store = memoryStore();
      store.save("news", kept);
      const { server, states } = await listen({ store });
      expect(positions(server)).toEqual([undefined]);
      expect(states.at(-1)).toBe("live");
    },
  );

  test("a store that fails costs nothing but the memory", async () => {
    const fail = () => Promise.reject(new Error("broken"));
    const { server, got } = await listen({ store: { load: fail, save: fail } });
    await server.publish(publication(1));
    await server.pass(1_000);
    expect(got).toEqual([1]);
  });

  test("a device's position on the server counts if it is further", async () => {
    const server = new FakeServer();
    server.top = 9;
    server.script.subscribe = () => ({
      type: "subscribed",
      channel: "news",
      position: { epoch: "e", offset: 9 },
      from: { epoch: "e", offset: 5 },
    });
    const { got, news } = await listen({ server });
    await server.page([publication(6)], 9);
    expect(got).toEqual([6]);
    expect(news.position?.offsets).toEqual([9, 9, 9]);
  });
});

describe("nothing is lost and nothing comes twice", () => {
  test("a jump in offsets is no loss; what is not stored moves nothing and comes once", async () => {
    const { server, got, news } = await listen();
    await server.publish(publication(1), publication(9, { prev: 1 }));
    const fleeting = { id: "x", time: "2026-11-24T09:30:00.000Z", data: "fleeting" };
    await server.publish(fleeting, fleeting);
    expect(got).toEqual([1, 9, "fleeting"]);
    expect(news.position?.offsets).toEqual([0, 9, 0]);
    expect(positions(server)).toHaveLength(1);
  });

  test("each lane by itself", async () => {
    const { server, got, news } = await listen();
    await server.publish(publication(3, { prev: 0, urgency: "high" }), publication(1, { prev: 0 }));
    await server.publish(
      publication(2, { prev: 0, urgency: "very-low" }),
      publication(4, { prev: 2, urgency: "low" }),
    );
    expect(got).toEqual([3, 1, 2, 4]);
    expect(news.position?.offsets).toEqual([3, 1, 4]);
  });

  test("where one is missing it is caught up with from the position, and what comes before the reply is dropped", async () => {
    const { server, got } = await listen();
    await server.publish(publication(1));
    server.script.subscribe = () => undefined;
    await server.publish(publication(3), publication(4));
    expect(got).toEqual([1]);
    const again = server.asked("subscribe").at(-1);
    expect(again?.position).toEqual({ epoch: "e", offset: [0, 1, 0] });
    server.platform.socket.push(
      JSON.stringify({
        ...again,
        type: "subscribed",
        position: { epoch: "e", offset: 4 },
        from: again?.position,
      }),
    );
    await server.page([publication(2), publication(3), publication(4)], 4);
    expect(got).toEqual([1, 2, 3, 4]);
  });

  test("listeners that take their time are waited for, one by one, and so is the position", async () => {
    const waiting: (() => void)[] = [];
    const { server, got, store } = await listen({
      listener: () => new Promise<void>((done) => waiting.push(done)),
    });
    await server.publish(publication(1), publication(2));
    await server.pass(1_000);
    expect(got).toEqual([1]);
    expect(store.load("news")).toBe('{"epoch":"e","offset":0}');
    waiting.shift()?.();
    await server.pass(1_000);
    expect(got).toEqual([1, 2]);
    expect(store.load("news")).toBe('{"epoch":"e","offset":[0,1,0]}');
  });

  test("ten thousand may wait; what came beyond is caught up with once they are done", async () => {
    let open = () => {};
    const gate = new Promise<void>((done) => {
      open = done;
    });
    const { server, got } = await listen({ listener: () => gate });
    const many = Array.from({ length: 10_010 }, (_, at) => publication(at + 1));
    await server.publish(...many);
    expect(positions(server)).toHaveLength(1);
    open();
    for (let turn = 0; turn < 10_000; turn++) await server.settle();
    const [, reached = 0] = [positions(server).at(-1)?.offset ?? []].flat();
    expect(reached).toBeGreaterThanOrEqual(10_000);
    await server.page(many.slice(reached), 10_010);
    expect(got).toEqual(many.map(({ offset }) => offset ?? 0));
  });

  test("a listener that fails is told of, keeps no other from hearing, and what it got counts as handled", async () => {
    const { server, news, errors, got, store } = await listen({
      listener: (data) => {
        if (data === 1) throw new Error("oops");
        return data === 2 ? Promise.reject(new Error("later")) : undefined;
      },
    });
    const others: Json[] = [];
    news.on("publication", ({ data }) => others.push(data));
    await server.publish(publication(1), publication(2), publication(3));
    await server.pass(1_000);
    expect([got, others]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(errors.map(({ message }) => message)).toEqual([
      "a listener failed: Error: oops",
      "a listener failed: Error: later",
    ]);
    expect(errors[0]?.cause).toEqual(new Error("oops"));
    expect(store.load("news")).toBe('{"epoch":"e","offset":[0,3,0]}');
  });

  test("what comes before anybody listens waits", async () => {
    const server = new FakeServer();
    const news = new Carillon("ws://h", { platform: server.platform }).channel("news");
    news.subscribe();
    await server.settle();
    await server.publish(publication(1), publication(2));
    const got: Json[] = [];
    news.on("publication", ({ data }) => got.push(data));
    await server.settle();
    expect(got).toEqual([1, 2]);
  });
});

describe("what cannot be had is told", () => {
  test("a gap in a page", async () => {
    const { server, gaps } = await listen();
    const page = { type: "page", channel: "news", epoch: "e", publications: [], to: 9, more: false } as const;
    await server.push({ ...page, gap: { from: 1, to: 5 } });
    expect(gaps).toEqual([{ from: 1, to: 5 }]);
  });

  test("another log: everything that it keeps follows", async () => {
    const { server, gaps, got, news } = await listen();
    await server.publish(publication(1), publication(2));
    server.top = 1;
    server.script.subscribe = () => ({
      type: "subscribed",
      channel: "news",
      position: { epoch: "f", offset: 1 },
      from: { epoch: "f", offset: 0 },
      gap: { reason: "epoch" },
    });
    await server.end();
    await server.pass(300);
    await server.page([publication(1, { id: "new", data: "new" })], 1);
    expect(gaps).toEqual([{ reason: "epoch" }]);
    expect(got).toEqual([1, 2, "new"]);
    expect(news.position).toEqual({ epoch: "f", offsets: [1, 1, 1] });
  });

  test("a log that has lost its end is read from its beginning, and so is it by the next life", async () => {
    const { server, gaps, got, store } = await listen();
    await server.publish(publication(1), publication(2));
    await server.pass(1_000);
    server.top = 1;
    server.script.subscribe = (command) =>
      command.position?.offset === 0
        ? server.usual(command)
        : { type: "error", code: "future_position", message: "ahead" };
    await server.end();
    await server.pass(300);
    expect(gaps).toEqual([{ reason: "epoch" }]);
    expect(store.load("news")).toBe('{"epoch":"e","offset":0}');
    await server.page([publication(1, { id: "new", data: "new" })], 1);
    expect(got).toEqual([1, 2, "new"]);
    await server.pass(1_000);
    expect(store.load("news")).toBe('{"epoch":"e","offset":1}');
  });

  test("a server that calls even the beginning ahead is not asked for ever", async () => {
    const server = new FakeServer();
    const { states } = await listen({ server });
    await server.publish(publication(1));
    server.script.subscribe = () => ({ type: "error", code: "future_position", message: "ahead" });
    await server.end();
    await server.pass(60_000);
    expect(states.at(-1)).toBe("refused");
    expect(positions(server).length).toBeLessThanOrEqual(4);
  });
});
