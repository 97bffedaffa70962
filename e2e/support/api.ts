/** The HTTP API and the command line of a running server, as a person with one key uses them. */
import { Carillon, type Server } from "./carillon.ts";

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of the server, which the test itself looks into
  readonly body: any;
}

export interface Ended {
  readonly code: number;
  readonly out: readonly string[];
  readonly err: readonly string[];
}

export class Caller {
  readonly #server: Server;
  readonly #key: string;

  constructor(server: Server, key: string) {
    this.#server = server;
    this.#key = key;
  }

  /** The answer's status and its JSON, if it has any. */
  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(this.#server.httpUrl + path, {
      method,
      headers: {
        authorization: `Bearer ${this.#key}`,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  }

  /** Sends JSON by curl. */
  async curl(path: string, body: unknown): Promise<Answer> {
    const flags = ["-s", "-w", "\n%{http_code}", "--json", JSON.stringify(body)];
    const authorization = ["-H", `Authorization: Bearer ${this.#key}`];
    const child = Bun.spawn(["curl", ...flags, ...authorization, this.#server.httpUrl + path]);
    const lines = (await new Response(child.stdout).text()).split("\n");
    return { status: Number(lines.pop()), body: JSON.parse(lines.join("\n")) };
  }

  /** Runs `carillon` to its end. */
  async run(...args: readonly string[]): Promise<Ended> {
    const env = { CARILLON_URL: this.#server.httpUrl, CARILLON_KEY: this.#key };
    await using carillon = new Carillon(args, { env });
    await carillon.process.stdin.end();
    const code = await carillon.exited;
    await Promise.all([carillon.out.ended, carillon.err.ended]);
    return { code, out: carillon.out.all, err: carillon.err.all };
  }

  /** Everything that a channel holds, oldest first. */
  async history(channel: string): Promise<readonly Kept[]> {
    const all: Kept[] = [];
    for (let since: number | null = 0; since !== null; ) {
      const path = `/v1/channels/${channel}/messages?limit=1000&since=${since}`;
      const { body }: Answer = await this.call("GET", path);
      all.push(...body.messages);
      since = body.next;
    }
    return all;
  }
}

export interface Kept {
  readonly offset: number;
  readonly data: unknown;
  readonly schedule?: string;
  readonly dueAt?: string;
}
