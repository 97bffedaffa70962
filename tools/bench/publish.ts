/**
 * What it costs to keep a publication: publishes a second with many callers waiting, how late the event loop runs
 * meanwhile, and how long a lone publish takes beside an fsync of the same disk in the same seconds. In one process,
 * on the engine itself: no socket, no parsing.
 */
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine, NewPublication } from "../../packages/server/src/engine/engine.ts";
import { parseRetention } from "../../packages/server/src/engine/retention.ts";
import { openSqliteEngine } from "../../packages/server/src/engine/sqlite/sqlite.ts";
import { systemClock } from "../../packages/server/src/lib/clock.ts";
import { silentLog } from "../../packages/server/src/lib/log.ts";
import type { Bench } from "./bench.ts";
import { readFlags, readNumber, usageOf } from "./lib/flags.ts";
import { machine } from "./lib/machine.ts";
import { median, percentile } from "./lib/stats.ts";
import { table } from "./lib/table.ts";

const flags = {
  waiting: { initial: "1000", about: "callers that wait at a time, each with one publication" },
  channels: { initial: "1", about: "channels they publish to" },
  size: { initial: "100", about: "bytes of a publication's data" },
  count: { initial: "500000", about: "publications in a round" },
  lone: { initial: "300", about: "publishes with nobody else waiting, each beside an fsync" },
  rounds: { initial: "3", about: "measurements, each on a new file" },
  retention: { initial: "*", about: "as in carillon serve" },
  dir: { initial: tmpdir(), about: "where the files are made; it has to be a real disk" },
  json: { initial: "", about: "file for the figures" },
} as const;

const about = "publishes a second, event-loop lag, and a lone publish beside an fsync";

export const publish: Bench = { name: "publish", about, usage: usageOf("publish", about, flags), run };

/** What it is held to. */
const TARGET = { perSecond: 200_000, lagP99Ms: 5, fsyncs: 2 };

interface Options {
  readonly waiting: number;
  readonly channels: number;
  readonly size: number;
  readonly count: number;
  readonly lone: number;
  readonly retention: string;
  readonly dir: string;
}

interface Round {
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly lagP50Ms: number;
  readonly lagP99Ms: number;
  readonly loneP50Ms: number;
  readonly loneP99Ms: number;
  readonly fsyncP50Ms: number;
}

async function run(args: readonly string[]): Promise<void> {
  const given = readFlags(flags, args);
  const options: Options = {
    waiting: readNumber("waiting", given.waiting, 1, 100_000),
    channels: readNumber("channels", given.channels, 1, 1_000_000),
    size: readNumber("size", given.size, 2, 1_000_000),
    count: readNumber("count", given.count, 1, 1e8),
    lone: readNumber("lone", given.lone, 1, 1e6),
    ...{ retention: given.retention, dir: given.dir },
  };
  const count = readNumber("rounds", given.rounds, 1, 1_000);
  const rounds: Round[] = [];
  for (let round = 1; round <= count; round++) {
    console.error(`round ${round} of ${count}`);
    rounds.push(await measure(options));
  }
  report(rounds);
  const figures = { bench: "publish", machine: machine(), options: { ...options, dir: undefined }, rounds };
  if (given.json !== "") await Bun.write(given.json, `${JSON.stringify(figures, null, 2)}\n`);
}

