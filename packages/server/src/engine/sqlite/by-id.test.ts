/** Publications found by their ids, though the clock that made those went back. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import fc from "fast-check";
import { timeOrderedIds } from "../../lib/ids.ts";
import { silentLog } from "../../lib/log.ts";
import type { Engine, NewPublication } from "../engine.ts";
import { openSqliteEngine, type SqliteEngineOptions } from "./sqlite.ts";

let dir: string;
const clock = new VirtualClock();
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-"));
});
afterEach(() => rm(dir, { recursive: true }));

const open = (options: Partial<SqliteEngineOptions> = {}) =>
  openSqliteEngine({ dir, clock, log: silentLog, retentionOf: () => ({}), ...options });

const item = (id: string, fields: Partial<NewPublication> = {}): NewPublication => ({
  ...{ id, channel: "news", timeMs: 0, lane: 1, data: "1", meta: "", stored: true },
  ...fields,
});

const isFound = async (engine: Engine, id: string) => (await engine.publication(id))?.id === id;

/** The ids of `count` publications that a server makes whose clock stands at `wallMs`. */
async function start(wallMs: number, count: number): Promise<readonly string[]> {
  const engine = await open();
  const nextId = timeOrderedIds({ wallMs: () => wallMs });
  const ids = Array.from({ length: count }, nextId);
  await engine.publish(ids.map((id) => item(id)));
  await engine.close();
  return ids;
}

test("a clock that was set back between two starts hides nothing", async () => {
  const times = [5_000_000, 3_000_000, 4_000_000, 1_000_000, 9_000_000];
  const starts = [];
  for (const wallMs of times) starts.push(await start(wallMs, 20));
  const engine = await open();
  for (const id of starts.flat()) expect(await isFound(engine, id)).toBe(true);
  expect(await engine.publication(starts[0]?.[0]?.replace(/.$/, "!") ?? "")).toBeUndefined();
  // The end is removed and written anew, so that numbers of rows come again.
  for (let offset = 61; offset <= 100; offset++) expect(await engine.withdraw("news", offset)).toBe(true);
  await engine.close();
  const again = await start(2_000_000, 30);
  const other = await open();
  for (const id of [...starts.slice(0, 3).flat(), ...again]) expect(await isFound(other, id)).toBe(true);
  for (const id of starts.slice(3).flat()) expect(await isFound(other, id)).toBe(false);
  await other.close();
});

test("an id follows what is there, not what was written last and is gone", async () => {
  const engine = await open();
  await engine.publish(["5", "6", "9", "1"].map((id) => item(id)));
  for (const offset of [3, 4]) expect(await engine.withdraw("news", offset)).toBe(true);
  await engine.publish(["2", "3"].map((id) => item(id)));
  for (const id of ["5", "6", "2", "3"]) expect(await isFound(engine, id)).toBe(true);
  await engine.close();
});

test("in any order, as long as it does not break too often, each is found that is there", async () => {
  const step = fc.oneof(
    fc.record({ publish: fc.array(fc.nat(30), { minLength: 1, maxLength: 6 }) }),
    fc.record({ withdraw: fc.nat(40) }),
    fc.record({ withdrawLast: fc.integer({ min: 1, max: 5 }) }),
    fc.constant("restart" as const),
    fc.constant("fail" as const),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const own = await mkdtemp(join(dir, "life-"));
      let engine = await open({ dir: own });
      const there = new Map<string, number>();
      let offset = 0;
      for (const each of steps) {
        if (each === "restart") {
          await engine.close();
          engine = await open({ dir: own });
        } else if (each === "fail") {
          // A transaction that fails in the middle: an offset that no column takes.
          const broken = item("00", { timeMs: 0.5 });
          await engine.publish([item("00"), broken]).catch(() => {});
        } else if ("withdraw" in each) {
          await engine.withdraw("news", each.withdraw);
          for (const [id, at] of there) if (at === each.withdraw) there.delete(id);
        } else if ("withdrawLast" in each) {
          for (const [id, at] of [...there].slice(-each.withdrawLast)) {
            await engine.withdraw("news", at);
            there.delete(id);
          }
        } else {
          const ids = each.publish.map((prefix, index) => `${10 + prefix}-${offset + index}`);
          await engine.publish(ids.map((id) => item(id)));
          for (const id of ids) there.set(id, ++offset);
        }
      }
      for (const [id, at] of there) expect(await engine.publication(id)).toMatchObject({ id, offset: at });
      for (let prefix = 10; prefix <= 40; prefix++) expect(await isFound(engine, `${prefix}`)).toBe(false);
      await engine.close();
    }),
    { numRuns: 60 },
  );
}, 30_000);

test("beyond that the newest are found, and no search takes for ever", async () => {
  const engine = await open();
  const ids = Array.from({ length: 300 }, (_, index) => String(1_000 - index));
  await engine.publish(ids.map((id) => item(id)));
  for (const id of ids.slice(-64)) expect(await isFound(engine, id)).toBe(true);
  await engine.close();
});
