/** `carillon listen`: a client in the terminal. */
import { Carillon, type Channel, type Json, type Store } from "@carillon/client";
import { fileStore } from "@carillon/client/file-store";
import { channelNameProblem } from "@carillon/protocol/channel";
import { deviceIdProblem } from "@carillon/protocol/device";
import manifest from "../../package.json" with { type: "json" };
import { ConfigError } from "../config.ts";
import { parseDuration } from "../lib/duration.ts";
import { machineTimeZone, timestampFormat } from "../lib/timestamp.ts";
import { command, type Io } from "./command.ts";
import { caFlag, jsonFlag, readCa, readUrl, urlFlag } from "./endpoint.ts";
import { describeGap, describeState, jsonOutput, type ListenOutput, prettyOutput } from "./listen-output.ts";

/** Home routers and mobile networks forget an idle connection after five minutes and up. */
const DEFAULT_HEARTBEAT = "4m";
/** A client that sends more often than this would only burn power. */
const SHORTEST_HEARTBEAT_MS = 1_000;
/** A day; also well under what a timer can count. */
const LONGEST_HEARTBEAT_MS = 86_400_000;

export const listen = command({
  name: "listen",
  group: "Use it",
  about: "receive pushes in the terminal",
  text: [
    "Connects, prints each push with its time, and reconnects by itself; what came while it was away is printed then. What happens to the connection goes to standard error, so standard output holds pushes alone. In a terminal: p switches push off and on, q quits.",
    "With a device's token it prints the device's inbox as well, and what it prints counts as received. Two that use one token share its position.",
  ],
  args: [],
  flags: {
    ...urlFlag,
    channel: { value: "NAME", about: "what to receive", initial: "the server's default channel" },
    token: {
      value: "TOKEN",
      about: "for another channel than that, or a device's",
      variable: "CARILLON_TOKEN",
    },
    key: { value: "KEY", about: "the same as --token", variable: "CARILLON_KEY" },
    device: { value: "ID", about: "who this is; the server then remembers what was received" },
    store: { value: "FILE", about: "remember here what was received, also when this is started anew" },
    heartbeat: {
      value: "4m|off",
      about: "how often to send a sign of life, 1s to 1d",
      initial: DEFAULT_HEARTBEAT,
    },
    ...caFlag,
    ...jsonFlag,
  },
  examples: [
    "carillon listen",
    "carillon listen --channel news --token TOKEN --store news.json",
    "carillon listen --url https://push.example.com --json | jq -r .text",
  ],
  async run({ flags }, io) {
    const { heartbeat = DEFAULT_HEARTBEAT, json, device, store: path, channel } = flags;
    const output =
      json === undefined
        ? prettyOutput(io, io.clock, timestampFormat(machineTimeZone()))
        : jsonOutput(io, io.clock);
    const address = socketUrl(readUrl(flags.url, io.env));
    const token = readToken(flags, io.env);
    const ca = readCa(flags.ca, io.env);
    let inbox: readonly string[] = [];
    const client = new Carillon(address, {
      onFrame: (frame) => {
        if (frame.type === "connected") inbox = frame.inbox ?? [];
        // No message: it says that one is not to be shown any more, and what was printed stays.
        return frame.type === "publication" && frame.publication.withdraws !== undefined;
      },
      heartbeatMs: readHeartbeat(heartbeat),
      client: `carillon-listen/${manifest.version}`,
      ...(token !== undefined && { token }),
      ...(ca !== undefined && { WebSocket: believing(ca) }),
      ...(device !== undefined && { device: check("device", device, deviceIdProblem) }),
      ...(path !== undefined && { store: openStore(path) }),
    });
    return await receive(
      client,
      channel && check("channel", channel, channelNameProblem),
      () => inbox,
      output,
      io,
      address,
    );
  },
});

/**
 * Listens until it is told to stop (0) or the server says not to come back (1).
 * @param inboxOf the channels of the device that it is, once it is connected.
 */