async function measure(options: Options): Promise<Round> {
  const dir = mkdtempSync(join(options.dir, "carillon-bench-"));
  try {
    const parsed = parseRetention(options.retention);
    if (!parsed.ok) throw new Error(`--retention: ${parsed.problem}`);
    const { retentionOf } = parsed;
    const engine = await openSqliteEngine({ dir, clock: systemClock, log: silentLog, retentionOf });
    try {
      await crowd(engine, { ...options, count: Math.min(options.count, WARMUP) });
      return { ...(await crowd(engine, options)), ...(await alone(engine, dir, options)) };
    } finally {
      await engine.close();
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Publications until the code has been compiled. */
const WARMUP = 50_000;

let made = 0;

function item(channel: string, size: number): NewPublication {
  made += 1;
  const base = {
    id: `Zk3bench-${made.toString(36)}`,
    channel,
    timeMs: systemClock.wallMs(),
    lane: 1 as const,
  };
  return { ...base, data: `"${"x".repeat(size - 2)}"`, meta: '{"urgency":"normal"}', stored: true };
}

async function crowd(engine: Engine, { waiting, channels, size, count }: Options) {
  let begun = 0;
  const caller = async (_: unknown, number: number) => {
    const channel = `news/${number % channels}`;
    while (begun < count) {
      begun += 1;
      await engine.publish([item(channel, size)]);
    }
  };
  const stopLag = watchLag();
  const before = process.cpuUsage();
  const startMs = performance.now();
  await Promise.all(Array.from({ length: waiting }, caller));
  const seconds = (performance.now() - startMs) / 1e3;
  const { user, system } = process.cpuUsage(before);
  const lags = stopLag();
  const lag = { lagP50Ms: percentile(lags, 0.5), lagP99Ms: percentile(lags, 0.99) };
  return { perSecond: count / seconds, cpuUs: (user + system) / count, ...lag };
}

/** How late a timer of one millisecond fires, again and again; stopping gives the list. */
function watchLag(): () => readonly number[] {
  const lags: number[] = [];
  let timer: ReturnType<typeof setTimeout>;
  const wait = () => {
    const dueMs = performance.now() + 1;
    timer = setTimeout(() => {
      lags.push(Math.max(0, performance.now() - dueMs));
      wait();
    }, 1);
  };
  wait();
  return () => {
    clearTimeout(timer);
    return lags;
  };
}

/** In turn, so that a slow second of the disk is one for both. */
async function alone(engine: Engine, dir: string, { lone, size }: Options) {
  const file = openSync(join(dir, "fsync"), "w");
  const page = Buffer.alloc(4_096, 1);
  const fsyncs: number[] = [];
  const publishes: number[] = [];
  for (let index = 0; index < lone; index++) {
    const startMs = performance.now();
    writeSync(file, page);
    fsyncSync(file);
    const middleMs = performance.now();
    await engine.publish([item("lone", size)]);
    fsyncs.push(middleMs - startMs);
    publishes.push(performance.now() - middleMs);
  }
  closeSync(file);
  const loneP50Ms = percentile(publishes, 0.5);
  return { loneP50Ms, loneP99Ms: percentile(publishes, 0.99), fsyncP50Ms: percentile(fsyncs, 0.5) };
}

function report(rounds: readonly Round[]): void {
  const of = (figure: (round: Round) => number) => median(rounds.map(figure));
  const perSecond = of((round) => round.perSecond);
  const lagP99Ms = of((round) => round.lagP99Ms);
  const fsyncs = of((round) => round.loneP50Ms / round.fsyncP50Ms);
  const row = [
    "SQLite",
    Math.round(perSecond).toLocaleString("en"),
    of((round) => round.cpuUs).toFixed(2),
    of((round) => round.lagP50Ms).toFixed(2),
    lagP99Ms.toFixed(2),
    of((round) => round.loneP50Ms).toFixed(3),
    of((round) => round.loneP99Ms).toFixed(3),
    of((round) => round.fsyncP50Ms).toFixed(3),
  ];
  const header = [
    "engine",
    "publishes/s",
    "CPU µs each",
    "lag p50 ms",
    "p99",
    "lone p50 ms",
    "p99",
    "fsync p50 ms",
  ];
  console.log(table(header, [row]));
  const verdict = (isMet: boolean) => (isMet ? "met" : "MISSED");
  console.log(`\n>= ${TARGET.perSecond} publishes/s: ${verdict(perSecond >= TARGET.perSecond)}`);
  console.log(`lag p99 < ${TARGET.lagP99Ms} ms: ${verdict(lagP99Ms < TARGET.lagP99Ms)}`);
  console.log(
    `a lone publish within ${TARGET.fsyncs} fsyncs: ${verdict(fsyncs <= TARGET.fsyncs)} (${fsyncs.toFixed(2)})`,
  );
}
