import { expect, test } from "bun:test";
import fc from "fast-check";
import { IDLE_TIMEOUT_MS, setUpHub as setUp } from "./testing/hub-set-up.ts";

test("a client is subscribed as soon as it is connected, and a push costs one publish", async () => {
  const { fanOut, connect, publish } = await setUp();
  const clients = [connect(), connect(), connect()];
  await publish("hello");
  expect(fanOut.publishes).toBe(1);
  for (const { outbound } of clients) expect(outbound.frames).toEqual(["hello"]);
});

test("push off, push on; subscribe twice is once", async () => {
  const { connect, publish } = await setUp();
  const { session, outbound } = connect();
  session.receive("unsubscribe");
  session.receive("unsubscribe");
  await publish("missed");
  session.receive("subscribe");
  session.receive("subscribe");
  await publish("seen");
  expect(outbound.frames).toEqual(["seen"]);
});

test("one client's switch is nobody else's", async () => {
  const { connect, publish } = await setUp();
  const [one, other] = [connect(), connect()];
  one.session.receive("unsubscribe");
  await publish("x");
  expect([one.outbound.frames, other.outbound.frames]).toEqual([[], ["x"]]);
});

test("the switches end where the last command left them", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom("subscribe", "unsubscribe", "Heartbeat")), async (frames) => {
      const { connect, publish } = await setUp();
      const { session, outbound } = connect();
      for (const frame of frames) session.receive(frame);
      outbound.frames.length = 0;
      await publish("x");
      const last = frames.findLast((frame) => frame !== "Heartbeat") ?? "subscribe";
      expect(outbound.frames).toEqual(last === "subscribe" ? ["x"] : []);
    }),
  );
});

test("anything else is answered", async () => {
  const { connect } = await setUp();
  const { session, outbound } = connect();
  for (const text of ["Heartbeat", "你好 🎐", ""]) session.receive(text);
  expect(outbound.frames).toEqual([
    "Server received: Heartbeat",
    "Server received: 你好 🎐",
    "Server received: ",
  ]);
});

test("the log says who came, switched and went, with the running count", async () => {
  const { lines, connect } = await setUp();
  const { session } = connect();
  const { outbound } = connect();
  session.receive("unsubscribe");
  session.receive("subscribe");
  outbound.close(1000, "");
  expect(lines).toEqual([
    "Client connected. Total connections: 1",
    "Client connected. Total connections: 2",
    "unsubscribe: 关闭推送",
    "subscribe: 开启推送",
    "Client disconnected. Total connections: 1",
  ]);
});

test("a connection that ends twice is counted once", async () => {
  const { hub, connect } = await setUp();
  const { session } = connect();
  connect();
  hub.disconnect(session, 1000, "");
  hub.disconnect(session, 1006, "");
  expect(hub.connections).toBe(1);
});

test("a binary frame closes with 1003", async () => {
  const { connect } = await setUp();
  const { session, outbound } = connect();
  session.receive(new Uint8Array([1, 2]));
  expect(outbound.ended).toBe(1003);
});

test("a flood closes with 1008, and costs two log lines at most: it came, it went", async () => {
  const { lines, connect } = await setUp();
  const { session, outbound } = connect();
  for (let sent = 0; sent < 1_000; sent++) session.receive("x");
  expect(outbound.ended).toBeUndefined();
  session.receive("x");
  expect(outbound.ended).toBe(1008);
  expect(lines).toHaveLength(2);
});

test("a thousand frames each second are no flood", async () => {
  const { clock, connect } = await setUp();
  const { session, outbound } = connect();
  for (let second = 0; second < 5; second++) {
    for (let sent = 0; sent < 1_000; sent++) session.receive("x");
    clock.advance(1_000);
  }
  expect(outbound.ended).toBeUndefined();
});

test("heartbeats replace pings: an app that sends its own is never pinged", async () => {
  const { clock, connect } = await setUp();
  const { session, outbound } = connect();
  for (let minute = 0; minute < 60; minute++) {
    clock.advance(IDLE_TIMEOUT_MS * 0.9);
    session.receive("Heartbeat");
  }
  expect(outbound.pings).toBe(0);
  expect(outbound.ended).toBeUndefined();
});

test("a silent client is pinged once per silence and stays while it answers", async () => {
  const { clock, connect } = await setUp();
  const { session, outbound } = connect();
  for (let silence = 1; silence <= 5; silence++) {
    clock.advance(IDLE_TIMEOUT_MS * 1.1);
    expect(outbound.pings).toBe(silence);
    session.seen();
  }
  expect(outbound.ended).toBeUndefined();
});

test("one that is silent for twice the timeout is dropped, though it is being sent to all the time", async () => {
  const { clock, hub, connect, publish } = await setUp();
  const { outbound } = connect();
  for (let elapsedMs = 0; elapsedMs < 2 * IDLE_TIMEOUT_MS; elapsedMs += 1_000) {
    expect(outbound.ended).toBeUndefined();
    await publish("x");
    clock.advance(1_000);
  }
  clock.advance(IDLE_TIMEOUT_MS / 20);
  expect(outbound.ended).toBe(4000);
  expect(outbound.pings).toBe(1);
  expect(hub.connections).toBe(0);
});

test("one that reads nothing either is dropped without a goodbye that would never arrive", async () => {
  const { clock, connect } = await setUp();
  const { outbound } = connect();
  outbound.buffered = 100_000;
  clock.advance(2.1 * IDLE_TIMEOUT_MS);
  expect(outbound.ended).toBe("terminated");
});

test("liveness is one timer, however many clients there are", async () => {
  const { clock, connect } = await setUp();
  const before = clock.pendingTimers;
  for (let n = 0; n < 100; n++) connect();
  expect(clock.pendingTimers).toBe(before);
});

test("closing the hub tells everyone to come back, and ends the sweep", async () => {
  const { clock, engine, hub, connect } = await setUp();
  const clients = [connect(), connect()];
  hub.close();
  expect(clients.map(({ outbound }) => outbound.ended)).toEqual([1012, 1012]);
  await engine.close();
  expect(clock.pendingTimers).toBe(0);
});
