import { expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { KeepAlive } from "./keep-alive.ts";

function setUp(count: number) {
  const clock = new VirtualClock();
  const keepAlive = new KeepAlive(clock);
  const times: number[][] = Array.from({ length: count }, () => []);
  const end = times.map((mine) => keepAlive.add({ keepAlive: () => mine.push(clock.monotonicMs()) }));
  return { clock, keepAlive, times, end };
}

test.each([1, 7, 20, 333])("each of %d streams hears every 20 s, by one timer", (count) => {
  const { clock, times } = setUp(count);
  expect(clock.pendingTimers).toBe(1);
  clock.advance(60_000);
  for (const mine of times) {
    expect(mine).toHaveLength(3);
    expect(mine[0]).toBeLessThanOrEqual(20_000);
    expect((mine[2] ?? 0) - (mine[1] ?? 0)).toBe(20_000);
  }
});

test("not all are told in the same turn", () => {
  const { clock, times } = setUp(1_000);
  clock.advance(1_000);
  expect(times.filter(({ length }) => length > 0)).toHaveLength(50);
});

test("one that has ended hears nothing, and without any the timer stops", () => {
  const { clock, keepAlive, times, end } = setUp(2);
  end[0]?.();
  end[0]?.();
  clock.advance(20_000);
  expect(times.map(({ length }) => length)).toEqual([0, 1]);
  end[1]?.();
  expect(clock.pendingTimers).toBe(0);
  keepAlive.add({ keepAlive: () => times[0]?.push(0) });
  clock.advance(20_000);
  expect(times[0]).toHaveLength(1);
});
