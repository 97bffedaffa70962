/**
 * Thousands of seeds of `testing/simulation.ts`. A failure prints its seed; `SEED=123 npm run test:unit -- simulation`
 * runs that one alone, and `SEEDS=100000` looks longer.
 */
import { expect, test } from "bun:test";
import type { PublishOptions } from "@carillon/protocol/frames";
import type { Accepted } from "../engine/engine.ts";
import { App, CHANNELS, PlainApp, type Record, World } from "./testing/simulation.ts";

const ONE_SEED = process.env["SEED"];
const SEEDS = ONE_SEED === undefined ? Number(process.env["SEEDS"] ?? 2_500) : 1;
const FIRST_SEED = Number(ONE_SEED ?? 1);

const pick = <T>(random: () => number, from: readonly T[]): T =>
  from[Math.floor(random() * from.length)] as T;

function optionsOf(random: () => number): PublishOptions {
  return {
    ...(random() < 0.3 && { urgency: pick(random, ["high", "normal", "low", "very-low"] as const) }),
    ...(random() < 0.15 && { ttl: pick(random, [0, 2, 30]) }),
    ...(random() < 0.15 && { collapseKey: pick(random, ["a", "b"]) }),
  };
}

async function simulate(seed: number): Promise<void> {
  const world = new World(seed);
  const { random } = world;
  const apps = [new App(world, undefined), new App(world, "phone"), new App(world, undefined)];
  const plain = new PlainApp(world);
  let number = 0;
  const publishing: Promise<void>[] = [];
  for (let event = 0; event < 60; event++) {
    await world.pass(random() < 0.6 ? random() * 30 : random() * 2_000);
    const chance = random();
    if (chance < 0.75) {
      const burst = 1 + Math.floor(random() * 4);
      const channel = pick(random, CHANNELS);
      for (let n = 0; n < burst; n++) publishing.push(world.publish(channel, ++number, optionsOf(random)));
    } else if (chance < 0.9) pick(random, [...apps, plain]).cut();
    else if (chance < 0.96) pick(random, apps).start();
    else world.startServer();
  }
  // All heals. What is left is to converge.
  await world.pass(120_000);
  await Promise.all(publishing);
  checkPlain(world, plain);
  for (const app of apps) {
    expect(app.channels.map(({ state }) => state)).toEqual(CHANNELS.map(() => "live"));
    for (const record of app.records) check(world, record);
  }
}

/** Without a client's own bookkeeping: the server alone sends nothing twice, and all that is kept. */
function checkPlain(world: World, { connections }: PlainApp): void {
  const stored = world.committed.filter(({ channel }) => channel === "news");
  const offsetOf = new Map(stored.map(({ data, offset }) => [Number(data), offset]));
  for (const received of connections) {
    const offsets = received.flatMap((data) => offsetOf.get(data) ?? []);
    expect(
      offsets.every((offset, at) => at === 0 || offset > (offsets[at - 1] ?? 0)),
      `a plain client has each once, in order: ${offsets}`,
    ).toBe(true);
  }
}

function check(world: World, record: Record): void {
  for (const { from, seen } of record.lives) {
    const ids = new Set(seen.map(({ id }) => id));
    expect(ids.size, "nothing comes twice in one life of an app").toBe(seen.length);
    let last = from;
    for (const { offset } of seen) {
      if (offset === undefined) continue;
      expect(offset, "in order, and not what was stored as handled").toBeGreaterThan(last);
      last = offset;
    }
  }
  const seen = new Set(record.lives.flatMap((life) => life.seen.map(({ id }) => id)));
  expect(record.start, "it was subscribed").toBeDefined();
  const { start = 0 } = record;
  const lost = world.committed
    .filter(({ channel, offset, id }) => channel === record.channel && offset > start && !seen.has(id))
    .filter((publication) => !isTold(publication, record) && !mayBeSkipped(publication, world));
  expect(lost, "nothing is missing that was not told").toEqual([]);
}

function isTold({ offset }: Accepted, { gaps }: Record): boolean {
  return gaps.some((gap) => "from" in gap && gap.from <= offset && offset <= gap.to);
}

/** It has expired, or a later one with its collapse key exists. */
function mayBeSkipped(
  { channel, offset, expiresAtMs, meta }: Accepted,
  { committed, clock }: World,
): boolean {
  if (expiresAtMs !== undefined && expiresAtMs <= clock.wallMs()) return true;
  const keyOf = (text: string): string | undefined =>
    text === "" ? undefined : JSON.parse(text).collapseKey;
  const key = keyOf(meta);
  if (key === undefined) return false;
  return committed.some(
    (each) => each.channel === channel && each.offset > offset && keyOf(each.meta) === key,
  );
}

test(`${SEEDS} seeds from ${FIRST_SEED}: in order, once, nothing lost unannounced, everybody live in the end`, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    try {
      await simulate(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
}, 600_000);