async function receive(
  client: Carillon,
  name: string | undefined,
  inboxOf: () => readonly string[],
  output: ListenOutput,
  io: Io,
  url: string,
): Promise<number> {
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  const channels = new Map<string, Channel>();
  let wanted = name;
  const open = (name: string) => {
    if (channels.has(name)) return;
    const channel = client.channel(name);
    channels.set(name, channel);
    channel.on("publication", ({ data }) => output.push(asText(data)));
    channel.on("gap", (gap) => output.status(describeGap(gap)));
    channel.on("error", ({ message }) => output.status(message));
    channel.on("state", () => {
      // A device that may not receive the channel has its inbox still.
      if ([...channels.values()].every(({ state }) => state === "refused")) end(1);
    });
  };
  client.on("error", ({ message }) => output.status(message));
  client.on("state", (state) => {
    output.status(describeState(state, url));
    if (state.status === "closed") end(state.code === undefined ? 0 : 1);
    if (state.status !== "open") return;
    // The server says which one is its default only once it is connected.
    wanted ??= client.defaultChannel;
    const all = [...(wanted === undefined ? [] : [wanted]), ...inboxOf()];
    // The device may have another user than before.
    for (const [name, channel] of channels) {
      if (all.includes(name)) continue;
      channels.delete(name);
      channel.unsubscribe();
    }
    for (const name of all) open(name);
  });
  let isOff = false;
  const press = (key: string) => {
    if (key === "p" && channels.size > 0) {
      isOff = !isOff;
      for (const channel of channels.values()) {
        if (isOff) channel.unsubscribe();
        else channel.subscribe();
      }
      output.status(isOff ? "Push off" : "Push on");
    } else if (key === "q" || key === "\u0003" || key === "\u0004") client.close();
  };
  const giveTerminalBack = io.keyboard?.listen(press);
  if (io.keyboard !== undefined) output.status("p switches push off and on, q quits");
  io.stopSignal().then(() => client.close());
  io.outputClosed.then(() => end(0));
  if (name !== undefined) open(name);
  client.connect();
  const code = await ended;
  giveTerminalBack?.();
  return code;
}

function asText(data: Json): string {
  return typeof data === "string" ? data : JSON.stringify(data);
}

/** @throws {ConfigError} in one line, if the flag's value has a problem. */
function check(flag: string, value: string, problemOf: (value: string) => string | undefined): string {
  const problem = problemOf(value);
  if (problem !== undefined) throw new ConfigError(`--${flag} ${JSON.stringify(value)}: ${problem}`);
  return value;
}

function openStore(path: string): Store {
  try {
    return fileStore(path);
  } catch (error) {
    throw new ConfigError(`--store ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/** Flags win over the environment. */
function readToken(
  { token, key }: { readonly token: string | undefined; readonly key: string | undefined },
  env: NodeJS.ProcessEnv,
): string | undefined {
  if (token !== undefined && key !== undefined)
    throw new ConfigError("--token and --key are the same; give one");
  return token ?? key ?? env["CARILLON_TOKEN"] ?? env["CARILLON_KEY"];
}

/** A WebSocket that believes certificates of this authority and of no other. */
function believing(ca: string) {
  return class extends WebSocket {
    constructor(url: string, protocols: string[]) {
      // Bun takes options where browsers take sub-protocols.
      super(url, { protocols, tls: { ca } } as unknown as string[]);
    }
  };
}

/** Where the server at `url` takes WebSockets: for `https://host/base` it is `wss://host/base/ws`. */
export function socketUrl(url: URL): string {
  return `${url.origin.replace(/^http/, "ws")}${url.pathname.replace(/\/$/, "")}/ws${url.search}`;
}

function readHeartbeat(text: string): number | undefined {
  if (text === "off") return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= SHORTEST_HEARTBEAT_MS && ms <= LONGEST_HEARTBEAT_MS) return ms;
  throw new ConfigError(
    `--heartbeat ${JSON.stringify(text)}: expected a length of time from 1s to 1d, or off`,
  );
}
