/** The real `carillon`, started as a user starts it: by the Node launcher, as a process of its own. */
import { join } from "node:path";
import type { Subprocess } from "bun";
import { Lines } from "./lines.ts";

export const root = join(import.meta.dir, "../..");
const launcher = join(root, "packages/server/bin/carillon.mjs");

type Process = Subprocess<"pipe", "pipe", "pipe">;

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
}

/** A running `carillon`; killed at the end of the scope that holds it by `await using`. */
export class Carillon implements AsyncDisposable {
  readonly process: Process;
  readonly out: Lines;
  readonly err: Lines;

  constructor(args: readonly string[], { env = {} }: RunOptions = {}) {
    this.process = Bun.spawn(["node", launcher, ...args], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, TZ: "UTC", ...env },
    });
    this.out = new Lines(this.process.stdout);
    this.err = new Lines(this.process.stderr);
  }

  kill(signal: NodeJS.Signals = "SIGTERM"): void {
    this.process.kill(signal);
  }

  /** Resolves to the exit code. */
  get exited(): Promise<number> {
    return this.process.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGTERM");
    await this.process.exited;
  }
}

/** A running server. */
export class Server extends Carillon {
  #port = 0;

  /** Starts `carillon serve` on a free port of the loopback address and waits until it listens. */
  static async start(args: readonly string[] = [], options: RunOptions = {}): Promise<Server> {
    const port = args.includes("--port") ? [] : ["--port", "0"];
    // A test that does not ask for a directory leaves none behind.
    const data = args.includes("--data") ? [] : ["--memory"];
    const server = new Server(["serve", "--host", "127.0.0.1", ...port, ...data, ...args], options);
    const line = await server.out.line(/listening on/);
    server.#port = Number(/localhost:(\d+)/.exec(line)?.[1]);
    return server;
  }

  get port(): number {
    return this.#port;
  }
  get httpUrl(): string {
    return `http://127.0.0.1:${this.#port}`;
  }
  get wsUrl(): string {
    return `ws://127.0.0.1:${this.#port}/ws`;
  }

  /** The process that really serves: the launcher's child. */
  async serverPid(): Promise<number> {
    const children = await Bun.file(`/proc/${this.process.pid}/task/${this.process.pid}/children`).text();
    return Number(children.trim().split(" ")[0]);
  }
}
