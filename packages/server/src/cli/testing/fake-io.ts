/** A terminal without a terminal, and a world without a network. */
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import type { Fetch, Io, OpenSocket } from "../command.ts";

export interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  /** JSON as a value, bytes as they are. */
  readonly body: unknown;
}

export interface FakeIo {
  readonly io: Io;
  readonly clock: VirtualClock;
  readonly out: string[];
  readonly err: string[];
  /** What the last line of the terminal showed, one after the other. */
  readonly drawn: string[];
  readonly questions: string[];
  readonly requests: Request[];
  readonly written: () => Uint8Array;
  /** As Ctrl-C does. */
  readonly stop: () => void;
}

export type Answer = (request: Request, index: number) => Response | Promise<Response>;

export interface World {
  readonly env?: Readonly<Record<string, string>>;
  /** Answers requests; without, nothing listens. */
  readonly answer?: Answer;
  readonly input?: readonly (string | Uint8Array)[];
  /** What a person types when asked; without, there is none. */
  readonly reply?: string;
  readonly outputIsTerminal?: boolean;
  readonly openSocket?: OpenSocket;
}

export function fakeIo({
  env = {},
  answer,
  input = [],
  reply,
  outputIsTerminal = false,
  openSocket = () => {
    throw new Error("no sockets here");
  },
}: World = {}): FakeIo {
  const clock = new VirtualClock();
  const out: string[] = [];
  const err: string[] = [];
  const drawn: string[] = [];
  const questions: string[] = [];
  const requests: Request[] = [];
  const bytes: Uint8Array[] = [];
  const { promise: stopped, resolve: stop } = Promise.withResolvers<string>();
  const fetch: Fetch = async (url, { method = "GET", headers, body, signal }) => {
    const request = { method, url, headers: new Headers(headers), body: asSent(body) };
    requests.push(request);
    if (answer === undefined) throw Object.assign(new TypeError("refused"), { code: "ECONNREFUSED" });
    const aborted = new Promise<never>((_, reject) => {
      signal?.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
    });
    return await Promise.race([answer(request, requests.length - 1), aborted]);
  };
  const io: Io = {
    env,
    clock,
    fetch,
    openSocket,
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    write: async (chunk) => {
      bytes.push(chunk.slice());
    },
    outputClosed: new Promise(() => {}),
    outputIsTerminal,
    async *input() {
      for (const part of input) yield typeof part === "string" ? new TextEncoder().encode(part) : part;
    },
    stopSignal: () => stopped,
    draw: (text) => drawn.push(text),
    ...(reply !== undefined && {
      ask: async (question: string) => {
        questions.push(question);
        return reply;
      },
    }),
  };
  const written = () => Buffer.concat(bytes);
  return { io, clock, out, err, drawn, questions, requests, written, stop: () => stop("SIGINT") };
}

function asSent(body: unknown): unknown {
  return typeof body === "string" ? JSON.parse(body) : body;
}

/** An answer as the server gives it. */
export function answerWith(value: unknown, status = 200): Response {
  return Response.json(value, { status });
}

/** A refusal as the server gives it. */
export function problem(status: number, code: string, detail: string, headers = {}): Response {
  const init = { status, headers: { ...headers, "content-type": "application/problem+json" } };
  return new Response(JSON.stringify({ type: "about:blank", status, code, detail }), init);
}
