/** Labels of records in the file: across restarts, and how they are looked for. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { silentLog } from "../../lib/log.ts";
import type { RecordChange } from "../engine.ts";
import { LABELLED } from "./reader.ts";
import { openSqliteEngine, type SqliteEngineOptions } from "./sqlite.ts";

let dir: string;
const clock = new VirtualClock();
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-"));
});
afterEach(() => rm(dir, { recursive: true }));

const open = (options: Partial<SqliteEngineOptions> = {}) =>
  openSqliteEngine({ dir, clock, log: silentLog, retentionOf: () => ({}), ...options });

const put = (id: string, labels: readonly string[], kind = "device"): RecordChange => ({
  ...{ kind, id, data: "1", labels },
});

/** What the file holds of labels, once it is closed. */
function rows(): unknown {
  const db = new Database(join(dir, "carillon.db"), { readonly: true });
  const labels = db.query("SELECT kind, label, id FROM record_label").values();
  const counts = db.query("SELECT kind, label, count FROM record_label_count").values();
  db.close();
  return { labels, counts };
}

test("labels are replaced and taken off after a restart as before it", async () => {
  const first = await open();
  await first.saveRecords([put("a", ["x", "y"]), put("b", ["x"]), put("k", ["z"], "key")]);
  await first.close();
  const second = await open();
  await second.saveRecords([put("a", ["y"]), { kind: "key", id: "k", data: "2" }]);
  await second.close();
  expect(rows()).toEqual({
    labels: [
      ["device", "x", "b"],
      ["device", "y", "a"],
    ],
    counts: [
      ["device", "x", 1],
      ["device", "y", 1],
    ],
  });
  const third = await open();
  await third.saveRecords(["a", "b"].map((id) => ({ kind: "device", id, data: undefined })));
  await third.close();
  expect(rows()).toEqual({ labels: [], counts: [] });
});

test("a commit that fails leaves labels and counts as they were", async () => {
  const engine = await open();
  await engine.saveRecords([put("a", ["x"])]);
  const broken = { ...put("c", ["x"]), dueMs: 0.5 };
  const failed = await engine
    .saveRecords([put("a", ["y"]), put("b", ["x"]), broken])
    .catch(({ code }) => code);
  expect(failed).toBe("unavailable");
  expect(await engine.countLabelled("device", "x")).toBe(1);
  await engine.saveRecords([put("a", ["z"])]);
  await engine.close();
  expect(rows()).toEqual({ labels: [["device", "z", "a"]], counts: [["device", "z", 1]] });
});

test("those that carry a label are looked for among these alone, in their order", async () => {
  await (await open()).close();
  const db = new Database(join(dir, "carillon.db"), { readonly: true });
  const plan = db.query(`EXPLAIN QUERY PLAN ${LABELLED}`).all("device", "x", "", 1);
  db.close();
  expect(plan).toEqual([
    expect.objectContaining({
      detail: "SEARCH record_label USING PRIMARY KEY (kind=? AND label=? AND id>?)",
    }),
    expect.objectContaining({ detail: "SEARCH record USING PRIMARY KEY (kind=? AND id=?)" }),
  ]);
});
