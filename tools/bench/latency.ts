/**
 * From publish to receipt: publications over HTTP at a steady rate, each to a channel with one subscriber of its own. The
 * publisher and the subscribers are this process, so both times are of one clock; the server has the other core.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { readFlags, readNumber, usageOf } from "./lib/flags.ts";
import { machine } from "./lib/machine.ts";
import { pinSelf } from "./lib/processes.ts";
import { median, percentile } from "./lib/stats.ts";
import { table } from "./lib/table.ts";
import { onDisk, startServer } from "./servers.ts";

const flags = {
  subscribers: { initial: "1000", about: "subscribers, each of a channel of its own" },
  rate: { initial: "1000", about: "publications a second" },
  seconds: { initial: "10", about: "length of a round" },
  rounds: { initial: "3", about: "measurements" },
  dir: { initial: tmpdir(), about: "where the data is kept; it has to be a real disk" },
  json: { initial: "", about: "file for the figures" },
} as const;

const about = "how long from a publish over HTTP until its subscriber has it";

export const latency: Bench = { name: "latency", about, usage: usageOf("latency", about, flags), run };

/** What it is held to. */
const TARGET_P99_MS = 10;
const KEY = "a-key-for-this-bench";
/** Publications that are under way at a time; beyond it the publisher waits, and that counts as latency. */
const CONNECTIONS = 64;

interface Options {
  readonly subscribers: number;
  readonly rate: number;
  readonly seconds: number;
  readonly dir: string;
}

interface Round {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly received: number;
}

async function run(args: readonly string[]): Promise<void> {
  const given = readFlags(flags, args);
  const options: Options = {
    subscribers: readNumber("subscribers", given.subscribers, 1, 15_000),
    rate: readNumber("rate", given.rate, 1, 100_000),
    seconds: readNumber("seconds", given.seconds, 1, 3_600),
    dir: given.dir,
  };
  const count = readNumber("rounds", given.rounds, 1, 1_000);
  pinSelf(1);
  const rounds: Round[] = [];
  for (let round = 1; round <= count; round++) {
    console.error(`round ${round} of ${count}`);
    rounds.push(await measure(options));
  }
  const row = [
    `${options.rate}/s to ${options.subscribers}`,
    ...(["p50Ms", "p99Ms", "maxMs"] as const).map((name) =>
      median(rounds.map((round) => round[name])).toFixed(2),
    ),
  ];
  console.log(table(["", "p50 ms", "p99", "max"], [row]));
  const isMet = median(rounds.map(({ p99Ms }) => p99Ms)) < TARGET_P99_MS;
  console.log(`p99 < ${TARGET_P99_MS} ms: ${isMet ? "met" : "MISSED"}`);
  const figures = { bench: "latency", machine: machine(), options: { ...options, dir: undefined }, rounds };
  if (given.json !== "") await Bun.write(given.json, `${JSON.stringify(figures, null, 2)}\n`);
}

async function measure({ subscribers, rate, seconds, dir: parent }: Options): Promise<Round> {
  const dir = mkdtempSync(join(parent, "carillon-bench-"));
  const server = await startServer(onDisk(join(dir, "data"), KEY), 0, dir);
  try {
    const base = `127.0.0.1:${server.port}`;
    const latencies: number[] = [];
    const sockets = await Promise.all(
      Array.from({ length: subscribers }, (_, index) =>
        subscribe(`ws://${base}/ws?channel=bench/${index}&token=${KEY}`, (text) =>
          latencies.push(performance.now() - Number(text)),
        ),
      ),
    );
    // Until the code has been compiled.
    await publishSteadily(base, subscribers, rate, 2);
    latencies.length = 0;
    const sent = await publishSteadily(base, subscribers, rate, seconds);
    if (latencies.length !== sent) throw new Error(`${sent} were published and ${latencies.length} received`);
    for (const socket of sockets) socket.close();
    return {
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      maxMs: percentile(latencies, 1),
      received: latencies.length,
    };
  } finally {
    await server.stop();
    rmSync(dir, { recursive: true });
  }
}

function subscribe(url: string, receive: (text: string) => void): Promise<WebSocket> {
  const socket = new WebSocket(url);
  socket.onmessage = ({ data }) => receive(String(data));
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve(socket);
    socket.onclose = () => reject(new Error("a subscriber was not let in"));
  });
}

/** Resolves to how many were published, once all have been answered: they have been delivered then. */
async function publishSteadily(
  base: string,
  channels: number,
  rate: number,
  seconds: number,
): Promise<number> {
  const total = rate * seconds;
  const startMs = performance.now();
  let next = 0;
  const publisher = async () => {
    while (next < total) {
      const number = next++;
      const dueMs = startMs + (number * 1_000) / rate;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await Bun.sleep(waitMs);
      // The time it should have left, where it is held up, which must not hide; timers fire a little early, too.
      const fromMs = Math.min(dueMs, performance.now());
      const response = await fetch(`http://${base}/v1/channels/bench/${number % channels}/messages`, {
        method: "POST",
        headers: { authorization: `Bearer ${KEY}` },
        body: String(fromMs),
      });
      if (response.status !== 201) throw new Error(`a publish was answered with ${response.status}`);
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, publisher));
  await Bun.sleep(200);
  return total;
}
