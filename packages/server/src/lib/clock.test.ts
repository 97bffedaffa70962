import { expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { systemClock } from "./clock.ts";

test("timers fire in order of their due time, each at its own time", () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  clock.setTimer(20, () => seen.push(`b at ${clock.monotonicMs()}`));
  clock.setTimer(10, () => {
    seen.push(`a at ${clock.monotonicMs()}`);
    clock.setTimer(5, () => seen.push(`nested at ${clock.monotonicMs()}`));
  });
  clock.setTimer(20, () => seen.push("c, set later"));
  clock.advance(20);
  expect(seen).toEqual(["a at 10", "nested at 15", "b at 20", "c, set later"]);
});

test("a cancelled timer does not fire", () => {
  const clock = new VirtualClock();
  const cancel = clock.setTimer(10, () => expect.unreachable());
  cancel();
  cancel();
  clock.advance(100);
  expect(clock.pendingTimers).toBe(0);
});

test("the system clock takes delays of months without firing at once", async () => {
  let fired = false;
  const cancel = systemClock.setTimer(90 * 86_400_000, () => {
    fired = true;
  });
  await new Promise<void>((resolve) => systemClock.setTimer(5, resolve));
  cancel();
  expect(fired).toBe(false);
});
