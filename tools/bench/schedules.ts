/**
 * What schedules cost: a server with a million of them that wait, ten thousand runs that are due at one moment, and a thousand a
 * second at a steady pace. Lateness is from the due time until a subscriber has it; it and the server share the machine's clock.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteEngine } from "../../packages/server/src/engine/sqlite/sqlite.ts";
import { systemClock } from "../../packages/server/src/lib/clock.ts";
import { silentLog } from "../../packages/server/src/lib/log.ts";
import type { RecordChange } from "../../packages/server/src/schedule/ports.ts";
import { compile, keep, type ScheduleFields } from "../../packages/server/src/schedule/stored.ts";
import type { Bench } from "./bench.ts";
import { readFlags, readNumber, usageOf } from "./lib/flags.ts";
import { machine } from "./lib/machine.ts";
import { cpuBetween, rssBytes, sampleCpu } from "./lib/proc.ts";
import { median, percentile } from "./lib/stats.ts";
import { table } from "./lib/table.ts";
import { onDisk, type RunningServer, startServer } from "./servers.ts";

const flags = {
  schedules: { initial: "1000000", about: "schedules that wait" },
  burst: { initial: "10000", about: "runs that are due at one moment" },
  rate: { initial: "1000", about: "schedules of every second" },
  idle: { initial: "20", about: "seconds over which an idle server is watched" },
  seconds: { initial: "10", about: "length of the steady part" },
  rounds: { initial: "3", about: "measurements" },
  dir: { initial: tmpdir(), about: "where the data is kept; it has to be a real disk" },
  json: { initial: "", about: "file for the figures" },
} as const;

const about = "a million schedules that wait, and how late runs are";

export const schedules: Bench = { name: "schedules", about, usage: usageOf("schedules", about, flags), run };

/** What it is held to. */
const TARGET = { startMs: 3_000, idlePercent: 1, burstMs: 1_000, steadyP99Ms: 20 };
const KEY = "a-key-for-this-bench";
const HOUR_MS = 3_600_000;
/** Kept with one commit; the engine holds a commit in memory. */
const COMMIT = 10_000;
/** From writing what is due until that: the server has to be up by then, and a subscriber with it. */
const LEAD_MS = 6_000;
/** Until the code has been compiled. */
const WARM_UP_MS = 3_000;

interface Options {
  readonly burst: number;
  readonly rate: number;
  readonly idle: number;
  readonly seconds: number;
}

interface Round {
  readonly startMs: number;
  readonly idlePercent: number;
  readonly rssMb: number;
  readonly burstFirstMs: number;
  readonly burstLastMs: number;
  readonly burstCpuUs: number;
  readonly burstRssMb: number;
  readonly steadyP50Ms: number;
  readonly steadyP99Ms: number;
  readonly steadyMaxMs: number;
  readonly steadyCpuUs: number;
}

