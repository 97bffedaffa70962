/** The figures of a fan-out: from rounds to medians, as a table, as JSON, and beside what they should be. */
import { type Lateness, latenessOf, type Run } from "./lib/lateness.ts";
import type { Machine } from "./lib/machine.ts";
import type { CpuTime } from "./lib/proc.ts";
import { median, percentile } from "./lib/stats.ts";
import { table } from "./lib/table.ts";

export interface Options {
  readonly clients: number;
  readonly size: number;
  readonly rate: number;
  readonly seconds: number;
  readonly warmup: number;
  readonly rounds: number;
}

/** What one round of one server has shown. */
export interface Round {
  readonly cpu: CpuTime;
  readonly runs: readonly Run[];
  readonly idleRssBytes: number;
  readonly rssBytesPerClient: number;
}

/** One server's figures: those of each round, and their medians. */
export interface ServerReport {
  readonly name: string;
  readonly median: RoundFigures;
  /** Over the runs of all rounds; `first` to reach the first client, `last` to reach the last. */
  readonly lateMs: Readonly<Record<keyof Lateness, Spread>>;
  readonly rounds: readonly RoundFigures[];
}

export interface RoundFigures {
  readonly cpuUs: number;
  readonly userUs: number;
  readonly systemUs: number;
  /** Messages a second while a push is on its way. */
  readonly perSecond: number;
  readonly idleRssMb: number;
  readonly rssKbPerClient: number;
  /** Of all that should have arrived. */
  readonly lost: number;
}

interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface FanoutReport {
  readonly bench: "fanout";
  readonly machine: Machine;
  readonly options: Options;
  readonly servers: readonly ServerReport[];
}

export function summarize(name: string, rounds: readonly Round[], options: Options): ServerReport {
  const figures = rounds.map((round) => figuresOf(round, options.clients));
  const late = rounds.map(({ runs }) => latenessOf(runs, 1_000 / options.rate));
  return {
    name,
    median: medians(figures),
    lateMs: {
      first: spread(late.flatMap(({ first }) => first)),
      last: spread(late.flatMap(({ last }) => last)),
    },
    rounds: figures,
  };
}

function figuresOf({ cpu, runs, idleRssBytes, rssBytesPerClient }: Round, clients: number): RoundFigures {
  const delivered = runs.reduce((sum, { frames }) => sum + frames, 0);
  const userUs = cpu.userUs / delivered;
  const systemUs = cpu.systemUs / delivered;
  return {
    cpuUs: userUs + systemUs,
    userUs,
    systemUs,
    perSecond: median(runs.map(({ frames, firstMs, lastMs }) => (frames / (lastMs - firstMs)) * 1_000)),
    idleRssMb: idleRssBytes / 1024 ** 2,
    rssKbPerClient: rssBytesPerClient / 1024,
    lost: runs.length * clients - delivered,
  };
}

function medians(figures: readonly RoundFigures[]): RoundFigures {
  const of = (name: keyof RoundFigures) => median(figures.map((each) => each[name]));
  return {
    cpuUs: of("cpuUs"),
    userUs: of("userUs"),
    systemUs: of("systemUs"),
    perSecond: of("perSecond"),
    idleRssMb: of("idleRssMb"),
    rssKbPerClient: of("rssKbPerClient"),
    // The one figure that no median may smooth.
    lost: figures.reduce((sum, { lost }) => sum + lost, 0),
  };
}

function spread(values: readonly number[]): Spread {
  return { p50: percentile(values, 0.5), p99: percentile(values, 0.99), max: percentile(values, 1) };
}

const HEADER = [
  ...["server", "CPU µs", "× floor", "user µs", "system µs", "messages/s", "KB/client", "idle MB"],
  ...["late ms p50/p99/max", "to the last ms", "lost"],
];

const fixed = (value: number, digits: number) => (Number.isFinite(value) ? value.toFixed(digits) : "–");

export function printReport({ machine, options, servers }: FanoutReport): void {
  const { clients, size, rate, rounds, seconds } = options;
  console.log(
    `${clients} clients, ${size} bytes, ${rate} push a second; medians of ${rounds} rounds of ${seconds} s`,
  );
  console.log(
    `${machine.cores} × ${machine.cpu}, Linux ${machine.kernel}; Bun ${machine.bun}, Node ${machine.node}\n`,
  );
  const floorUs = cpuOf(servers, "floor");
  console.log(
    table(
      HEADER,
      servers.map((server) => row(server, floorUs)),
    ),
  );
  for (const line of targetLines(servers, clients)) console.log(line);
}

const cpuOf = (servers: readonly ServerReport[], name: string) =>
  servers.find((each) => each.name === name)?.median.cpuUs ?? Number.NaN;

function row({ name, median: middle, lateMs }: ServerReport, floorUs: number): readonly string[] {
  const { first, last } = lateMs;
  return [
    name,
    fixed(middle.cpuUs, 2),
    fixed(middle.cpuUs / floorUs, 2),
    fixed(middle.userUs, 2),
    fixed(middle.systemUs, 2),
    fixed(middle.perSecond, 0),
    fixed(middle.rssKbPerClient, 1),
    fixed(middle.idleRssMb, 0),
    [first.p50, first.p99, first.max].map((ms) => fixed(ms, 1)).join(" / "),
    fixed(last.p50, 1),
    String(middle.lost),
  ];
}

interface Target {
  readonly name: string;
  readonly most: number;
  /** The number of clients that the target is meant for. */
  readonly clients: number;
  of(server: ServerReport, floorUs: number): number;
}

const TARGETS: readonly Target[] = [
  { name: "CPU × floor", most: 1.2, clients: 5_000, of: ({ median: { cpuUs } }, floorUs) => cpuUs / floorUs },
  { name: "user µs", most: 0.8, clients: 5_000, of: ({ median: { userUs } }) => userUs },
  { name: "late ms, p99", most: 20, clients: 5_000, of: ({ lateMs }) => lateMs.first.p99 },
  { name: "KB/client", most: 3, clients: 15_000, of: ({ median: { rssKbPerClient } }) => rssKbPerClient },
];

/** This server beside its targets, as far as this run can tell. */
export function targetLines(servers: readonly ServerReport[], clients: number): readonly string[] {
  const own = servers.find(({ name }) => name === "carillon");
  if (own === undefined) return [];
  return TARGETS.filter((target) => target.clients === clients).flatMap(({ name, most, of }) => {
    const value = of(own, cpuOf(servers, "floor"));
    if (!Number.isFinite(value)) return [];
    return [`carillon ${name}: ${fixed(value, 2)}, at most ${most}: ${value <= most ? "holds" : "MISSED"}`];
  });
}
