/** Restores: what is refused, what comes of one, and of one that is cut off anywhere. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { type Log, silentLog } from "../../lib/log.ts";
import type { Engine } from "../engine.ts";
import { makeSchema1 } from "../testing/schema-1.ts";
import { restoreSteps, stageRestore } from "./restore.ts";
import { openSqliteEngine } from "./sqlite.ts";

let root: string;
/** The data directory, whose channel `news` holds five publications. */
let dir: string;
/** A backup of it from when there were three. */
let backup: string;
let oldEpoch: string;
const clock = new VirtualClock();

const open = (of: string, log: Log = silentLog) =>
  openSqliteEngine({ dir: of, clock, log, retentionOf: () => ({}) });

const publish = (engine: Engine, count: number) =>
  engine.publish(
    Array.from({ length: count }, (_, index) => ({
      ...{ id: `p${index}`, channel: "news", timeMs: clock.wallMs(), lane: 1 as const },
      ...{ data: JSON.stringify("x".repeat(3_000)), meta: "", stored: true, expiresAtMs: 9e12 },
    })),
  );

/** The directory as a kill leaves it: what was written last stands in the log beside the file. */
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "carillon-"));
  [dir, backup] = [join(root, "data"), join(root, "backup.db")];
  const engine = await open(join(root, "running"));
  await publish(engine, 3);
  await engine.backup(backup);
  const [result] = await publish(engine, 2);
  oldEpoch = result?.epoch ?? "";
  await engine.savePositions([
    { device: "d", channel: "news", position: { epoch: oldEpoch, offsets: [0, 5, 0] } },
  ]);
  await cp(join(root, "running"), dir, { recursive: true });
  expect((await stat(join(dir, "carillon.db-wal"))).size).toBeGreaterThan(0);
  await engine.close();
});
afterEach(() => rm(root, { recursive: true }));

/** What stands in the data file `name`, with the log beside it, without touching either. */
async function look(name: string): Promise<{ readonly count: number; readonly epoch: string } | undefined> {
  const at = await mkdtemp(join(root, "look-"));
  const file = join(dir, name);
  if (!(await Bun.file(file).exists())) return undefined;
  await cp(file, join(at, "carillon.db"));
  await cp(`${file}-wal`, join(at, "carillon.db-wal")).catch(() => {});
  const db = new Database(join(at, "carillon.db"));
  const [[count, epoch] = []] = db
    .query("SELECT (SELECT count(*) FROM publication), value FROM meta WHERE key = 'epoch'")
    .values() as [number, string][];
  expect(db.query("PRAGMA integrity_check").values()).toEqual([["ok"]]);
  db.close();
  return { count: count ?? -1, epoch: epoch ?? "" };
}

/** Opens the engine, which has the backup's content and a life of its own; what was there before is kept. */
async function expectRestored(): Promise<void> {
  const engine = await open(dir);
  const top = await engine.top("news");
  expect(top).toMatchObject({ offset: 3 });
  expect(top.epoch).not.toBe(oldEpoch);
  expect((await engine.read("news", { ...everything(), after: [0, 0, 0] })).publications).toHaveLength(3);
  expect(await publish(engine, 1)).toMatchObject([{ offset: 4, epoch: top.epoch }]);
  await engine.close();
  expect(await look("carillon.db")).toEqual({ count: 4, epoch: top.epoch });
  expect(await look("carillon.db.before-restore")).toEqual({ count: 5, epoch: oldEpoch });
  expect((await names()).filter((name) => !name.startsWith("carillon.db.before-restore"))).toEqual([
    "carillon.db",
    "lock.db",
  ]);
}

const everything = () => ({ upTo: 1_000, limit: 1_000, maxBytes: 1e9, nowMs: clock.wallMs() });
const names = async (of = dir) => (await readdir(of)).sort();

test("the next start begins with the backup, in a new epoch, and says so in one line", async () => {
  const lines: string[] = [];
  const log: Log = { ...silentLog, info: (line) => lines.push(line) };
  const given = await readFile(backup);
  stageRestore(dir, backup);
  expect(await look("carillon.db")).toEqual({ count: 5, epoch: oldEpoch });
  const engine = await open(dir, log);
  const file = join(dir, "carillon.db");
  expect(lines).toEqual([`Restored ${file} from a backup; what it held before is in ${file}.before-restore`]);
  const { epoch } = await engine.top("news");
  // Whoever stands in the old log is told so by this: a device, and a client with a position of its own.
  expect((await engine.positionsOf("d")).size).toBe(0);
  expect((await engine.read("news", { ...everything(), after: [0, 0, 0] })).epoch).toBe(epoch);
  await engine.close();
  await (await open(dir, log)).close();
  expect(lines).toHaveLength(1);
  expect((await look("carillon.db"))?.epoch).toBe(epoch);
  expect(await readFile(backup)).toEqual(given);
});

