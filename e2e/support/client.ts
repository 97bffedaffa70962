/**
 * WebSocket clients that nobody here wrote, each in a process of its own: `ws` on Node and Python's `websockets`. A few
 * lines of glue (`e2e/clients`) tell on standard output what happens and take orders on standard input, a JSON object a
 * line each.
 */
import { join } from "node:path";
import type { Subprocess } from "bun";
import { Lines } from "./lines.ts";

const programs = {
  ws: ["node", join(import.meta.dir, "../clients/ws-client.mjs")],
  // The system's own Python: the one that Debian's python3-websockets belongs to.
  python: ["/usr/bin/python3", join(import.meta.dir, "../clients/websockets_client.py")],
} as const;

export type ClientKind = keyof typeof programs;

type Environment = Readonly<Record<string, string>>;

interface Event {
  readonly event: "open" | "message" | "ping" | "close";
  readonly data?: string;
  readonly code?: number;
  readonly reason?: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export class Client implements AsyncDisposable {
  readonly #process: Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: Lines;

  private constructor(kind: ClientKind, url: string, env: Environment) {
    this.#process = Bun.spawn([...programs[kind], url], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
      env: { ...process.env, ...env },
    });
    this.#lines = new Lines(this.#process.stdout);
  }

  /** Connects to `url` and waits until the connection is open. `env` is added to the program's environment. */
  static async connect(kind: ClientKind, url: string, env: Environment = {}): Promise<Client> {
    const client = new Client(kind, url, env);
    await client.#lines.until(() => client.events.some(({ event }) => event === "open"));
    return client;
  }

  get events(): readonly Event[] {
    return this.#lines.all.map((line) => JSON.parse(line));
  }
  /** Every text frame so far. */
  get messages(): readonly string[] {
    return this.events.flatMap(({ event, data }) =>
      event === "message" && data !== undefined ? [data] : [],
    );
  }

  /** The messages that are no answers. */
  get pushes(): readonly string[] {
    return this.messages.filter((text) => !text.startsWith("Server received: "));
  }

  send(text: string): void {
    this.#order({ send: text });
  }
  sendBinary(bytes: number): void {
    this.#order({ binary: bytes });
  }
  sendMany(text: string, times: number): void {
    this.#order({ send: text, times });
  }
  close(): void {
    this.#order({ close: true });
  }
  #order(order: object): void {
    this.#process.stdin.write(`${JSON.stringify(order)}\n`);
    this.#process.stdin.flush();
  }

  /** Resolves once `messages` has this text. */
  async received(text: string): Promise<void> {
    await this.#lines.until(() => this.messages.includes(text));
  }
  /** Resolves once this many more pushes than now have arrived, to them. */
  async next(count: number): Promise<readonly string[]> {
    const before = this.pushes.length;
    await this.#lines.until(() => this.pushes.length >= before + count);
    return this.pushes.slice(before, before + count);
  }
  /** Resolves to how the connection ended. */
  closed(): Promise<Event> {
    return this.#lines.until(() => this.events.find(({ event }) => event === "close"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }
}
