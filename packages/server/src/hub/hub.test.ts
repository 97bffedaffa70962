import { expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import fc from "fast-check";
import { createLog } from "../lib/log.ts";
import { timestampFormat } from "../lib/timestamp.ts";
import { Hub } from "./hub.ts";
import { FakeFanOut, FakeOutbound } from "./testing/fake-outbound.ts";

const IDLE_TIMEOUT_MS = 60_000;

function setUp() {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const log = createLog({
    format: "pretty",
    level: "info",
    clock,
    timestamp: timestampFormat("UTC"),
    write: (line) => lines.push(line.slice("[2026-11-24 09:30:00] ".length)),
  });
  const fanOut = new FakeFanOut();
  const hub = new Hub({ clock, log, fanOut, idleTimeoutMs: IDLE_TIMEOUT_MS });
  const connect = (channels = ["push"]) => {
    const outbound = new FakeOutbound();
    fanOut.clients.add(outbound);
    const session = hub.connect({ id: `s${fanOut.clients.size}`, address: "::1", channels }, outbound);
    outbound.onEnd = (code, reason) => {
      fanOut.clients.delete(outbound);
      hub.disconnect(session, code, reason);
    };
    return { session, outbound };
  };
  return { clock, lines, fanOut, hub, connect };
}

test("a client is subscribed as soon as it is connected, and a push costs one publish", () => {
  const { hub, fanOut, connect } = setUp();
  const clients = [connect(), connect(), connect()];
  hub.publish("push", "hello");
  expect(fanOut.publishes).toBe(1);
  for (const { outbound } of clients) expect(outbound.frames).toEqual(["hello"]);
});

test("push off, push on; subscribe twice is once", () => {
  const { hub, connect } = setUp();
  const { session, outbound } = connect();
  session.receive("unsubscribe");
  session.receive("unsubscribe");
  hub.publish("push", "missed");
  session.receive("subscribe");
  session.receive("subscribe");
  hub.publish("push", "seen");
  expect(outbound.frames).toEqual(["seen"]);
});

test("one client's switch is nobody else's", () => {
  const { hub, connect } = setUp();
  const [one, other] = [connect(), connect()];
  one.session.receive("unsubscribe");
  hub.publish("push", "x");
  expect([one.outbound.frames, other.outbound.frames]).toEqual([[], ["x"]]);
});

test("the switches end where the last command left them", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("subscribe", "unsubscribe", "Heartbeat")), (frames) => {
      const { hub, connect } = setUp();
      const { session, outbound } = connect();
      for (const frame of frames) session.receive(frame);
      outbound.frames.length = 0;
      hub.publish("push", "x");
      const last = frames.findLast((frame) => frame !== "Heartbeat") ?? "subscribe";
      expect(outbound.frames).toEqual(last === "subscribe" ? ["x"] : []);
    }),
  );
});

test("anything else is answered", () => {
  const { connect } = setUp();
  const { session, outbound } = connect();
  for (const text of ["Heartbeat", "你好 🎐", ""]) session.receive(text);
  expect(outbound.frames).toEqual([
    "Server received: Heartbeat",
    "Server received: 你好 🎐",
    "Server received: ",
  ]);
});

test("the log says who came, switched and went, with the running count", () => {
  const { lines, connect } = setUp();
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

test("a connection that ends twice is counted once", () => {
  const { hub, connect } = setUp();
  const { session } = connect();
  connect();
  hub.disconnect(session, 1000, "");
  hub.disconnect(session, 1006, "");
  expect(hub.connections).toBe(1);
});

test("a binary frame closes with 1003", () => {
  const { connect } = setUp();
  const { session, outbound } = connect();
  session.receive(new Uint8Array([1, 2]));
  expect(outbound.ended).toBe(1003);
});

test("a flood closes with 1008, and costs two log lines at most: it came, it went", () => {
  const { lines, connect } = setUp();
  const { session, outbound } = connect();
  for (let sent = 0; sent < 1_000; sent++) session.receive("x");
  expect(outbound.ended).toBeUndefined();
  session.receive("x");
  expect(outbound.ended).toBe(1008);
  expect(lines).toHaveLength(2);
});

test("a thousand frames each second are no flood", () => {
  const { clock, connect } = setUp();
  const { session, outbound } = connect();
  for (let second = 0; second < 5; second++) {
    for (let sent = 0; sent < 1_000; sent++) session.receive("x");
    clock.advance(1_000);
  }
  expect(outbound.ended).toBeUndefined();
});

test("heartbeats replace pings: an app that sends its own is never pinged", () => {
  const { clock, connect } = setUp();
  const { session, outbound } = connect();
  for (let minute = 0; minute < 60; minute++) {
    clock.advance(IDLE_TIMEOUT_MS * 0.9);
    session.receive("Heartbeat");
  }
  expect(outbound.pings).toBe(0);
  expect(outbound.ended).toBeUndefined();
});

test("a silent client is pinged once per silence and stays while it answers", () => {
  const { clock, connect } = setUp();
  const { session, outbound } = connect();
  for (let silence = 1; silence <= 5; silence++) {
    clock.advance(IDLE_TIMEOUT_MS * 1.1);
    expect(outbound.pings).toBe(silence);
    session.seen();
  }
  expect(outbound.ended).toBeUndefined();
});

test("one that is silent for twice the timeout is dropped, though it is being sent to all the time", () => {
  const { clock, hub, connect } = setUp();
  const { outbound } = connect();
  for (let elapsedMs = 0; elapsedMs < 2 * IDLE_TIMEOUT_MS; elapsedMs += 1_000) {
    expect(outbound.ended).toBeUndefined();
    hub.publish("push", "x");
    clock.advance(1_000);
  }
  clock.advance(IDLE_TIMEOUT_MS / 20);
  expect(outbound.ended).toBe(4000);
  expect(outbound.pings).toBe(1);
  expect(hub.connections).toBe(0);
});

test("one that reads nothing either is dropped without a goodbye that would never arrive", () => {
  const { clock, connect } = setUp();
  const { outbound } = connect();
  outbound.buffered = 100_000;
  clock.advance(2.1 * IDLE_TIMEOUT_MS);
  expect(outbound.ended).toBe("terminated");
});

test("liveness is one timer, however many clients there are", () => {
  const { clock, connect } = setUp();
  for (let n = 0; n < 100; n++) connect();
  expect(clock.pendingTimers).toBe(1);
});

test("closing the hub tells everyone to come back, and ends the sweep", () => {
  const { clock, hub, connect } = setUp();
  const clients = [connect(), connect()];
  hub.close();
  expect(clients.map(({ outbound }) => outbound.ended)).toEqual([1012, 1012]);
  expect(clock.pendingTimers).toBe(0);
});
