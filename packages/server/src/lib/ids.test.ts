import { expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { randomLetters, secret, sequentialIds, timeOrderedIds } from "./ids.ts";

test("ids differ within a process and between processes", () => {
  const [one, other] = [sequentialIds(), sequentialIds()];
  const ids = new Set(Array.from({ length: 1_000 }, (_, n) => (n % 2 === 0 ? one() : other())));
  expect(ids.size).toBe(1_000);
});

test("time-ordered ids sort by their making, whatever the clock does", () => {
  const clock = new VirtualClock();
  const next = timeOrderedIds(clock);
  const ids: string[] = [];
  for (let step = 0; step < 200; step++) {
    for (let n = 0; n < 300; n++) ids.push(next());
    if (step === 50) clock.jumpWall(-3_600_000);
    else if (step % 3 === 0) clock.advance(1);
  }
  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
});

test("a secret is long, and never the same", () => {
  expect(secret()).toMatch(/^[\w-]{32}$/);
  expect(secret()).not.toBe(secret());
});

test("random letters are letters and digits, all of them about as often", () => {
  const letters = randomLetters(62_000);
  expect(letters).toMatch(/^[A-Za-z0-9]{62000}$/);
  const counts = new Map<string, number>();
  for (const letter of letters) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  expect(counts.size).toBe(62);
  // 1,000 each; one in 10^9 is further off than 200.
  for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(200);
});
