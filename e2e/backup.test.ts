/** Backups of the engine in a process of its own, on a disk that takes no more. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteEngine } from "../packages/server/src/engine/sqlite/sqlite.ts";
import { systemClock as clock } from "../packages/server/src/lib/clock.ts";
import { silentLog as log } from "../packages/server/src/lib/log.ts";

const program = join(import.meta.dir, "../packages/server/src/engine/testing/back-up.ts");

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "carillon-"));
});
afterEach(() => rm(root, { recursive: true }));

test("a backup that the disk does not take fails in one line, leaves nothing, and stops no publish", async () => {
  const [dir, out] = [join(root, "data"), join(root, "out")];
  await mkdir(out);
  const engine = await openSqliteEngine({ dir, clock, log, retentionOf: () => ({}) });
  const data = JSON.stringify("x".repeat(10_000));
  const fields = { channel: "news", timeMs: clock.wallMs(), lane: 1 as const, data, meta: "", stored: true };
  await engine.publish(Array.from({ length: 500 }, (_, index) => ({ ...fields, id: `p${index}` })));
  await engine.close();
  // A limit on the size of files stands in for a full disk; the file of 5 MB is already there, and its log stays small.
  const limited = 'trap "" XFSZ; ulimit -S -f 2000; exec "$@"';
  const path = join(out, "copy.db");
  const run = Bun.spawnSync(["sh", "-c", limited, "sh", process.execPath, program, dir, path]);
  expect(run.stderr.toString()).toBe("");
  const [said, published, ...rest] = run.stdout.toString().split("\n");
  expect(said).toStartWith(`unavailable: ${path}: `);
  expect([published, ...rest]).toEqual(["published at 501", ""]);
  expect(await readdir(out)).toEqual([]);
  const again = Bun.spawnSync([process.execPath, program, dir, path]);
  expect(again.stdout.toString()).toBe("made\npublished at 502\n");
  expect(await readdir(out)).toEqual(["copy.db"]);
});
