import { expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import fc from "fast-check";
import type { Clock } from "../lib/clock.ts";
import { silentLog } from "../lib/log.ts";
import { timestampFormat } from "../lib/timestamp.ts";
import { startSchedule } from "./scheduler.ts";

function start(clock: VirtualClock, everyMs: number, port: Clock = clock) {
  const runs: { atMs: number; channel: string; text: string }[] = [];
  const latenesses: number[] = [];
  const stop = startSchedule(
    { channel: "push", text: "at {{now}}", everyMs },
    {
      clock: port,
      log: silentLog,
      timestamp: timestampFormat("UTC"),
      publish: (channel, text) => runs.push({ atMs: clock.monotonicMs(), channel, text }),
      late: (ms) => latenesses.push(ms),
    },
  );
  return { runs, latenesses, stop };
}

test("one push per interval, the first after one interval, with the time filled in", () => {
  const clock = new VirtualClock();
  const { runs } = start(clock, 300_000);
  clock.advance(299_999);
  expect(runs).toEqual([]);
  clock.advance(1);
  expect(runs).toEqual([{ atMs: 300_000, channel: "push", text: "at 2026-11-24 09:35:00" }]);
});

test("the thousandth push is as punctual as the first, though every timer fires late", () => {
  const clock = new VirtualClock();
  const late: Clock = {
    wallMs: () => clock.wallMs(),
    monotonicMs: () => clock.monotonicMs(),
    setTimer: (delayMs, fire) => clock.setTimer(delayMs + 7.3, fire),
  };
  const { runs, latenesses } = start(clock, 1_000, late);
  clock.advance(1_000_500);
  expect(runs).toHaveLength(1_000);
  expect(latenesses).toHaveLength(1_000);
  for (const ms of latenesses) expect(ms).toBeCloseTo(7.3);
  for (const [index, { atMs }] of runs.entries()) expect(atMs - (index + 1) * 1_000).toBeCloseTo(7.3);
});

test("a timer that fires a fraction early makes no run too many", () => {
  const clock = new VirtualClock();
  const early: Clock = {
    wallMs: () => clock.wallMs(),
    monotonicMs: () => clock.monotonicMs(),
    setTimer: (delayMs, fire) => clock.setTimer(Math.max(0.01, delayMs - 0.4), fire),
  };
  const { runs } = start(clock, 1_000, early);
  clock.advance(10_500);
  expect(runs.map(({ atMs }) => Math.floor(atMs / 1_000))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test("after a standstill one push comes, not a burst, and the grid is kept", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60_000 }), (stallMs) => {
      const clock = new VirtualClock();
      const { runs } = start(clock, 1_000);
      clock.stall(stallMs);
      expect(runs.length).toBe(stallMs >= 1_000 ? 1 : 0);
      runs.length = 0;
      clock.advance(3_000);
      expect(runs.map(({ atMs }) => atMs % 1_000)).toEqual([0, 0, 0]);
    }),
  );
});

test("setting the wall clock forward or back neither adds nor skips a push", () => {
  const clock = new VirtualClock();
  const { runs } = start(clock, 1_000);
  clock.advance(2_500);
  clock.jumpWall(-86_400_000);
  clock.advance(2_000);
  clock.jumpWall(2 * 86_400_000);
  clock.advance(1_500);
  expect(runs.map(({ atMs }) => atMs)).toEqual([1_000, 2_000, 3_000, 4_000, 5_000, 6_000]);
});

test("a stopped schedule is silent and leaves no timer", () => {
  const clock = new VirtualClock();
  const { runs, stop } = start(clock, 1_000);
  clock.advance(1_000);
  stop();
  clock.advance(10_000);
  expect(runs).toHaveLength(1);
  expect(clock.pendingTimers).toBe(0);
});

test("a text that cannot be rendered is refused at the start, not at the run", () => {
  const ports = {
    clock: new VirtualClock(),
    log: silentLog,
    timestamp: timestampFormat("UTC"),
    publish: () => {},
    late: () => {},
  };
  expect(() => startSchedule({ channel: "push", text: "{{nope}}", everyMs: 1_000 }, ports)).toThrow(
    RangeError,
  );
});
