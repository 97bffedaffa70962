/** Backups of a running engine: what is in them, and what is left when they fail. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, open as openFile, readdir, readFile, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { silentLog } from "../../lib/log.ts";
import type { Engine, NewPublication } from "../engine.ts";
import { openSqliteEngine, type SqliteEngineOptions } from "./sqlite.ts";

let root: string;
let dir: string;
let out: string;
let path: string;
let engine: Engine;
const clock = new VirtualClock();
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "carillon-"));
  [dir, out] = [join(root, "data"), join(root, "out")];
  path = join(out, "copy.db");
  await mkdir(out);
});
afterEach(async () => {
  await engine.close();
  await rm(root, { recursive: true });
});

const open = (options: Partial<SqliteEngineOptions> = {}) =>
  openSqliteEngine({ dir, clock, log: silentLog, retentionOf: () => ({}), ...options });

let made = 0;
function items(count: number): NewPublication[] {
  const data = JSON.stringify("x".repeat(500));
  return Array.from({ length: count }, () => ({
    ...{ id: `p${++made}`, channel: `c${made % 3}`, timeMs: clock.wallMs(), data, meta: "", stored: true },
    lane: 1 as const,
  }));
}

const CHANNELS = ["c0", "c1", "c2"];

/** Id and offset of everything that `of` holds, channel by channel. */
async function idsOf(of: Engine) {
  const kept = [];
  for (const channel of CHANNELS) {
    const whole = { upTo: 1e6, limit: 1e6, maxBytes: 1e9, nowMs: clock.wallMs() };
    for (let to = 0; to < whole.upTo; ) {
      const page = await of.read(channel, { ...whole, after: [to, to, to] });
      to = page.to;
      kept.push(...page.publications.map(({ id, offset }) => ({ channel, id, offset })));
    }
  }
  return kept;
}

/** Why a backup to `to` is refused, in one line. */
const refusal = (to: string): Promise<string> =>
  engine.backup(to).then(
    () => "not at all",
    ({ code, message }) => `${code}: ${message}`,
  );

test("a backup holds everything up to one moment, in one tidy file, while publishes go on", async () => {
  engine = await open();
  await engine.publish(items(3_000));
  await engine.saveRecords([{ kind: "key", id: "a", data: "1", labels: ["x", "y"] }]);
  const position = { epoch: "e", offsets: [1, 2, 3] } as const;
  await engine.savePositions([{ device: "d", channel: "c0", position, sent: [2, 2, 3] }]);
  const before = await idsOf(engine);
  const done = engine.backup(path).then(() => "done");
  let during = 0;
  while ((await Promise.race([done, engine.publish(items(20))])) !== "done") during += 20;
  expect(during).toBeGreaterThan(0);
  expect(await readdir(out)).toEqual(["copy.db"]);
  const copy = new Database(path, { readonly: true });
  expect(copy.query("PRAGMA integrity_check").values()).toEqual([["ok"]]);
  expect(copy.query("PRAGMA journal_mode").values()).toEqual([["delete"]]);
  copy.close();

  const restored = join(root, "restored");
  await mkdir(restored);
  await Bun.write(join(restored, "carillon.db"), Bun.file(path));
  const other = await open({ dir: restored });
  const kept = await idsOf(other);
  for (const channel of CHANNELS) {
    const of = (all: typeof kept) => all.filter((each) => each.channel === channel);
    const there = of(kept).length;
    expect(there).toBeGreaterThanOrEqual(of(before).length);
    expect(of(kept)).toEqual(of(await idsOf(engine)).slice(0, there));
    expect(await other.channel(channel)).toMatchObject({ offset: there, count: there });
  }
  expect((await other.top("c0")).epoch).toBe((await engine.top("c0")).epoch);
  expect(await other.labelled("key", "y", "", 10)).toEqual(await engine.records("key", "", 10));
  expect(await other.countLabelled("key", "x")).toBe(1);
  expect((await other.positionsOf("d")).get("c0")).toEqual({ ...position, sent: [2, 2, 3] });
  await other.close();
});

test("a path that is taken is refused, and left as it is", async () => {
  engine = await open();
  await Bun.write(path, "somebody's notes");
  expect(await refusal(path)).toBe(`unavailable: ${path}: it exists already; it has been left as it is`);
  expect(await readFile(path, "utf8")).toBe("somebody's notes");
  const link = join(out, "link");
  await symlink(join(out, "nothing"), link);
  expect(await refusal(link)).toContain("exists already");
  expect(await readdir(out)).toEqual(["copy.db", "link"]);
  await engine.backup(relative(process.cwd(), join(out, "relative.db")));
  expect((await stat(join(out, "relative.db"))).size).toBeGreaterThan(0);
});

test("a place that cannot be written is named", async () => {
  engine = await open();
  const nowhere = join(out, "no/where.db");
  expect(await refusal(nowhere)).toStartWith(`unavailable: ${nowhere}: it cannot be opened`);
  await Bun.write(path, "");
  expect(await refusal(join(path, "below"))).toStartWith(`unavailable: ${path}/below: `);
  expect(await refusal("/proc/copy.db")).toStartWith("unavailable: /proc/copy.db: it cannot be opened");
});

test("of a damaged file no backup is made, and the damage is named", async () => {
  const first = await open();
  await first.publish(items(500));
  await first.close();
  engine = await open();
  const file = join(dir, "carillon.db");
  const handle = await openFile(file, "r+");
  const { size } = await handle.stat();
  await handle.write(Buffer.alloc(16_384, 0xa5), 0, 16_384, Math.floor(size / 16_384) * 8_192);
  await handle.close();
  expect(await refusal(path)).toStartWith(`unavailable: ${file}: it is damaged`);
  expect(await readdir(out)).toEqual([]);
});

test("one at a time, and the next after it; what one that was killed has left is no hindrance", async () => {
  engine = await open();
  await Bun.write(`${path}.carillon-partial`, "half of a backup");
  const first = engine.backup(path);
  expect(await refusal(join(out, "other.db"))).toBe(
    `unavailable: ${join(out, "other.db")}: another backup is under way`,
  );
  await first;
  expect(await readdir(out)).toEqual(["copy.db"]);
  await engine.backup(join(out, "other.db"));
});

test("closing ends a backup and leaves nothing of it", async () => {
  engine = await open();
  await engine.publish(items(1_000));
  await Bun.write(`${path}.carillon-partial`, "so far");
  const ended = refusal(path);
  await engine.close();
  expect(await ended).toBe("closed: the engine is closed");
  expect(await readdir(out)).toEqual([]);
});

test("when its thread dies the backup fails, and publishes go on", async () => {
  const workers: Worker[] = [];
  const startWorker = () => {
    workers.push(new Worker(new URL("./writer.ts", import.meta.url)));
    return workers.at(-1) as Worker;
  };
  engine = await open({ startWorker });
  await Bun.write(`${path}.carillon-partial`, "so far");
  const ended = refusal(path);
  workers.at(-1)?.terminate();
  expect(workers).toHaveLength(2);
  expect(await ended).toBe(`unavailable: ${path}: the backup stopped: its thread ended`);
  expect(await readdir(out)).toEqual([]);
  await engine.publish(items(1));
  await engine.backup(path);
  expect(await readdir(out)).toEqual(["copy.db"]);
});
