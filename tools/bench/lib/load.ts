/** The load: thousands of clients in one process of their own, which counts frames; see `native/load.c`. */
import { join } from "node:path";
import type { FileSink } from "bun";
import { compile } from "./compile.ts";
import type { Run } from "./lateness.ts";
import { kill, start } from "./processes.ts";

export interface LoadOptions {
  readonly program: string;
  readonly core: number;
  readonly port: number;
  readonly path: string;
  readonly protocol: LoadProtocol;
  readonly clients: number;
  readonly periodMs: number;
  /** Where all clients subscribe from, once they are told to `go`; JSON of the wire. */
  readonly position?: string;
}

export type LoadProtocol = "plain" | "socket.io" | "carillon.v1";

export interface Load {
  /** Lets clients that have a position subscribe. */
  go(): void;
  /** The next run that all clients have, or have not, received. */
  nextRun(): Promise<Run>;
  stop(): Promise<void>;
}

export const compileLoad = (directory: string) =>
  compile(join(import.meta.dir, "../native/load.c"), directory);

const CONNECT_LIMIT_MS = 120_000;
/** A run that is later than this many periods and seconds does not come any more. */
const RUN_LIMIT = { periods: 3, ms: 10_000 };

/**
 * Connects all clients.
 * @throws {Error} when they do not all get in, and later from `nextRun` when one is thrown out or no run comes.
 */
export async function startLoad(options: LoadOptions): Promise<Load> {
  const { program, core, port, path, protocol, clients, periodMs, position } = options;
  const command = [program, String(port), path, protocol, String(clients), String(periodMs)];
  if (position !== undefined) command.push(position);
  const child = start(command, { core, stdin: "pipe", stdout: "pipe" });
  const lines = linesOf(child.stdout as ReadableStream<Uint8Array>);
  const next = async (limitMs: number, awaited: string) => {
    const { value } = await within(limitMs, awaited, lines.next());
    if (value === undefined) throw new Error(`the load ended before ${awaited}`);
    return value.split(" ");
  };
  await next(CONNECT_LIMIT_MS, `${clients} clients were connected`);
  return {
    go() {
      const stdin = child.stdin as FileSink;
      stdin.write("go\n");
      stdin.flush();
    },
    async nextRun() {
      const limitMs = RUN_LIMIT.periods * periodMs + RUN_LIMIT.ms;
      const [, frames, firstNs, lastNs] = await next(limitMs, "a push");
      return { frames: Number(frames), firstMs: Number(firstNs) / 1e6, lastMs: Number(lastNs) / 1e6 };
    },
    stop: () => kill(child),
  };
}

async function within<T>(limitMs: number, awaited: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${limitMs} ms until ${awaited}`)), limitMs);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

/** The lines that a process writes. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  return undefined;
}
