/** Files of older schemas. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { START } from "@carillon/protocol/position";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { silentLog } from "../../lib/log.ts";
import { makeSchema1 } from "../testing/schema-1.ts";
import { DUE } from "./reader.ts";
import { openSqliteEngine, type SqliteEngineOptions } from "./sqlite.ts";

let dir: string;
const clock = new VirtualClock();
const timeMs = clock.wallMs();
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-"));
});
afterEach(() => rm(dir, { recursive: true }));

const open = (options: Partial<SqliteEngineOptions> = {}) =>
  openSqliteEngine({ dir, clock, log: silentLog, retentionOf: () => ({}), ...options });

/** What a file says of itself: its version, and every table and index as they were declared. */
function shapeOf(file: string): unknown[] {
  const db = new Database(file, { readonly: true });
  const version = db.query("PRAGMA user_version").values();
  const declared = db.query("SELECT type, name, sql FROM sqlite_schema ORDER BY name").values();
  db.close();
  return [version, declared];
}

test("a file of version 1 is brought up to date and goes on where it was", async () => {
  const file = join(dir, "carillon.db");
  makeSchema1(file, { epoch: "one", timeMs });
  for (let life = 1; life <= 2; life++) {
    const engine = await open();
    expect(await engine.channel("news")).toEqual({
      ...{ channel: "news", epoch: "one", offset: life, count: life, bytes: 3 * life },
    });
    const whole = { after: START, upTo: 10, limit: 10, maxBytes: 1e6, nowMs: timeMs };
    expect((await engine.read("news", whole)).publications[0]).toEqual({
      ...{ id: "old", channel: "news", timeMs, lane: 1, data: '"a"', meta: "", offset: 1, prev: 0 },
    });
    expect((await engine.positionsOf("d")).get("news")).toEqual({
      ...{ epoch: "one", offsets: [0, 1, 0], sent: [0, 1, 0] },
    });
    const again = {
      id: `new-${life}`,
      channel: "news",
      timeMs,
      lane: 1,
      data: '"b"',
      meta: "",
      stored: true,
    };
    expect(await engine.publish([{ ...again, lane: 1, idempotencyKey: "k" }])).toMatchObject([
      { id: "old", offset: 1, duplicate: true },
    ]);
    expect(await engine.publish([{ ...again, lane: 1 }])).toMatchObject([{ offset: life + 1 }]);
    expect(await engine.records("key", "", 10)).toHaveLength(life - 1);
    expect(await engine.due("key", 5, 10)).toHaveLength(life - 1);
    await engine.saveRecords([{ kind: "key", id: "a", data: "{}", dueMs: 5 }]);
    await engine.close();
  }
  const other = join(dir, "other");
  await (await open({ dir: other })).close();
  expect(shapeOf(file)).toEqual(shapeOf(join(other, "carillon.db")));
});

test("a file that cannot be brought up to date stays as it was", async () => {
  const file = join(dir, "carillon.db");
  makeSchema1(file, { epoch: "one", timeMs });
  const before = shapeOf(file);
  await expect(open({ maxPages: 1 })).rejects.toThrow(`${file}: the disk is full`);
  expect(shapeOf(file)).toEqual(before);
  await (await open()).close();
  expect(shapeOf(file)).not.toEqual(before);
});

test("what is due is read from its index, in its order", async () => {
  await (await open()).close();
  const db = new Database(join(dir, "carillon.db"), { readonly: true });
  const plan = db.query(`EXPLAIN QUERY PLAN ${DUE}`).all("run", 1, 1);
  db.close();
  const detail = "SEARCH record USING INDEX record_due (kind=? AND due_ms<?)";
  expect(plan).toEqual([expect.objectContaining({ detail })]);
});
