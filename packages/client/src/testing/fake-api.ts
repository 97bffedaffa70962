/** The HTTP API of a server, for an app that is a device: a `fetch` that answers by script. */
import type { Fetch, Identity } from "../device-options.ts";

export interface Call {
  /** `POST http://h/v1/devices`. */
  readonly to: string;
  /** The header, if there is one. */
  readonly authorization: string | undefined;
  readonly body: unknown;
}

/** An answer: its HTTP status and what it says, or none at all. */
export type ApiAnswer = readonly [status: number, body?: unknown] | "unreachable";

/** The identity that is given away as number `n`. */
export const identity = (n: number): Identity => ({ id: `d_${n}`, token: `dk_${n}_secret` });

export class FakeApi {
  readonly calls: Call[] = [];
  /** What is answered before everything goes well. */
  script: ApiAnswer[] = [];
  /** What is waited for before an answer goes out. */
  delay: () => Promise<void> = () => Promise.resolve();
  #registered = 0;

  readonly fetch: Fetch = async (url, { method, headers, body }) => {
    this.calls.push({
      to: `${method} ${url}`,
      authorization: headers["authorization"],
      body: JSON.parse(body ?? "null"),
    });
    await this.delay();
    const answer = this.script.shift() ?? this.#usual(method);
    if (answer === "unreachable") throw new TypeError("fetch failed");
    const [status, said] = answer;
    const json = () =>
      said === undefined ? Promise.reject(new SyntaxError("no JSON")) : Promise.resolve(said);
    return { ok: status < 300, status, json };
  };

  /** The calls of one method. */
  asked(method: string): Call[] {
    return this.calls.filter(({ to }) => to.startsWith(`${method} `));
  }

  #usual(method: string): ApiAnswer {
    return method === "POST" ? [201, identity(++this.#registered)] : [200, {}];
  }
}
