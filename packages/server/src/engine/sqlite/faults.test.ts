/** What the engine does when its medium fails, and when it comes back. */

import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { START } from "@carillon/protocol/position";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { silentLog } from "../../lib/log.ts";
import { EngineError, type NewPublication } from "../engine.ts";
import { openSqliteEngine, type SqliteEngineOptions } from "./sqlite.ts";

let dir: string;
let file: string;
let clock: VirtualClock;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-"));
  file = join(dir, "carillon.db");
  clock = new VirtualClock();
});
afterEach(() => rm(dir, { recursive: true }));

const open = (options: Partial<SqliteEngineOptions> = {}) =>
  openSqliteEngine({ dir, clock, log: silentLog, retentionOf: () => ({}), ...options });

let made = 0;
function item(fields: Partial<NewPublication> = {}): NewPublication {
  const base = { id: `p${++made}`, channel: "news", timeMs: clock.wallMs(), lane: 1, data: "1", meta: "" };
  return { ...base, stored: true, ...fields } as NewPublication;
}

/** The error that opening ends with: one line that names the file, and the file as it was. */
async function refusal(path: string): Promise<string> {
  const before = await readFile(file);
  const error = await open().then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(EngineError);
  expect(error.message).toStartWith(path);
  expect(error.message).not.toContain("\n");
  expect(await readFile(file)).toEqual(before);
  return error.message;
}

async function fill(count: number): Promise<void> {
  const engine = await open();
  const data = JSON.stringify("x".repeat(500));
  await engine.publish(Array.from({ length: count }, () => item({ data })));
  await engine.close();
}

test("what was kept is there after a restart, with its epoch, in one tidy file", async () => {
  const first = await open();
  const [result] = await first.publish([item({ idempotencyKey: "k" })]);
  await first.savePositions([{ device: "d", channel: "news", position: { epoch: "e", offsets: [1, 2, 3] } }]);
  const many = Array.from({ length: 3_000 }, (_, index) => `many-${index}`);
  const position = { epoch: "e", offsets: [1, 1, 1] } as const;
  const saving = first.savePositions(many.map((device) => ({ device, channel: "news", position })));
  await first.close();
  await saving;
  expect(await Array.fromAsync(new Bun.Glob("*").scan(dir))).toEqual(expect.arrayContaining(["carillon.db"]));
  expect(await stat(`${file}-wal`).catch(() => "gone")).toBe("gone");
  const second = await open();
  expect(await second.publish([item({ idempotencyKey: "k" })])).toEqual([
    { ...result, duplicate: true } as never,
  ]);
  expect(await second.top("news")).toMatchObject({ epoch: result?.epoch, offset: 1 });
  expect((await second.positionsOf("d")).get("news")).toMatchObject({ epoch: "e", offsets: [1, 2, 3] });
  for (const device of many) expect((await second.positionsOf(device)).size).toBe(1);
  await second.close();
});

test("a second engine on the directory is refused, until the first is closed", async () => {
  const first = await open();
  await expect(open()).rejects.toThrow(`${dir}: another process uses this data directory`);
  await first.close();
  await (await open()).close();
});

test("what is no database, is another program's or a newer Carillon's is refused", async () => {
  await Bun.write(file, "not a database, but somebody's notes\n".repeat(200));
  expect(await refusal(file)).toContain("not a Carillon database");
  await rm(file);
  const other = new Database(file);
  other.run("CREATE TABLE theirs (a)");
  other.close();
  expect(await refusal(file)).toContain("another program");
  await rm(file);
  await fill(1);
  const newer = new Database(file);
  newer.run("PRAGMA user_version = 99");
  newer.close();
  expect(await refusal(file)).toContain("newer Carillon (schema 99, known is 2)");
});

test("a damaged file is refused: cut short, or overwritten in the middle", async () => {
  await fill(500);
  const { size } = await stat(file);
  const whole = await readFile(file);
  await truncate(file, size - 20_000);
  expect(await refusal(file)).toContain("damaged");
  whole.fill(0xa5, size / 2, size / 2 + 8_192);
  await Bun.write(file, whole);
  expect(await refusal(file)).toContain("damaged");
});

test("a directory that cannot be made or written", async () => {
  const blocked = join(dir, "file");
  await Bun.write(blocked, "");
  await expect(open({ dir: join(blocked, "data") })).rejects.toThrow(join(blocked, "data"));
  // Not even root can make files there.
  await expect(open({ dir: "/proc" })).rejects.toThrow("/proc/lock.db: it cannot be opened");
});

test("a full disk rejects publishes and nothing else, and works again when there is room", async () => {
  const engine = await open({ maxPages: 40 });
  const announced: string[] = [];
  engine.onPublication((commit) => announced.push(...commit.map(({ id }) => id)));
  const data = JSON.stringify("x".repeat(2_000));
  const accepted: string[] = [];
  const publish = () => engine.publish([item({ data, expiresAtMs: clock.wallMs() + 60_000 })]);
  let error: unknown;
  for (let count = 0; count < 200 && error === undefined; count++) {
    await publish().then(
      ([result]) => accepted.push(result?.id ?? ""),
      (reason) => {
        error = reason;
      },
    );
  }
  expect(error).toMatchObject({ code: "unavailable", message: expect.stringContaining("the disk is full") });
  const guarded = engine.publish([item({ data })], [{ kind: "run", id: "a", data: "1", expect: null }]);
  expect(await guarded.catch(({ code }) => code)).toBe("unavailable");
  expect(await engine.record("run", "a")).toBeUndefined();
  const whole = { after: START, upTo: 1_000, limit: 1_000, maxBytes: 1e9, nowMs: clock.wallMs() };
  const { publications } = await engine.read("news", whole);
  expect(publications.map(({ id }) => id)).toEqual(accepted);
  expect(announced).toEqual(accepted);
  // What is not written needs no disk: it reaches those who are connected.
  await engine.publish([item({ id: "live", stored: false })]);
  expect(announced.at(-1)).toBe("live");
  // Room: what has expired is removed in the background.
  clock.advance(61_000);
  let again: readonly unknown[] = [];
  while (again.length === 0) {
    clock.advance(1_000);
    again = await publish().catch(() => []);
  }
  expect(again).toEqual([expect.objectContaining({ offset: accepted.length + 1, duplicate: false })]);
  await engine.close();
});

test("when the writer dies, what waits rejects, and a new one goes on where it was", async () => {
  const workers: Worker[] = [];
  const startWorker = () => {
    const worker = new Worker(new URL("./writer.ts", import.meta.url));
    workers.push(worker);
    return worker;
  };
  const engine = await open({ startWorker });
  await engine.publish([item()]);
  for (let life = 1; life <= 3; life++) {
    const died = new Promise((resolve) => workers.at(-1)?.addEventListener("close", resolve));
    const waiting = engine.publish([item({ channel: "other" })]);
    const outcome = waiting.catch((error) => error.code);
    // Two ticks later the request is with the writer.
    await Promise.resolve();
    workers.at(-1)?.terminate();
    await died;
    expect(["unavailable", expect.anything()]).toContainEqual(await outcome);
    await expect(engine.publish([item()])).rejects.toThrow("the writer stopped");
    expect(await engine.top("news")).toMatchObject({ offset: life });
    clock.advance(5_000);
    const [result] = await engine.publish([item()]);
    expect(result?.offset).toBe(life + 1);
  }
  await engine.close();
});
