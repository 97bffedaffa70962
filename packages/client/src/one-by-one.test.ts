import { expect, test } from "bun:test";
import { oneByOne } from "./one-by-one.ts";

function setUp() {
  let hand: ((value: number) => Promise<void>) | undefined;
  let end = (): void => {};
  let stopped = false;
  const values = oneByOne<number>((listener, onEnd) => {
    hand = listener;
    end = onEnd;
    return () => {
      stopped = true;
    };
  });
  /** Whether the source has been let go on. */
  const source = async (value: number) => {
    let isDone = false;
    void hand?.(value).then(() => {
      isDone = true;
    });
    await turns();
    return () => isDone;
  };
  return { values, source, end: () => end(), hasStopped: () => stopped, isHeard: () => hand !== undefined };
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

test("the source waits until the next value is asked for", async () => {
  const { values, source } = setUp();
  const first = values.next();
  const isDone = await source(1);
  expect(await first).toEqual({ value: 1, done: false });
  expect(isDone()).toBe(false);
  const second = values.next();
  await turns();
  expect(isDone()).toBe(true);
  await source(2);
  expect(await second).toEqual({ value: 2, done: false });
});

test("nothing listens before the first value is asked for", async () => {
  const { values, isHeard } = setUp();
  await turns();
  expect(isHeard()).toBe(false);
  expect(await values.return()).toEqual({ value: undefined, done: true });
});

test("a consumer that leaves stops it, and nobody waits for him", async () => {
  const { values, source, hasStopped } = setUp();
  const first = values.next();
  const isDone = await source(1);
  await first;
  await values.return();
  await turns();
  expect([isDone(), hasStopped()]).toEqual([true, true]);
});

test("ended by the source: what has come before is still handed out", async () => {
  const { values, source, end, hasStopped } = setUp();
  const first = values.next();
  await source(1);
  end();
  expect(await first).toEqual({ value: 1, done: false });
  expect(await values.next()).toEqual({ value: undefined, done: true });
  expect(hasStopped()).toBe(true);
});
