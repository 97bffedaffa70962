import { expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { openMemoryEngine } from "../../engine/memory.ts";
import { createLog } from "../../lib/log.ts";
import { timestampFormat } from "../../lib/timestamp.ts";
import { Queue } from "./queue.ts";
import { Reachable } from "./reachable.ts";
import { settled } from "./testing/notifications-set-up.ts";

function setUp() {
  const clock = new VirtualClock();
  const engine = openMemoryEngine({ clock, retentionOf: () => ({}) });
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.slice("[2026-11-24 09:30:00] ".length));
  const log = createLog({ format: "pretty", level: "info", clock, timestamp: timestampFormat("UTC"), write });
  const keep = (id: string, inMs = 0) =>
    engine.saveRecords([{ kind: "k", id, data: "1", dueMs: clock.wallMs() + inMs }]);
  const remove = (id: string) => engine.saveRecords([{ kind: "k", id, data: undefined }]);
  return { clock, engine, log, lines, keep, remove };
}

test("all that is due is dealt with at once, so many at a time; what is due later, within a second", async () => {
  const { clock, engine, log, keep, remove } = setUp();
  const acted: string[] = [];
  let underWay = 0;
  let most = 0;
  const queue = new Queue({
    engine,
    clock,
    log,
    kind: "k",
    atOnce: 3,
    async act({ id }) {
      underWay += 1;
      most = Math.max(most, underWay);
      await remove(id);
      acted.push(id);
      underWay -= 1;
    },
  });
  for (let count = 0; count < 20; count++) await keep(`r${count}`);
  await keep("later", 4_500);
  queue.wake();
  queue.wake();
  await settled();
  expect(new Set(acted).size).toBe(20);
  expect(acted).toHaveLength(20);
  expect(most).toBe(3);
  for (let seconds = 0; seconds < 5; seconds++) {
    clock.advance(1_000);
    await settled();
  }
  expect(acted.at(-1)).toBe("later");
  await queue.stop();
});

test("what could not be dealt with comes again after a second; the log says so once", async () => {
  const { clock, engine, log, lines, keep, remove } = setUp();
  let tries = 0;
  const act = async ({ id }: { readonly id: string }) => {
    tries += 1;
    if (tries < 4) throw new Error("the disk is full");
    await remove(id);
  };
  const queue = new Queue({ engine, clock, log, kind: "k", atOnce: 3, act });
  await keep("r");
  queue.wake();
  for (let seconds = 0; seconds < 10; seconds++) {
    await settled();
    clock.advance(1_000);
  }
  expect(tries).toBe(4);
  expect(lines).toEqual(["ERROR Notifications wait: the disk is full"]);
  await queue.stop();
});

test("the end waits for what is under way, and nothing begins after it", async () => {
  const { clock, engine, log, keep, remove } = setUp();
  const { promise, resolve } = Promise.withResolvers<void>();
  const begun: string[] = [];
  const act = async ({ id }: { readonly id: string }) => {
    begun.push(id);
    await promise;
    await remove(id);
  };
  const queue = new Queue({ engine, clock, log, kind: "k", atOnce: 1, act });
  await keep("a");
  await keep("b");
  queue.wake();
  await settled();
  let isStopped = false;
  const stopped = queue.stop().then(() => {
    isStopped = true;
  });
  await settled();
  expect(isStopped).toBeFalse();
  resolve();
  await stopped;
  queue.wake();
  clock.advance(10_000);
  await settled();
  expect(begun).toEqual(["a"]);
});

test("what was found out before a device came does not count", async () => {
  const { clock, engine, log } = setUp();
  const reachable = new Reachable({ engine, clock, log });
  const before = reachable.generation;
  reachable.changed();
  reachable.noteNone("news", before);
  expect(reachable.mayHave("news", undefined)).toBeTrue();
  reachable.noteNone("news", reachable.generation);
  expect(reachable.mayHave("news", undefined)).toBeFalse();
  expect(reachable.mayHave("news", "tag:a")).toBeTrue();
  expect(reachable.mayHave("chat", undefined)).toBeTrue();
  reachable.changed();
  expect(reachable.mayHave("news", undefined)).toBeTrue();
});
