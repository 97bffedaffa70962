/** `kill -9` at random moments, on one data directory: what was answered is there, and the log has no hole. */
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { START } from "@carillon/protocol/position";
import type { Accepted, Engine } from "../packages/server/src/engine/engine.ts";
import { openSqliteEngine } from "../packages/server/src/engine/sqlite/sqlite.ts";
import { systemClock } from "../packages/server/src/lib/clock.ts";
import { silentLog } from "../packages/server/src/lib/log.ts";
import { Lines } from "./support/lines.ts";

const KILLS = 100;
const program = join(import.meta.dir, "support/publisher.ts");

interface Life {
  readonly promised: readonly Promised[];
  /** Ids in the order in which receivers heard of them. */
  readonly announced: readonly string[];
}

interface Promised {
  readonly channel: string;
  readonly id: string;
  readonly offset: number;
  readonly epoch: string;
  readonly key: string;
}

/** One life of the publisher: killed after a random number of answers, in the middle of whatever it does then. */
async function live(dir: string, life: number): Promise<Life> {
  const child = Bun.spawn([process.execPath, program, dir, `life${life}`], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const out = new Lines(child.stdout);
  const answers = Math.floor(Math.random() * 1_500);
  // Some die while they open the file, some after their first answers, most in full flight.
  if (life % 10 !== 0) await out.until((lines) => lines.length > answers);
  child.kill("SIGKILL");
  await child.exited;
  await out.ended;
  const promised = out.all.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  const announced = out.all.filter((line) => line.startsWith("announced ")).map((line) => line.slice(10));
  return { promised, announced };
}

async function readChannel(engine: Engine, channel: string, after: number): Promise<readonly Accepted[]> {
  const { offset: upTo } = await engine.top(channel);
  const found: Accepted[] = [];
  for (let from = after; from < upTo; ) {
    const request = { after: [from, from, from] as const, upTo, limit: 500, maxBytes: 1e9, nowMs: 0 };
    const page = await engine.read(channel, request);
    expect(page.gap).toBeUndefined();
    found.push(...page.publications);
    from = page.to;
  }
  return found;
}

/** What is known of the log after the lives so far. */
class Witness {
  epoch: string | undefined;
  readonly #ids = new Set<string>();
  readonly #lanes = new Map<string, [number, number, number]>();

  /** Opens the directory as the next life would, and compares. */
  async check(dir: string, { promised, announced }: Life): Promise<void> {
    const options = { dir, clock: systemClock, log: silentLog, retentionOf: () => ({}) };
    const engine = await openSqliteEngine(options);
    this.epoch ??= (await engine.top("any")).epoch;
    expect((await engine.top("any")).epoch).toBe(this.epoch);
    const kept = new Map<string, Accepted>();
    for (const { channel } of await engine.channels("", 100)) {
      for (const each of await this.#continued(engine, channel)) kept.set(each.id, each);
    }
    for (const { id, channel, offset, epoch } of promised) {
      expect(kept.get(id)).toMatchObject({ channel, offset });
      expect(epoch).toBe(this.epoch);
    }
    expect(announced.filter((id) => !kept.has(id))).toEqual([]);
    await this.#checkKeys(engine, promised.slice(-20));
    await engine.close();
  }

  /** What is new in a channel: each offset follows the one before, each `prev` is its lane's, no id comes twice. */
  async #continued(engine: Engine, channel: string): Promise<readonly Accepted[]> {
    const lanes = this.#lanes.get(channel) ?? [...START];
    this.#lanes.set(channel, lanes);
    const fresh = await readChannel(engine, channel, Math.max(...lanes));
    for (const { id, offset, prev, lane } of fresh) {
      expect(offset).toBe(Math.max(...lanes) + 1);
      expect(prev).toBe(lanes[lane]);
      lanes[lane] = offset;
      expect(this.#ids.has(id)).toBe(false);
      this.#ids.add(id);
    }
    return fresh;
  }

  /** A client that did not hear the answer and asks again gets the first one. */
  async #checkKeys(engine: Engine, promised: readonly Promised[]): Promise<void> {
    for (const { channel, id, offset, key } of promised) {
      const again = { id: `${id}-again`, channel, timeMs: systemClock.wallMs(), lane: 1 as const };
      const [result] = await engine.publish([
        { ...again, data: "1", meta: "", stored: true, idempotencyKey: key },
      ]);
      expect(result).toMatchObject({ id, offset, duplicate: true });
    }
  }
}

test(`${KILLS} kills: nothing that was answered is lost`, async () => {
  const dir = await mkdtemp(join(tmpdir(), "carillon-"));
  const witness = new Witness();
  let total = 0;
  for (let life = 1; life <= KILLS; life++) {
    const lived = await live(dir, life);
    total += lived.promised.length;
    await witness.check(dir, lived);
  }
  expect(total).toBeGreaterThan(KILLS * 100);
  await rm(dir, { recursive: true });
});
