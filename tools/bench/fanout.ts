/**
 * What a push to everybody costs: server CPU per delivered message, memory per connection, lateness. For this
 * server, for others, and for the floor, in turn, so that a slow minute of the machine is a slow minute for all.
 */
import type { Bench } from "./bench.ts";
import { type FanoutReport, type Options, printReport, type Round, summarize } from "./fanout-report.ts";
import { temporaryDirectory } from "./lib/compile.ts";
import { readFlags, readNumber, usageOf } from "./lib/flags.ts";
import type { Run } from "./lib/lateness.ts";
import { compileLoad, startLoad } from "./lib/load.ts";
import { machine } from "./lib/machine.ts";
import { cpuBetween, rssBytes, sampleCpu } from "./lib/proc.ts";
import { pinSelf } from "./lib/processes.ts";
import { type Contender, contenders, startServer } from "./servers.ts";

const flags = {
  clients: { initial: "5000", about: "plain clients, each with a connection of its own" },
  size: { initial: "100", about: "bytes of a message" },
  rate: { initial: "1", about: "pushes a second, each to every client; 1 at most" },
  seconds: { initial: "20", about: "length of a measurement" },
  warmup: { initial: "5", about: "pushes before it" },
  rounds: { initial: "5", about: "measurements per server, in turn" },
  only: { initial: "", about: "some of the servers, separated by commas" },
  json: { initial: "", about: "file for the figures, those of every round included" },
} as const;

const about = "server CPU per delivered message, memory per connection and lateness of a timed push";

export const fanout: Bench = {
  name: "fanout",
  about,
  usage: usageOf("fanout", about, flags),
  run,
};

const SERVER_CORE = 0;
const CLIENT_CORE = 1;

async function run(args: readonly string[]): Promise<void> {
  const given = readFlags(flags, args);
  const options = readOptions(given);
  const directory = temporaryDirectory();
  const program = compileLoad(directory);
  const chosen = choose(contenders(directory), given.only);
  pinSelf(CLIENT_CORE);
  const rounds = new Map<string, Round[]>(chosen.map(({ name }) => [name, []]));
  for (let round = 1; round <= options.rounds; round++) {
    for (const contender of chosen) {
      console.error(`round ${round} of ${options.rounds}: ${contender.name}`);
      rounds.get(contender.name)?.push(await measure(contender, options, { directory, program }));
    }
  }
  const report: FanoutReport = {
    bench: "fanout",
    machine: machine(),
    options,
    servers: [...rounds].map(([name, each]) => summarize(name, each, options)),
  };
  printReport(report);
  if (given.json !== "") await Bun.write(given.json, `${JSON.stringify(report, null, 2)}\n`);
}

function readOptions(given: Record<keyof typeof flags, string>): Options {
  return {
    clients: readNumber("clients", given.clients, 1, 100_000),
    size: readNumber("size", given.size, 1, 4_096),
    rate: readNumber("rate", given.rate, 0.01, 1),
    seconds: readNumber("seconds", given.seconds, 1, 3_600),
    warmup: readNumber("warmup", given.warmup, 1, 1_000),
    rounds: readNumber("rounds", given.rounds, 1, 1_000),
  };
}

function choose(all: readonly Contender[], only: string): readonly Contender[] {
  const names = only === "" ? all.map(({ name }) => name) : only.split(",");
  const unknown = names.filter((name) => !all.some((each) => each.name === name));
  if (unknown.length > 0) {
    throw new Error(`no server ${unknown.join(", ")}; there are ${all.map(({ name }) => name).join(", ")}`);
  }
  return all.filter(({ name }) => names.includes(name));
}

/** A runtime is still compiling and collecting when it first listens; its memory is read once it is still. */
const SETTLE_MS = 1_000;

interface Tools {
  readonly directory: string;
  readonly program: string;
}

/** One round of one server, from its start to its end. */
async function measure(contender: Contender, options: Options, tools: Tools): Promise<Round> {
  const push = { periodMs: Math.round(1_000 / options.rate), text: "x".repeat(options.size) };
  const server = await startServer(contender.command(push), SERVER_CORE, tools.directory);
  try {
    await Bun.sleep(SETTLE_MS);
    const idleRssBytes = rssBytes(server.pid);
    const { path, protocol } = contender;
    const { port } = server;
    const { clients } = options;
    const periodMs = push.periodMs;
    const load = await startLoad({
      ...{ program: tools.program, core: CLIENT_CORE },
      ...{ port, path, protocol, clients, periodMs },
    });
    // The first run after the last connection may have begun before it.
    for (let warmup = 0; warmup <= options.warmup; warmup++) await load.nextRun();
    const before = sampleCpu(server.pid);
    const runs: Run[] = [];
    const pushes = Math.max(1, Math.round(options.seconds * options.rate));
    while (runs.length < pushes) runs.push(await load.nextRun());
    const cpu = cpuBetween(before, sampleCpu(server.pid));
    await Bun.sleep(Math.min(SETTLE_MS, periodMs / 2));
    const rssBytesPerClient = (rssBytes(server.pid) - idleRssBytes) / clients;
    await load.stop();
    return { cpu, runs, idleRssBytes, rssBytesPerClient };
  } finally {
    await server.stop();
  }
}
