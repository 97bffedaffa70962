import { expect, test } from "bun:test";
import { mayReconnect } from "@carillon/protocol/codes";
import fc from "fast-check";
import { Connection, type ConnectionState } from "./connection.ts";
import { VirtualPlatform } from "./testing/virtual-platform.ts";

function setUp(url = "ws://h/ws") {
  const platform = new VirtualPlatform();
  const states: ConnectionState[] = [];
  const frames: string[] = [];
  const connection = new Connection({
    url,
    protocols: [],
    platform,
    mayReturn: mayReconnect,
    onState: (state) => states.push(state),
    onFrame: (frame) => frames.push(frame),
    onWake: () => {},
  });
  const statuses = () => states.map(({ status }) => status);
  return { platform, states, statuses, frames, connection };
}

test("it connects, receives and sends", () => {
  const { platform, statuses, frames, connection } = setUp();
  expect(connection.send("too early")).toBe(false);
  connection.open();
  connection.open();
  expect(connection.send("too early")).toBe(false);
  platform.socket.accept();
  platform.socket.push("hello");
  platform.socket.push(new Uint8Array(1));
  expect(connection.send("hi")).toBe(true);
  expect(platform.sockets).toHaveLength(1);
  expect(statuses()).toEqual(["connecting", "open"]);
  expect(frames).toEqual(["hello"]);
  expect(platform.socket.sent).toEqual(["hi"]);
});

test("lost, it waits a jittered while and comes back", () => {
  const { platform, states, connection } = setUp();
  connection.open();
  platform.socket.accept();
  platform.socket.end(1012, "server restarts");
  expect(states.at(-1)).toEqual({ status: "waiting", retryInMs: 300, code: 1012, reason: "server restarts" });
  platform.clock.advance(299);
  expect(platform.sockets).toHaveLength(1);
  platform.clock.advance(1);
  expect(platform.sockets).toHaveLength(2);
  platform.socket.accept();
  expect(connection.state.status).toBe("open");
});

test("waits grow while it keeps failing, and are short again after a connection that lasted", () => {
  const { platform, connection } = setUp();
  platform.dice = 0.999_999;
  connection.open();
  const failOnce = () => {
    platform.socket.end();
    const { state } = connection;
    const waitMs = state.status === "waiting" ? Math.round(state.retryInMs) : Number.NaN;
    platform.clock.advance(waitMs + 1);
    return waitMs;
  };
  expect([failOnce(), failOnce(), failOnce()]).toEqual([500, 1_000, 2_000]);
  // Accepted and cut again at once: a server that cannot serve must not be hammered.
  platform.socket.accept();
  expect(failOnce()).toBe(4_000);
  platform.socket.accept();
  platform.clock.advance(10_000);
  expect(failOnce()).toBe(500);
});

test("woken, it tries at once", () => {
  const { platform, connection } = setUp();
  connection.open();
  platform.socket.end();
  platform.wake();
  expect(platform.sockets).toHaveLength(2);
  platform.clock.advance(300);
  expect(platform.sockets).toHaveLength(2);
});

test("no answer to the handshake is a failure after 10 s", () => {
  const { platform, connection } = setUp();
  connection.open();
  platform.clock.advance(9_999);
  expect(connection.state.status).toBe("connecting");
  platform.clock.advance(1);
  expect(connection.state.status).toBe("waiting");
  expect(platform.socket.closedByClient).toBe(true);
});

test.each([4500, 4999])("told with %d not to come back, it does not", (code) => {
  const { platform, states, connection } = setUp();
  connection.open();
  platform.socket.accept();
  platform.socket.end(code, "no");
  platform.clock.advance(3_600_000);
  expect(platform.sockets).toHaveLength(1);
  expect(states.at(-1)).toEqual({ status: "closed", code, reason: "no" });
});

test("closed by the app, nothing is left behind; it can be opened again", () => {
  const { platform, statuses, connection } = setUp();
  connection.close();
  connection.open();
  platform.socket.accept();
  connection.close();
  expect(platform.socket.closedByClient).toBe(true);
  expect([platform.clock.pendingTimers, platform.wakeListeners]).toEqual([0, 0]);
  connection.open();
  expect(statuses()).toEqual(["connecting", "open", "closed", "connecting"]);
});

test("a socket that was given up is not listened to any more", () => {
  const { platform, statuses, frames, connection } = setUp();
  connection.open();
  platform.socket.accept();
  const dead = platform.socket;
  connection.abandon("no heartbeat");
  platform.clock.advance(300);
  platform.socket.accept();
  dead.push("late");
  dead.end(4500, "late");
  expect(frames).toEqual([]);
  expect(statuses()).toEqual(["connecting", "open", "waiting", "connecting", "open"]);
});

test("a wrong address ends it", () => {
  const { platform, states, connection } = setUp("nonsense");
  connection.open();
  expect(states.at(-1)).toMatchObject({ status: "closed", reason: "SyntaxError: invalid url nonsense" });
  expect([platform.clock.pendingTimers, platform.wakeListeners]).toEqual([0, 0]);
});

test("whatever happens, there is at most one live socket and one timer, and the state tells the truth", () => {
  const event = fc.oneof(
    fc.constantFrom("open", "close", "accept", "end", "wake", "abandon", "final"),
    fc.nat({ max: 30_000 }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const { platform, connection } = setUp();
      const ended = new Set<unknown>();
      for (const each of events) {
        const socket = platform.sockets.at(-1);
        if (typeof each === "number") platform.clock.advance(each);
        else if (each === "open") connection.open();
        else if (each === "close") connection.close();
        else if (each === "wake") platform.wake();
        else if (each === "abandon") connection.abandon("test");
        else if (socket !== undefined && !ended.has(socket)) {
          if (each === "accept") socket.accept();
          else ended.add(socket) && socket.end(each === "final" ? 4500 : 1006);
        }
        const live = platform.sockets.filter((one) => !one.closedByClient && !ended.has(one)).length;
        const { status } = connection.state;
        expect(live).toBe(status === "connecting" || status === "open" ? 1 : 0);
        expect(platform.clock.pendingTimers).toBeLessThanOrEqual(1);
        if (status === "waiting" || status === "connecting") expect(platform.clock.pendingTimers).toBe(1);
      }
    }),
  );
});
