/**
 * Publishing over HTTP to disk: one at a time and in batches, from `wrk` on a few connections. What the server takes is
 * counted by thread: the event loop, which is one core at most, and the writer beside it.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { readFlags, readNumber, usageOf } from "./lib/flags.ts";
import { machine } from "./lib/machine.ts";
import { start } from "./lib/processes.ts";
import { median } from "./lib/stats.ts";
import { table } from "./lib/table.ts";
import { onDisk, startServer } from "./servers.ts";

const flags = {
  connections: { initial: "64", about: "connections that publish" },
  batch: { initial: "100", about: "publications in a batch" },
  size: { initial: "100", about: "bytes of a publication's data" },
  seconds: { initial: "10", about: "length of a round" },
  rounds: { initial: "3", about: "measurements of each" },
  dir: { initial: tmpdir(), about: "where the data is kept; it has to be a real disk" },
  json: { initial: "", about: "file for the figures" },
} as const;

const about = "durable publishes a second over HTTP, singly and in batches";

export const http: Bench = { name: "http", about, usage: usageOf("http", about, flags), run };

/** What it is held to. */
const TARGET = { single: 30_000, batch: 200_000 };
const KEY = "a-key-for-this-bench";

interface Options {
  readonly connections: number;
  readonly batch: number;
  readonly size: number;
  readonly seconds: number;
  readonly dir: string;
}

interface Round {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of the event loop's thread and of all others, per publication. */
  readonly loopUs: number;
  readonly otherUs: number;
}

async function run(args: readonly string[]): Promise<void> {
  if (Bun.which("wrk") === null) throw new Error("wrk is missing (Debian: wrk)");
  const given = readFlags(flags, args);
  const options: Options = {
    connections: readNumber("connections", given.connections, 1, 10_000),
    batch: readNumber("batch", given.batch, 1, 1_000),
    size: readNumber("size", given.size, 1, 60_000),
    seconds: readNumber("seconds", given.seconds, 1, 3_600),
    dir: given.dir,
  };
  const count = readNumber("rounds", given.rounds, 1, 1_000);
  const rounds: Record<"single" | "batch", Round[]> = { single: [], batch: [] };
  for (let round = 1; round <= count; round++) {
    for (const kind of ["single", "batch"] as const) {
      console.error(`round ${round} of ${count}: ${kind}`);
      rounds[kind].push(await measure(options, kind === "batch" ? options.batch : 0));
    }
  }
  report(rounds, options);
  const figures = { bench: "http", machine: machine(), options: { ...options, dir: undefined }, rounds };
  if (given.json !== "") await Bun.write(given.json, `${JSON.stringify(figures, null, 2)}\n`);
}

/** One server with a new file; `batch` 0 is a text a call. */
async function measure({ connections, size, seconds, dir: parent }: Options, batch: number): Promise<Round> {
  const dir = mkdtempSync(join(parent, "carillon-bench-"));
  const cores = `0-${navigator.hardwareConcurrency - 1}`;
  const server = await startServer(onDisk(join(dir, "data"), KEY), cores, dir);
  try {
    const script = join(dir, "post.lua");
    await Bun.write(script, luaOf(size, batch));
    const path = batch === 0 ? "/v1/channels/bench/messages" : "/v1/batch";
    const url = `http://127.0.0.1:${server.port}${path}`;
    const load = (forSeconds: number) =>
      wrk(["-t1", `-c${connections}`, `-d${forSeconds}s`, "--latency", "-s", script, url], cores);
    // Until the code has been compiled.
    await load(2);
    const before = threadUs(server.pid);
    const { requests, elapsedS, p50Ms, p99Ms } = await load(seconds);
    const after = threadUs(server.pid);
    const publications = requests * Math.max(1, batch);
    return {
      perSecond: publications / elapsedS,
      p50Ms,
      p99Ms,
      loopUs: (after.loop - before.loop) / publications,
      otherUs: (after.other - before.other) / publications,
    };
  } finally {
    await server.stop();
    rmSync(dir, { recursive: true });
  }
}

/** `wrk` is told what to post in Lua. */
function luaOf(size: number, batch: number): string {
  const data = "x".repeat(size);
  const messages = Array.from({ length: batch }, () => ({ channel: "bench", data }));
  const body = batch === 0 ? data : JSON.stringify({ messages });
  const type = batch === 0 ? "text/plain" : "application/json";
  return [
    'wrk.method = "POST"',
    `wrk.body = ${JSON.stringify(body)}`,
    `wrk.headers["Authorization"] = "Bearer ${KEY}"`,
    `wrk.headers["Content-Type"] = "${type}"`,
    "",
  ].join("\n");
}

async function wrk(args: readonly string[], cores: string) {
  const child = start(["wrk", ...args], { core: cores, stdout: "pipe" });
  const text = await new Response(child.stdout as ReadableStream).text();
  const failures = /Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)/.exec(text)?.[0];
  if (failures !== undefined) throw new Error(`wrk: ${failures}`);
  const [, requests, elapsed] = /(\d+) requests in ([\d.]+)s/.exec(text) ?? [];
  const at = (share: string) => msOf(new RegExp(`^ +${share}% +([\\d.]+)(us|ms|s)$`, "m").exec(text));
  return { requests: Number(requests), elapsedS: Number(elapsed), p50Ms: at("50"), p99Ms: at("99") };
}

function msOf(match: RegExpExecArray | null): number {
  const [, value, unit] = match ?? [];
  return Number(value) * (unit === "us" ? 1e-3 : unit === "ms" ? 1 : 1e3);
}

/** Time on a core so far, of the event loop's thread (whose id is the process's) and of the others. */
function threadUs(pid: number): { loop: number; other: number } {
  const spent = { loop: 0, other: 0 };
  for (const thread of new Bun.Glob("*").scanSync({ cwd: `/proc/${pid}/task`, onlyFiles: false })) {
    const [ns] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ");
    spent[Number(thread) === pid ? "loop" : "other"] += Number(ns) / 1e3;
  }
  return spent;
}

function report(rounds: Record<"single" | "batch", readonly Round[]>, { batch }: Options): void {
  const row = (name: string, list: readonly Round[]) => {
    const of = (figure: (round: Round) => number) => median(list.map(figure));
    return [
      name,
      Math.round(of((round) => round.perSecond)).toLocaleString("en"),
      of((round) => round.p50Ms).toFixed(2),
      of((round) => round.p99Ms).toFixed(2),
      of((round) => round.loopUs).toFixed(2),
      of((round) => round.otherUs).toFixed(2),
      Math.round(1e6 / of((round) => round.loopUs)).toLocaleString("en"),
    ];
  };
  const header = ["", "publishes/s", "p50 ms", "p99 ms", "loop µs each", "writer µs", "one loop could"];
  const batches = `batches of ${batch}`;
  console.log(table(header, [row("one a call", rounds.single), row(batches, rounds.batch)]));
  for (const kind of ["single", "batch"] as const) {
    const perSecond = median(rounds[kind].map((round) => round.perSecond));
    const verdict = perSecond >= TARGET[kind] ? "met" : "MISSED";
    console.log(`${kind}: >= ${TARGET[kind]} publishes/s: ${verdict}`);
  }
}