test("positions that the backup holds keep the epoch they had", async () => {
  stageRestore(dir, join(dir, "../running/carillon.db"));
  const engine = await open(dir);
  expect((await engine.positionsOf("d")).get("news")).toMatchObject({ epoch: oldEpoch, offsets: [0, 5, 0] });
  expect((await engine.top("news")).epoch).not.toBe(oldEpoch);
  await engine.close();
});

/** How many steps a restore has, over one from before. */
const STEPS = 10;

test.each(Array.from({ length: STEPS + 1 }, (_, steps) => steps))(
  "cut off after step %i, it is either not there or finished by the next start",
  async (count) => {
    // What an earlier restore and a start that was cut off have left must not get mixed up with this one.
    await cp(join(dir, "carillon.db"), join(dir, "carillon.db.before-restore"));
    await Bun.write(join(dir, "carillon.db.before-restore-wal"), "of another time");
    stageRestore(dir, backup);
    const steps = restoreSteps(dir, "epoch-1");
    for (let taken = 0; taken < count; taken++) expect(steps.next().done).toBe(false);
    if (count === STEPS) expect(steps.next().done).toBe(true);
    const there = await look("carillon.db");
    const [old, restored] = [
      { count: 5, epoch: oldEpoch },
      { count: 3, epoch: "epoch-1" },
    ];
    expect([old, undefined, restored]).toContainEqual(there);
    if (count === 0 || count === STEPS) expect(there).toEqual(count === 0 ? old : restored);
    await expectRestored();
  },
);

/** A file that is being taken, cut off in the middle of its getting an epoch; `carillon.db.restoring` holds all five. */
async function cutOffInWriting(): Promise<void> {
  const [half, taken] = [join(root, "half.db"), join(dir, "carillon.db.restoring")];
  await cp(join(root, "running/carillon.db"), half);
  const db = new Database(half);
  for (const pragma of ["journal_mode = DELETE", "cache_size = 1"]) db.run(`PRAGMA ${pragma}`);
  db.run("BEGIN");
  db.run("UPDATE publication SET data = data || data || data");
  await cp(half, taken);
  await cp(`${half}-journal`, `${taken}-journal`);
  db.close();
}

test("a start that was cut off in the middle of writing is finished by the next", async () => {
  await cutOffInWriting();
  await (await open(dir)).close();
  expect(await look("carillon.db")).toMatchObject({ count: 5 });
  expect((await look("carillon.db"))?.epoch).not.toBe(oldEpoch);
  expect(await look("carillon.db.before-restore")).toEqual({ count: 5, epoch: oldEpoch });
});

test("what such a start has left does not get into what is staged after it", async () => {
  await cutOffInWriting();
  stageRestore(dir, backup);
  await expectRestored();
});

test("what is staged while an unfinished restore waits takes its place", async () => {
  stageRestore(dir, join(dir, "../running/carillon.db"));
  const steps = restoreSteps(dir, "epoch-1");
  for (let taken = 0; taken < 4; taken++) steps.next();
  expect(await names()).toContain("carillon.db.restoring");
  // And so does what is staged again after a call that was cut off.
  await Bun.write(join(dir, "restore.db.new"), "half of it");
  stageRestore(dir, backup);
  await expectRestored();
});

test("a damaged data file is no hindrance, and none at all neither", async () => {
  await rm(join(dir, "carillon.db-wal"));
  await Bun.write(join(dir, "carillon.db"), "no database any more\n".repeat(1_000));
  stageRestore(dir, backup);
  await (await open(dir)).close();
  expect(await look("carillon.db")).toMatchObject({ count: 3 });
  const fresh = join(root, "not/there/yet");
  stageRestore(fresh, backup);
  const engine = await open(fresh);
  expect(await engine.top("news")).toMatchObject({ offset: 3 });
  await engine.close();
  expect(await names(fresh)).toEqual(["carillon.db", "lock.db"]);
});

