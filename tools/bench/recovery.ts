/**
 * What it costs when everybody comes back at once: all clients subscribe from the same position in the same moment and
 * are caught up with what they missed.
 */
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { temporaryDirectory } from "./lib/compile.ts";
import { readFlags, readNumber, usageOf } from "./lib/flags.ts";
import { compileLoad, startLoad } from "./lib/load.ts";
import { cpuBetween, sampleCpu } from "./lib/proc.ts";
import { pinSelf } from "./lib/processes.ts";
import { median } from "./lib/stats.ts";
import { table } from "./lib/table.ts";
import { LETS_ALL_IN, startServer } from "./servers.ts";

const flags = {
  clients: { initial: "5000", about: "clients that return" },
  missed: { initial: "100", about: "messages that each of them missed; one page, so 500 at most" },
  size: { initial: "100", about: "bytes of a message" },
  rounds: { initial: "5", about: "measurements" },
  json: { initial: "", about: "file for the figures" },
} as const;

const about = "delivered messages a second while all clients return at once";

export const recovery: Bench = { name: "recovery", about, usage: usageOf("recovery", about, flags), run };

const SERVER_CORE = 0;
const CLIENT_CORE = 1;
const ADMIN_KEY = "bench-admin-key-0123456789";
/** A page comes whole or not at all; a client is waited for this long. */
const PERIOD_MS = 10_000;

interface Options {
  readonly clients: number;
  readonly missed: number;
  readonly size: number;
}

interface Round {
  readonly messages: number;
  readonly cpuMs: number;
  readonly userMs: number;
  readonly wallMs: number;
}

async function run(args: readonly string[]): Promise<void> {
  const given = readFlags(flags, args);
  const options = {
    clients: readNumber("clients", given.clients, 1, 19_000),
    missed: readNumber("missed", given.missed, 1, 500),
    size: readNumber("size", given.size, 1, 400),
  };
  const count = readNumber("rounds", given.rounds, 1, 1_000);
  const directory = temporaryDirectory();
  const program = compileLoad(directory);
  pinSelf(CLIENT_CORE);
  const rounds: Round[] = [];
  for (let round = 1; round <= count; round++) {
    console.error(`round ${round} of ${count}`);
    rounds.push(await measure(options, directory, program));
  }
  report(rounds);
  if (given.json !== "") await Bun.write(given.json, `${JSON.stringify({ options, rounds }, null, 2)}\n`);
}

async function measure(options: Options, directory: string, program: string): Promise<Round> {
  const { clients, missed } = options;
  const main = join(import.meta.dir, "../../packages/server/src/main.ts");
  const listen = [
    "--host",
    "127.0.0.1",
    "--port",
    "0",
    "--data",
    join(directory, `data-${Bun.nanoseconds()}`),
  ];
  const quiet = ["--push-every", "off", "--admin-key", ADMIN_KEY];
  const server = await startServer(
    [process.execPath, main, "serve", ...listen, ...quiet, ...LETS_ALL_IN],
    SERVER_CORE,
    directory,
  );
  try {
    const { port } = server;
    const position = JSON.stringify(await publish(port, missed, "x".repeat(options.size)));
    const load = await startLoad({
      ...{ program, core: CLIENT_CORE, port, path: "/ws", protocol: "carillon.v1" },
      ...{ clients, periodMs: PERIOD_MS, position },
    });
    const before = sampleCpu(server.pid);
    const startMs = performance.now();
    load.go();
    const { frames } = await load.nextRun();
    const wallMs = performance.now() - startMs;
    const { userUs, systemUs } = cpuBetween(before, sampleCpu(server.pid));
    await load.stop();
    if (frames !== clients) throw new Error(`${frames} of ${clients} clients were caught up`);
    return { messages: clients * missed, cpuMs: (userUs + systemUs) / 1e3, userMs: userUs / 1e3, wallMs };
  } finally {
    await server.stop();
  }
}

/** Publishes `count` messages; resolves to the position before the first. */
async function publish(port: number, count: number, text: string): Promise<object> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, ["carillon.v1"]);
  const { promise, resolve, reject } = Promise.withResolvers<object>();
  const say = (command: object) => socket.send(JSON.stringify(command));
  socket.onopen = () => say({ type: "connect", id: 1, token: ADMIN_KEY });
  socket.onclose = () => reject(new Error("the publisher was thrown out"));
  socket.onmessage = ({ data }) => {
    const reply = JSON.parse(String(data));
    if (reply.type === "connected" || (reply.type === "published" && reply.id <= count)) {
      say({ type: "publish", id: reply.id + 1, channel: "push", data: text });
    } else if (reply.type === "published") resolve({ epoch: reply.epoch, offset: reply.offset - count });
    else reject(new Error(`cannot publish: ${data}`));
  };
  return promise.finally(() => {
    socket.onclose = null;
    socket.close();
  });
}

function report(rounds: readonly Round[]): void {
  const of = (figure: (round: Round) => number) => median(rounds.map(figure));
  const millions = (perSecond: number) => (perSecond / 1e6).toFixed(2);
  const row = [
    "Carillon",
    millions(of(({ messages, cpuMs }) => messages / (cpuMs / 1e3))),
    millions(of(({ messages, wallMs }) => messages / (wallMs / 1e3))),
    of(({ cpuMs }) => cpuMs).toFixed(0),
    of(({ userMs }) => userMs).toFixed(0),
    of(({ wallMs }) => wallMs).toFixed(0),
  ];
  const header = ["server", "million/s of CPU", "million/s", "CPU ms", "user ms", "ms until all have it"];
  console.log(table(header, [row]));
}
