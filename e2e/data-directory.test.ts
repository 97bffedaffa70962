/** The data directory from outside: two processes, permissions, and a disk that fails and recovers. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Lines } from "./support/lines.ts";

const program = join(import.meta.dir, "support/publisher.ts");

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-"));
});
afterEach(async () => {
  await chmod(dir, 0o755);
  await rm(dir, { recursive: true });
});

/** Starts the publisher on the directory, `prefix` before its command. */
function start(...prefix: string[]) {
  const command = [...prefix, process.execPath, program, dir, crypto.randomUUID()];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [out, err] = [new Lines(child.stdout), new Lines(child.stderr)];
  const kill = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };
  return { child, out, err, kill, [Symbol.asyncDispose]: kill };
}

/** Runs the publisher where it cannot start; its one line. */
async function refusal(...prefix: string[]): Promise<string> {
  await using publisher = start(...prefix);
  expect(await publisher.child.exited).toBe(1);
  await publisher.err.ended;
  expect(publisher.err.all).toHaveLength(1);
  return publisher.err.all[0] ?? "";
}

/** Root may write what is read-only, save without this capability. */
const asOwner = process.getuid?.() === 0 ? ["setpriv", "--bounding-set", "-dac_override"] : [];

test("a second process is refused at once, also while the first is busy; kill -9 frees the directory", async () => {
  await using first = start();
  await first.out.count(/^\{/, 100);
  expect(await refusal()).toBe(`${dir}: another process uses this data directory`);
  await first.kill();
  await using second = start();
  await second.out.count(/^\{/, 100);
});

test("a directory or file that cannot be written is named, and left as it is", async () => {
  await chmod(dir, 0o555);
  expect(await refusal(...asOwner)).toStartWith(`${dir}/lock.db: it cannot be opened`);
  await chmod(dir, 0o755);
  await using publisher = start();
  await publisher.out.count(/^\{/, 10);
  await publisher.kill();
  const file = join(dir, "carillon.db");
  await chmod(file, 0o444);
  const before = await readFile(file);
  expect(await refusal(...asOwner)).toStartWith(`${file}: it cannot be written`);
  expect(await readFile(file)).toEqual(before);
});

test("while the disk takes no more, publishes are refused; when it does again, they go on", async () => {
  // A limit on the size of files stands in for a full disk: the same failing write, and no root needed.
  const limited = 'trap "" XFSZ; ulimit -S -f 2000; exec "$@"';
  await using publisher = start("sh", "-c", limited, "sh");
  expect(await publisher.out.line(/^refused/)).toContain(`${dir}/carillon.db: `);
  await publisher.out.count(/^refused/, 50);
  const refusedAt = publisher.out.all.length;
  Bun.spawnSync(["prlimit", "--pid", String(publisher.child.pid), "--fsize=unlimited"]);
  const goesOn = (lines: readonly string[]) =>
    lines.slice(refusedAt).filter((line) => line.startsWith("{")).length > 1_000;
  await publisher.out.until(goesOn);
  const offsets = new Map<string, number>();
  for (const line of publisher.out.all.filter((each) => each.startsWith("{"))) {
    const { channel, offset } = JSON.parse(line);
    offsets.set(`${channel} ${offset}`, (offsets.get(`${channel} ${offset}`) ?? 0) + 1);
  }
  expect([...offsets.values()].every((count) => count === 1)).toBe(true);
});
