/** What a connection costs the server in CPU and memory: a device's, and such as are no device's. */
import { join } from "node:path";
import { cpuBetween, rssBytes, sampleCpu } from "../lib/proc.ts";
import { onDisk, startServer } from "../servers.ts";
import { type Client, startClients } from "./clients.ts";
import { CHANNEL } from "./data.ts";

export const KEY = "a-key-for-this-bench";
export const SERVER_CORE = 0;
export const CLIENT_CORE = 1;

/** Who connects. Those that are no devices subscribe to as many channels, of which others have as few members. */
export const KINDS = {
  "v1-key": (number) => ({ query: "", connect: { token: KEY }, channels: plainChannels(number) }),
  "v1-device": v1Device,
  /** The same devices again: when they were last seen has been written just now. */
  "v1-again": v1Device,
  "text-key": (number) => ({ query: textQuery(plainChannels(number)), channels: [] }),
  "text-device": (_, token) => ({ query: `?token=${token}`, channels: [] }),
  "v1-nobody": () => ({ query: "", connect: {}, channels: [CHANNEL] }),
} as const satisfies Readonly<Record<string, (number: number, token: string) => Client>>;
export type Kind = keyof typeof KINDS;

function v1Device(_: number, token: string): Client {
  return { query: "", connect: { token }, channels: [CHANNEL] };
}

/** Per client. */
export interface Connecting {
  /** Until they are connected, subscribed and all that follows from it is written. */
  readonly connectUs: number;
  readonly bytes: number;
  readonly disconnectUs: number;
}

/** A runtime is still compiling and collecting when it first listens. */
const SETTLE_MS = 1_000;
/** Until what is written in batches, and after them, has been written. */
const WRITTEN_MS = 4_000;

/** In the place of a device's own channel, its user's, and everybody's. */
function plainChannels(number: number): readonly string[] {
  return [CHANNEL, `bench/device/${number}`, `bench/user/${number}`, "bench/all"];
}

function textQuery(channels: readonly string[]): string {
  return `?token=${KEY}${channels.map((channel) => `&channel=${channel}`).join("")}`;
}

/** One round of one kind, with a server of its own. */
export async function measureConnecting(
  kind: Kind,
  tokens: readonly string[],
  dir: string,
): Promise<Connecting> {
  const server = await startServer(onDisk(join(dir, "data"), KEY), SERVER_CORE, dir);
  try {
    await Bun.sleep(SETTLE_MS);
    const idleBytes = rssBytes(server.pid);
    const clients = tokens.map((token, number) => KINDS[kind](number, token));
    const before = sampleCpu(server.pid);
    const base = `127.0.0.1:${server.port}`;
    const connected = await startClients(clients, { base, core: CLIENT_CORE, directory: dir });
    await Bun.sleep(WRITTEN_MS);
    const between = sampleCpu(server.pid);
    const bytes = (rssBytes(server.pid) - idleBytes) / clients.length;
    await connected.tell({ do: "close" });
    await Bun.sleep(WRITTEN_MS);
    const after = sampleCpu(server.pid);
    await connected.stop();
    const each = (one: typeof before, other: typeof before) => {
      const { userUs, systemUs } = cpuBetween(one, other);
      return (userUs + systemUs) / clients.length;
    };
    return { connectUs: each(before, between), bytes, disconnectUs: each(between, after) };
  } finally {
    await server.stop();
  }
}
