/** `carillon listen`: a client in the terminal. */
import { systemPlatform } from "@carillon/client/platform";
import { TextClient } from "@carillon/client/text-client";
import { ConfigError } from "../config.ts";
import { systemClock } from "../lib/clock.ts";
import { parseDuration } from "../lib/duration.ts";
import { machineTimeZone, timestampFormat } from "../lib/timestamp.ts";
import type { Command, Io } from "./command.ts";
import { readFlags } from "./flags.ts";
import { describeState, jsonOutput, type ListenOutput, prettyOutput } from "./listen-output.ts";
import { nextStopSignal } from "./signals.ts";

const DEFAULT_URL = "http://localhost:8080";
/** Home routers and mobile networks forget an idle connection after five minutes and up. */
const DEFAULT_HEARTBEAT = "4m";
/** A client that sends more often than this would only burn power. */
const SHORTEST_HEARTBEAT_MS = 1_000;
/** A day; also well under what a timer can count. */
const LONGEST_HEARTBEAT_MS = 86_400_000;

export const listen: Command = {
  name: "listen",
  about: "receive pushes in the terminal",
  usage: [
    "carillon listen [flags]",
    "",
    "Connects, prints each push with its time, and reconnects by itself. What happens to the connection goes to",
    "standard error, so standard output holds pushes alone. In a terminal: p switches push off and on, q quits.",
    "",
    `  --url URL          the server: http, https, ws or wss (${DEFAULT_URL})`,
    `  --heartbeat 4m|off how often to send a sign of life, 1s to 1d (${DEFAULT_HEARTBEAT})`,
    "  --json             one JSON object a line",
    "",
    "Examples",
    "  carillon listen",
    "  carillon listen --url https://push.example.com --json | jq -r .text",
  ].join("\n"),
  async run(args, io) {
    const flags = readFlags(args, ["url", "heartbeat"], ["json"]);
    const { url = DEFAULT_URL, heartbeat = DEFAULT_HEARTBEAT, json } = flags;
    const output =
      json === undefined
        ? prettyOutput(io, systemClock, timestampFormat(machineTimeZone()))
        : jsonOutput(io, systemClock);
    return await receive(socketUrl(url), readHeartbeat(heartbeat), output, io);
  },
};

/** Listens until it is told to stop (0) or the server says not to come back (1). */
async function receive(
  url: string,
  heartbeatMs: number | undefined,
  output: ListenOutput,
  io: Io,
): Promise<number> {
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  const client = new TextClient({
    url,
    platform: systemPlatform(),
    heartbeatMs,
    onPush: output.push,
    onState: (state) => {
      output.status(describeState(state, url));
      if (state.status === "closed") end(state.code === undefined ? 0 : 1);
    },
  });
  const press = (key: string) => {
    if (key === "p") {
      client.setPush(!client.push);
      output.status(client.push ? "Push on" : "Push off");
    } else if (key === "q" || key === "\u0003" || key === "\u0004") client.close();
  };
  const giveTerminalBack = io.keyboard?.listen(press);
  if (io.keyboard !== undefined) output.status("p switches push off and on, q quits");
  nextStopSignal().then(() => client.close());
  io.outputClosed.then(() => end(0));
  client.open();
  const code = await ended;
  giveTerminalBack?.();
  return code;
}

/**
 * The WebSocket address for what a person typed: `https://host/base` is `wss://host/base/ws`.
 * @throws {ConfigError} if it is no address of a server.
 */
export function socketUrl(text: string): string {
  const url = URL.parse(text);
  const scheme = { "http:": "ws:", "https:": "wss:", "ws:": "ws:", "wss:": "wss:" }[url?.protocol ?? ""];
  if (url === null || scheme === undefined || url.hostname === "") {
    throw new ConfigError(`--url ${JSON.stringify(text)}: expected an address such as ${DEFAULT_URL}`);
  }
  url.protocol = scheme;
  url.hash = "";
  if (!url.pathname.endsWith("/ws")) url.pathname = `${url.pathname.replace(/\/$/, "")}/ws`;
  return url.href;
}

function readHeartbeat(text: string): number | undefined {
  if (text === "off") return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= SHORTEST_HEARTBEAT_MS && ms <= LONGEST_HEARTBEAT_MS) return ms;
  throw new ConfigError(
    `--heartbeat ${JSON.stringify(text)}: expected a length of time from 1s to 1d, or off`,
  );
}
