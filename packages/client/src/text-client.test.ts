import { expect, test } from "bun:test";
import { VirtualPlatform } from "./testing/virtual-platform.ts";
import { TextClient } from "./text-client.ts";

function setUp(push = true) {
  const platform = new VirtualPlatform();
  const pushes: string[] = [];
  const received: string[] = [];
  const roundTrips: number[] = [];
  const client = new TextClient({
    url: "ws://h/ws",
    platform,
    heartbeatMs: 60_000,
    push,
    onPush: (text) => pushes.push(text),
    onReceived: (text) => received.push(text),
    onHeartbeat: (ms) => roundTrips.push(ms),
  });
  client.open();
  platform.socket.accept();
  return { platform, clock: platform.clock, client, pushes, received, roundTrips };
}

test("it offers no sub-protocol and says nothing while push is on: the server has subscribed it", () => {
  const { platform } = setUp();
  expect(platform.socket.protocols).toEqual([]);
  expect(platform.socket.sent).toEqual([]);
});

test("pushes, answers and heartbeats are told apart", () => {
  const { platform, clock, client, pushes, received, roundTrips } = setUp();
  clock.advance(60_000);
  expect(platform.socket.sent).toEqual(["Heartbeat"]);
  clock.advance(12);
  platform.socket.push("Server received: Heartbeat");
  client.send("你好");
  platform.socket.push("Server received: 你好");
  platform.socket.push("Server push message at 2026-11-24 09:30:00");
  expect({ pushes, received, roundTrips }).toEqual({
    pushes: ["Server push message at 2026-11-24 09:30:00"],
    received: ["你好"],
    roundTrips: [12],
  });
});

test("the switch is where it was put after every reconnect", () => {
  const { platform, clock, client } = setUp();
  client.setPush(false);
  expect(platform.socket.sent).toEqual(["unsubscribe"]);
  platform.socket.end();
  clock.advance(300);
  platform.socket.accept();
  expect(platform.socket.sent).toEqual(["unsubscribe"]);
  platform.socket.end();
  client.setPush(true);
  clock.advance(1_000);
  platform.socket.accept();
  expect(platform.sockets).toHaveLength(3);
  expect(platform.socket.sent).toEqual([]);
});

test("one that starts with push off says so first", () => {
  const { platform, client } = setUp(false);
  expect(platform.socket.sent).toEqual(["unsubscribe"]);
  expect(client.push).toBe(false);
});

test("a heartbeat without an answer ends the connection and a new one is made", () => {
  const { platform, clock, client } = setUp();
  clock.advance(70_000);
  expect(client.state).toMatchObject({ status: "waiting", reason: "a heartbeat got no answer" });
  clock.advance(300);
  platform.socket.accept();
  clock.advance(59_999);
  expect(platform.socket.sent).toEqual([]);
});

test("woken while open, it finds out whether the connection is still alive", () => {
  const { platform, clock, client } = setUp();
  platform.wake();
  expect(platform.socket.sent).toEqual(["Heartbeat"]);
  clock.advance(10_000);
  expect(client.state.status).toBe("waiting");
});

test("closed, it sends and plans nothing", () => {
  const { clock, client } = setUp();
  client.close();
  expect([client.send("x"), client.beat(), clock.pendingTimers]).toEqual([false, false, 0]);
});