test("a restore can be undone by another", async () => {
  stageRestore(dir, backup);
  await (await open(dir)).close();
  stageRestore(dir, join(dir, "carillon.db.before-restore"));
  await (await open(dir)).close();
  expect(await look("carillon.db")).toMatchObject({ count: 5 });
  expect(await look("carillon.db.before-restore")).toMatchObject({ count: 3 });
});

test("a backup of an older schema is brought up to date", async () => {
  const old = join(root, "old.db");
  makeSchema1(old, { epoch: oldEpoch, timeMs: clock.wallMs() });
  stageRestore(dir, old);
  const engine = await open(dir);
  expect(await engine.records("key", "", 1)).toEqual([]);
  expect((await engine.top("news")).epoch).not.toBe(oldEpoch);
  await engine.close();
});

test("with `move` the file is taken, if it is of one piece", async () => {
  stageRestore(dir, backup, { move: true });
  expect(await Bun.file(backup).exists()).toBe(false);
  await expectRestored();
  const inTwo = join(root, "in-two.db");
  await rename(join(dir, "carillon.db.before-restore"), inTwo);
  await rename(join(dir, "carillon.db.before-restore-wal"), `${inTwo}-wal`);
  stageRestore(dir, inTwo, { move: true });
  await (await open(dir)).close();
  expect(await look("carillon.db")).toMatchObject({ count: 5 });
});

test("what was put there by hand is taken with its log, or refused", async () => {
  const staged = join(dir, "restore.db");
  await cp(join(dir, "carillon.db"), staged);
  await cp(join(dir, "carillon.db-wal"), `${staged}-wal`);
  await (await open(dir)).close();
  expect(await look("carillon.db")).toMatchObject({ count: 5 });
  expect((await look("carillon.db"))?.epoch).not.toBe(oldEpoch);
  const before = await names();
  for (const content of ["", "somebody's notes\n".repeat(1_000)]) {
    await Bun.write(staged, content);
    await expect(open(dir)).rejects.toThrow(`${staged}: it is not a Carillon database`);
    expect(await names()).toEqual([...before, "restore.db"].sort());
  }
  // A log that belongs to something else does not get into what is staged properly.
  await Bun.write(`${staged}-wal`, Bun.file(`${join(dir, "carillon.db.before-restore-wal")}`));
  stageRestore(dir, backup);
  await (await open(dir)).close();
  expect(await look("carillon.db")).toMatchObject({ count: 3 });
});

test("a wrong file is named, and nothing has changed", async () => {
  const wrong = join(root, "wrong.db");
  const before = await names();
  const refused = async (reason: string, of = wrong) => {
    const content = await readFile(of).catch(() => undefined);
    expect(() => stageRestore(dir, of, { move: true })).toThrow(`${of}: ${reason}`);
    expect(await names()).toEqual(before);
    expect(await readFile(of).catch(() => undefined)).toEqual(content as never);
  };
  const change = async (sql: string) => {
    await cp(backup, wrong);
    const db = new Database(wrong);
    db.run(sql);
    db.close();
  };
  await refused("ENOENT");
  await Bun.write(wrong, "");
  await refused("it is not a Carillon database");
  await Bun.write(wrong, "somebody's notes\n".repeat(1_000));
  await refused("it is not a Carillon database");
  await rm(wrong);
  const empty = new Database(wrong);
  for (const sql of ["CREATE TABLE a (b)", "DROP TABLE a"]) empty.run(sql);
  empty.close();
  await refused("it is not a Carillon database");
  await change("PRAGMA application_id = 7");
  await refused("it is the database of another program");
  await change("PRAGMA user_version = 99");
  await refused("it was written by a newer Carillon (schema 99, known is 2)");
  await change("DELETE FROM meta");
  await refused("it is damaged: it has no epoch");
  const page = await readFile(backup);
  await Bun.write(wrong, page.fill(0xa5, page.length - 8_192));
  await refused("it is damaged");
  // A row that says otherwise than its index, which only the thorough check sees.
  const skewed = await readFile(backup);
  const expiry = Buffer.alloc(6);
  expiry.writeUIntBE(9e12, 0, 6);
  skewed.writeUIntBE(9e12 + 1, skewed.lastIndexOf(expiry), 6);
  await Bun.write(wrong, skewed);
  const db = new Database(wrong, { readonly: true });
  expect(db.query("PRAGMA quick_check").values()).toEqual([["ok"]]);
  db.close();
  await refused("it is damaged");
  await refused("it is the data file itself", join(dir, "carillon.db"));
  await mkdir(join(root, "directory"));
  await refused("EISDIR", join(root, "directory"));
});