async function run(args: readonly string[]): Promise<void> {
  const given = readFlags(flags, args);
  const waiting = readNumber("schedules", given.schedules, 0, 1e7);
  const options: Options = {
    burst: readNumber("burst", given.burst, 1, 1e6),
    rate: readNumber("rate", given.rate, 1, 1e5),
    idle: readNumber("idle", given.idle, 1, 3_600),
    seconds: readNumber("seconds", given.seconds, 1, 3_600),
  };
  const count = readNumber("rounds", given.rounds, 1, 1_000);
  const dir = mkdtempSync(join(given.dir, "carillon-bench-"));
  try {
    console.error("an empty server");
    const empty = await idle(dir, options.idle);
    console.error(`making ${waiting} schedules`);
    await change(dir, changesOf(waiting, waitingFields));
    const bytes = statSync(join(dir, "data", "carillon.db")).size;
    const rounds: Round[] = [];
    for (let round = 1; round <= count; round++) {
      console.error(`round ${round} of ${count}`);
      const waited = await idle(dir, options.idle);
      rounds.push({ ...waited, ...(await burst(dir, options)), ...(await steady(dir, options)) });
    }
    report(rounds, empty, bytes / Math.max(1, waiting));
    const figures = {
      bench: "schedules",
      machine: machine(),
      options: { ...options, waiting },
      empty,
      rounds,
    };
    if (given.json !== "") await Bun.write(given.json, `${JSON.stringify(figures, null, 2)}\n`);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Of all kinds, and none due in the next hour. */
function waitingFields(number: number): ScheduleFields {
  const fields = { channel: `waiting/${number % 1_000}`, data: `Good morning, ${number}: {{now|HH:mm}}` };
  const at = new Date(systemClock.wallMs() + HOUR_MS * (2 + (number % 10_000))).toISOString();
  const hour = (new Date(systemClock.wallMs()).getUTCHours() + 3 + (number % 20)) % 24;
  switch (number % 4) {
    case 0:
      return { ...fields, at };
    case 1:
      return { ...fields, cron: `${number % 60} ${hour} * * *`, timeZone: "UTC" };
    case 2:
      return { ...fields, every: `${1 + (number % 300)}d`, misfire: "skip" };
    default:
      return {
        ...fields,
        cron: `0 9 ${1 + (number % 28)} * *`,
        until: "2099-12-31T00:00:00Z",
        timeZone: "UTC",
      };
  }
}

function* changesOf(
  count: number,
  fieldsOf: (number: number) => ScheduleFields,
  createdMs = systemClock.wallMs,
) {
  for (let number = 0; number < count; number++) {
    const fields = fieldsOf(number);
    const id = `${fields.channel?.split("/")[0]}-${number}`;
    const made = createdMs();
    const stored = { fields, createdMs: made, handledMs: made, runs: 0, entries: 0 };
    const compiled = compile({ id, ...stored });
    if ("problem" in compiled) throw new Error(compiled.problem);
    yield keep(id, stored, compiled.rule, null);
  }
}

/** Through the engine, while no server runs. */
async function change(dir: string, changes: Iterable<RecordChange>): Promise<void> {
  const options = { dir: join(dir, "data"), clock: systemClock, log: silentLog, retentionOf: () => ({}) };
  const engine = await openSqliteEngine(options);
  let commit: RecordChange[] = [];
  const write = async () => {
    if (commit.length > 0) await engine.saveRecords(commit);
    commit = [];
  };
  for (const each of changes) {
    commit.push(each);
    if (commit.length === COMMIT) await write();
  }
  await write();
  await engine.close();
}

async function withServer<T>(dir: string, work: (server: RunningServer) => Promise<T>): Promise<T> {
  // A run is work for two threads in turn, and this process has next to nothing to do.
  const cores = `0-${navigator.hardwareConcurrency - 1}`;
  const server = await startServer(onDisk(join(dir, "data"), KEY), cores, dir);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

async function idle(dir: string, seconds: number) {
  const beganMs = performance.now();
  return withServer(dir, async ({ pid }) => {
    const startMs = performance.now() - beganMs;
    // What a start leaves to be done later.
    await Bun.sleep(3_000);
    const before = sampleCpu(pid);
    await Bun.sleep(seconds * 1_000);
    const { userUs, systemUs } = cpuBetween(before, sampleCpu(pid));
    const idlePercent = (userUs + systemUs) / seconds / 1e4;
    return { startMs, idlePercent, rssMb: rssBytes(pid) / 1024 ** 2 };
  });
}

/** How late each publication to a channel is, from now on. */
async function listen(port: number, channel: string): Promise<{ readonly late: number[]; close(): void }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws?channel=${channel}&token=${KEY}`);
  const late: number[] = [];
  socket.onmessage = ({ data }) => {
    late.push(performance.timeOrigin + performance.now() - Date.parse(String(data)));
  };
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onclose = () => reject(new Error("the subscriber was not let in"));
  });
  return { late, close: () => socket.close() };
}

async function burst(dir: string, { burst: count }: Options) {
  const dueMs = Math.ceil(systemClock.wallMs() / 1_000) * 1_000 + LEAD_MS;
  const fields = { channel: "burst", data: "{{dueAt}}", at: new Date(dueMs).toISOString() };
  await change(
    dir,
    changesOf(count, () => fields),
  );
  const measured = await withServer(dir, async ({ pid, port }) => {
    const { late, close } = await listen(port, "burst");
    const leftMs = dueMs - systemClock.wallMs();
    if (leftMs < 500) throw new Error("the server was not up in time");
    await Bun.sleep(leftMs - 200);
    const before = sampleCpu(pid);
    while (late.length < count && systemClock.wallMs() < dueMs + 60_000) await Bun.sleep(50);
    const { userUs, systemUs } = cpuBetween(before, sampleCpu(pid));
    close();
    if (late.length !== count) throw new Error(`${late.length} of ${count} runs came`);
    const burstCpuUs = (userUs + systemUs) / count;
    return {
      burstFirstMs: percentile(late, 0),
      burstLastMs: percentile(late, 1),
      burstCpuUs,
      burstRssMb: rssBytes(pid) / 1024 ** 2,
    };
  });
  await change(dir, removals("burst", count));
  return measured;
}

async function steady(dir: string, { rate, seconds }: Options) {
  let made = 0;
  // Made one after the other over a second, as by users.
  const startMs = systemClock.wallMs() + 500;
  const createdMs = () => startMs + Math.floor((made++ * 1_000) / rate);
  await change(
    dir,
    changesOf(rate, () => ({ channel: "steady", data: "{{dueAt}}", every: "1s" }), createdMs),
  );
  const measured = await withServer(dir, async ({ pid, port }) => {
    const { late, close } = await listen(port, "steady");
    await Bun.sleep(WARM_UP_MS);
    late.length = 0;
    const before = sampleCpu(pid);
    await Bun.sleep(seconds * 1_000);
    const { userUs, systemUs } = cpuBetween(before, sampleCpu(pid));
    const { length } = late;
    if (length < rate * (seconds - 0.5)) throw new Error(`only ${length} runs in ${seconds} s`);
    const figures = {
      steadyP50Ms: percentile(late, 0.5),
      steadyP99Ms: percentile(late, 0.99),
      steadyMaxMs: percentile(late, 1),
      steadyCpuUs: (userUs + systemUs) / length,
    };
    close();
    return figures;
  });
  await change(dir, removals("steady", rate));
  return measured;
}

function* removals(name: string, count: number): Iterable<RecordChange> {
  for (let number = 0; number < count; number++) {
    yield { kind: "schedule", id: `${name}-${number}`, data: undefined };
  }
}

function report(rounds: readonly Round[], empty: Awaited<ReturnType<typeof idle>>, bytesEach: number): void {
  const of = (figure: keyof Round) => median(rounds.map((round) => round[figure]));
  const row = (name: string, ...figures: readonly number[]) => [
    name,
    ...figures.map((each) => each.toFixed(1)),
  ];
  console.log(
    table(
      ["", "start ms", "idle CPU %", "memory MB"],
      [
        row("no schedules", empty.startMs, empty.idlePercent, empty.rssMb),
        row("all of them", of("startMs"), of("idlePercent"), of("rssMb")),
        ["after the runs of one moment", "", "", of("burstRssMb").toFixed(1)],
      ],
    ),
  );
  const [first, last] = [of("burstFirstMs"), of("burstLastMs")];
  const [p50, p99, max] = [of("steadyP50Ms"), of("steadyP99Ms"), of("steadyMaxMs")];
  console.log(
    `\n${table(
      ["late, ms", "first or p50", "p99", "last", "CPU µs a run"],
      [
        ["at one moment", first.toFixed(1), "", last.toFixed(1), of("burstCpuUs").toFixed(0)],
        row("at a steady pace", p50, p99, max, of("steadyCpuUs")),
      ],
    )}`,
  );
  const verdict = (isMet: boolean) => (isMet ? "met" : "MISSED");
  console.log(`\n${bytesEach.toFixed(0)} bytes of disk for a schedule`);
  console.log(`start < ${TARGET.startMs} ms: ${verdict(of("startMs") < TARGET.startMs)}`);
  console.log(`idle < ${TARGET.idlePercent} % of a core: ${verdict(of("idlePercent") < TARGET.idlePercent)}`);
  console.log(`all of one moment within ${TARGET.burstMs} ms: ${verdict(last <= TARGET.burstMs)}`);
  console.log(`steady p99 < ${TARGET.steadyP99Ms} ms: ${verdict(p99 < TARGET.steadyP99Ms)}`);
}
