/** What devices cost once they are connected: acks, and publications for those with certain tags. */
import { join } from "node:path";
import { type CpuSample, cpuBetween, sampleCpu } from "../lib/proc.ts";
import { onDisk, type RunningServer, startServer } from "../servers.ts";
import { type Clients, startClients } from "./clients.ts";
import { CLIENT_CORE, KEY, KINDS, SERVER_CORE } from "./connecting.ts";
import { CHANNEL } from "./data.ts";
import { nowMs, startProbe } from "./probe.ts";

/** Pushes to all devices at a steady pace, once with acks and once without. */
export interface Acks {
  /** Of both threads, for one push. */
  readonly withUs: number;
  readonly withoutUs: number;
}

/** One publication, in milliseconds from the request on. */
export interface Delivering {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly answeredMs: number;
  readonly deliveries: number;
  /** The latest that others' deliveries were meanwhile. */
  readonly worstMs: number;
  readonly cpuMs: number;
}

/** To whom; "" is nobody, for what is usual. */
export const TARGETS = ["", "tag:beta", "tag:beta & tag:android", "everyone", `channel:${CHANNEL}`] as const;
export type Target = (typeof TARGETS)[number];

export interface Delivered {
  readonly acks: Acks;
  readonly publications: Readonly<Record<Target, readonly Delivering[]>>;
}

export interface DeliveringOptions {
  readonly pushes: number;
  readonly repeats: number;
}

const PERIOD_MS = 1_000;
/** From a push until its acks have come, a second later, and been written, another one later. */
const WRITTEN_MS = 4_000;
/** All that a publication causes is over: whom it is for is counted last. */
const OVER_MS = 6_000;
/** Of deliveries that do not come. */
const LIMIT_MS = 10_000;

/** One round, with a server and connected devices of its own. */
export async function measureDelivering(
  tokens: readonly string[],
  dir: string,
  { pushes, repeats }: DeliveringOptions,
): Promise<Delivered> {
  const server = await startServer(onDisk(join(dir, "data"), KEY), SERVER_CORE, dir);
  try {
    const base = `127.0.0.1:${server.port}`;
    const devices = tokens.map((token, number) => KINDS["v1-device"](number, token));
    const clients = await startClients(devices, { base, core: CLIENT_CORE, directory: dir });
    await Bun.sleep(WRITTEN_MS);
    const publisher = { server, base, clients, count: devices.length };
    const without = await pushSteadily(publisher, false, pushes);
    const acks = { withoutUs: without, withUs: await pushSteadily(publisher, true, pushes) };
    const publications = await publishTo(publisher, repeats);
    await clients.stop();
    return { acks, publications };
  } finally {
    await server.stop();
  }
}

interface Publisher {
  readonly server: RunningServer;
  readonly base: string;
  readonly clients: Clients;
  readonly count: number;
}

/** CPU time in µs for each push. */
async function pushSteadily(publisher: Publisher, on: boolean, pushes: number): Promise<number> {
  const { clients, server } = publisher;
  await clients.tell({ do: "acks", on });
  // What was not acknowledged before, is with the first.
  await pushAll(publisher, 3);
  await Bun.sleep(WRITTEN_MS);
  const before = sampleCpu(server.pid);
  await pushAll(publisher, pushes);
  await Bun.sleep(WRITTEN_MS);
  return cpuUs(before, sampleCpu(server.pid)) / pushes;
}

async function pushAll({ base, clients, count }: Publisher, pushes: number): Promise<void> {
  const startMs = nowMs();
  for (let push = 0; push < pushes; push++) {
    await Bun.sleep(Math.max(0, startMs + push * PERIOD_MS - nowMs()));
    await clients.tell({ do: "begin" });
    await post(base, `channel:${CHANNEL}`);
    const deliveries = await clients.tell({ do: "await", count, limitMs: LIMIT_MS });
    if (deliveries?.count !== count) throw new Error(`${deliveries?.count} of ${count} devices had a push`);
  }
}

async function post(base: string, to: string): Promise<void> {
  const response = await fetch(`http://${base}/v1/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ to, data: "x".repeat(100) }),
  });
  const answer = await response.text();
  if (response.status !== 201) throw new Error(`a publication to ${to} was answered with ${answer}`);
}

async function publishTo(publisher: Publisher, repeats: number): Promise<Delivered["publications"]> {
  const { base, clients } = publisher;
  await clients.tell({ do: "acks", on: true });
  const probe = await startProbe(base);
  await Bun.sleep(WRITTEN_MS);
  const found = Object.fromEntries(TARGETS.map((target): [string, Delivering[]] => [target, []]));
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const target of TARGETS) {
      const measured = await publishOnce(publisher, target);
      const { fromMs, toMs, ...rest } = measured;
      found[target]?.push({ ...rest, worstMs: probe.worstMs(fromMs, toMs) });
    }
  }
  probe.stop();
  return found as unknown as Delivered["publications"];
}

async function publishOnce({ base, clients, server }: Publisher, target: Target) {
  await clients.tell({ do: "begin" });
  const before = sampleCpu(server.pid);
  const fromMs = nowMs();
  if (target !== "") await post(base, target);
  const answeredMs = nowMs() - fromMs;
  await Bun.sleep(OVER_MS - 500);
  const toMs = nowMs();
  await Bun.sleep(500);
  const cpuMs = cpuUs(before, sampleCpu(server.pid)) / 1e3;
  const deliveries = await clients.tell({ do: "await", count: 0, limitMs: 0 });
  const { count = 0, firstMs = 0, lastMs = 0 } = deliveries ?? {};
  const times = { firstMs: firstMs - fromMs, lastMs: lastMs - fromMs, answeredMs };
  return { ...times, deliveries: count, cpuMs, fromMs, toMs };
}

function cpuUs(before: CpuSample, after: CpuSample): number {
  const { userUs, systemUs } = cpuBetween(before, after);
  return userUs + systemUs;
}
