/** The servers that a fan-out is measured on, each a process that pushes TEXT once per period. */
import { join } from "node:path";
import type { Subprocess } from "bun";
import { compile } from "./lib/compile.ts";
import type { LoadProtocol } from "./lib/load.ts";
import { kill, start } from "./lib/processes.ts";

export interface Push {
  readonly periodMs: number;
  readonly text: string;
}

export interface Contender {
  readonly name: string;
  /** What a client asks for. */
  readonly path: string;
  readonly protocol: LoadProtocol;
  command(push: Push): readonly string[];
}

export interface RunningServer {
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

const here = (path: string) => join(import.meta.dir, path);

/** All of them, in the order of a round. Compiles what is written in C into `directory`. */
export function contenders(directory: string): readonly Contender[] {
  const floor = compile(here("native/floor.c"), directory);
  const plain = { path: "/ws", protocol: "plain" } as const;
  const ws = (variant: string) => (push: Push) => [
    ...["node", here("servers/ws.mjs")],
    ...[String(push.periodMs), push.text, variant],
  ];
  return [
    { ...plain, name: "floor", command: ({ periodMs, text }) => [floor, String(periodMs), text] },
    { ...plain, name: "carillon", command: carillon },
    { path: "/ws", protocol: "carillon.v1", name: "carillon.v1", command: carillon },
    { ...plain, name: "ws", command: ws("plain") },
    { ...plain, name: "ws-once", command: ws("once") },
    {
      name: "socket.io",
      path: "/socket.io/?EIO=4&transport=websocket",
      protocol: "socket.io",
      command: ({ periodMs, text }) => ["node", here("servers/socket-io.mjs"), String(periodMs), text],
    },
  ];
}

/** What the launcher starts: Bun, the one that runs this bench, with the server's own `main.ts`. */
function carillon({ periodMs, text }: Push): readonly string[] {
  const main = [process.execPath, here("../../packages/server/src/main.ts")];
  const usage = Bun.spawnSync([...main, "help", "serve"]).stdout.toString();
  // A bench leaves no data behind.
  const memory = usage.includes("--memory") ? ["--memory"] : [];
  const push = ["--push-every", `${periodMs}ms`, "--push-text", text];
  return [...main, "serve", "--host", "127.0.0.1", "--port", "0", ...push, ...memory, ...LETS_ALL_IN];
}

/** All clients of a bench come from one address, and at once. */
export const LETS_ALL_IN: readonly string[] = [
  ...["--max-handshakes-per-second", "1000000"],
  ...["--max-connections-per-address", "100000"],
];

const START_LIMIT_MS = 15_000;
const LOOK_AGAIN_MS = 20;

/**
 * Starts a server and waits until it says where it listens. It writes to a file, for reading thousands of log
 * lines through a pipe would be this process's work on a core that is measured.
 */
export async function startServer(
  command: readonly string[],
  core: number | string,
  directory: string,
): Promise<RunningServer> {
  const file = join(directory, "server.log");
  await Bun.write(file, "");
  const child = start(command, { core, stdout: { file } });
  const port = await listeningPort(child, file);
  return { pid: child.pid, port, stop: () => kill(child) };
}

async function listeningPort(child: Subprocess, file: string): Promise<number> {
  for (let waitedMs = 0; waitedMs < START_LIMIT_MS; waitedMs += LOOK_AGAIN_MS) {
    const port = /listening on \S*:(\d+)/.exec(await Bun.file(file).text())?.[1];
    if (port !== undefined) return Number(port);
    if (child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode}`);
    await Bun.sleep(LOOK_AGAIN_MS);
  }
  throw new Error(`the server did not listen within ${START_LIMIT_MS} ms`);
}

/** A server that keeps what is published, and lets `key` publish. */
export function onDisk(data: string, key: string): readonly string[] {
  const main = [process.execPath, here("../../packages/server/src/main.ts")];
  const quiet = ["--push-every", "off", "--log-level", "warn"];
  return [
    ...main,
    "serve",
    "--host",
    "127.0.0.1",
    "--port",
    "0",
    "--data",
    data,
    "--admin-key",
    key,
    ...quiet,
    ...LETS_ALL_IN,
  ];
}
