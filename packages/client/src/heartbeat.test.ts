import { expect, test } from "bun:test";
import { ANSWER_WITHIN_MS, Heartbeat } from "./heartbeat.ts";
import { VirtualPlatform } from "./testing/virtual-platform.ts";

function setUp(intervalMs: number | undefined = 60_000) {
  const platform = new VirtualPlatform();
  const seen = { sent: 0, missed: 0, roundTrips: [] as number[] };
  const heartbeat = new Heartbeat({
    platform,
    send: () => {
      seen.sent += 1;
    },
    onAnswer: (roundTripMs) => seen.roundTrips.push(roundTripMs),
    onMissed: () => {
      seen.missed += 1;
      heartbeat.stop();
    },
  });
  heartbeat.intervalMs = intervalMs;
  return { clock: platform.clock, seen, heartbeat };
}

test("one an interval, each with its round trip", () => {
  const { clock, seen, heartbeat } = setUp();
  heartbeat.start();
  for (let beat = 0; beat < 3; beat++) {
    clock.advance(beat === 0 ? 60_000 : 59_960);
    clock.advance(40);
    heartbeat.answered();
  }
  expect(seen).toEqual({ sent: 3, missed: 0, roundTrips: [40, 40, 40] });
});

test("one without an answer in time is missed, once", () => {
  const { clock, seen, heartbeat } = setUp();
  heartbeat.start();
  clock.advance(60_000 + ANSWER_WITHIN_MS - 1);
  expect(seen.missed).toBe(0);
  clock.advance(1);
  expect(seen.missed).toBe(1);
  heartbeat.answered();
  clock.advance(3_600_000);
  expect(seen).toEqual({ sent: 1, missed: 1, roundTrips: [] });
});

test("a changed interval holds at once; none sends none", () => {
  const { clock, seen, heartbeat } = setUp();
  heartbeat.start();
  clock.advance(50_000);
  heartbeat.intervalMs = 30_000;
  clock.advance(29_999);
  expect(seen.sent).toBe(0);
  clock.advance(1);
  expect(seen.sent).toBe(1);
  heartbeat.answered();
  heartbeat.intervalMs = undefined;
  clock.advance(3_600_000);
  expect(seen.sent).toBe(1);
});

test("by hand: at once, and not a second one while one waits for its answer", () => {
  const { clock, seen, heartbeat } = setUp();
  expect(heartbeat.beat()).toBe(false);
  heartbeat.start();
  expect([heartbeat.beat(), heartbeat.beat()]).toEqual([true, true]);
  expect(seen.sent).toBe(1);
  clock.advance(5);
  heartbeat.answered();
  expect(seen.roundTrips).toEqual([5]);
});

test("nothing is sent, waited for or missed once the connection is gone", () => {
  const { clock, seen, heartbeat } = setUp();
  heartbeat.start();
  clock.advance(60_000);
  heartbeat.stop();
  expect(clock.pendingTimers).toBe(0);
  expect(heartbeat.beat()).toBe(false);
  heartbeat.answered();
  // The next connection's first one is not the one that was left without an answer.
  heartbeat.start();
  expect(heartbeat.beat()).toBe(true);
  clock.advance(7);
  heartbeat.answered();
  expect(seen).toEqual({ sent: 2, missed: 0, roundTrips: [7] });
});
