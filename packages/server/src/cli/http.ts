/**
 * The HTTP API as commands call it: answers are checked, and whatever goes wrong is one line that never shows the key.
 *
 *     const api = new Api(readEndpoint(flags, io), io);
 *     const { offset } = await api.json("POST", "/v1/channels/news/messages", published, { body: { data: "Tea" } });
 */
import type { z } from "zod";
import manifest from "../../package.json" with { type: "json" };
import { errorFor, unreachable } from "./answers.ts";
import type { Io } from "./command.ts";
import type { Endpoint } from "./endpoint.ts";
import { RefusedError, UnreachableError } from "./errors.ts";

/** Silence after which a server counts as unreachable. The longest honest wait is that of a publish for a slow disk. */
const TIMEOUT_MS = 30_000;

export interface RequestOptions {
  /** JSON, or bytes as they are. */
  readonly body?: object | Uint8Array<ArrayBuffer>;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  /** Ends the request; its reason is what is thrown. */
  readonly signal?: AbortSignal;
  /** Without the key, and on a connection of its own. */
  readonly isAnonymous?: boolean;
}

export interface DownloadOptions extends RequestOptions {
  /** How long its bytes may pause; `timeoutMs` is for the answer to begin. */
  readonly pauseMs?: number;
}

export interface Download {
  readonly headers: Headers;
  /** Its bytes. Throws if they end before they are complete or pause for too long. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

export class Api {
  readonly #endpoint: Endpoint;
  readonly #io: Pick<Io, "fetch" | "clock">;

  constructor(endpoint: Endpoint, io: Pick<Io, "fetch" | "clock">) {
    this.#endpoint = endpoint;
    this.#io = io;
  }

  /** The server's address, for messages. */
  get url(): string {
    return this.#endpoint.url;
  }

  /** Resolves to the answer's JSON, as `schema` describes it. */
  async json<Schema extends z.ZodType>(
    method: string,
    path: string,
    schema: Schema,
    options: RequestOptions = {},
  ): Promise<z.output<Schema>> {
    const { text } = await this.done(method, path, options);
    const parsed = schema.safeParse(parse(text));
    if (parsed.success) return parsed.data;
    const status = 200;
    throw new RefusedError(`what answers at ${this.url} is no Carillon, or one of another version`, {
      status,
    });
  }

  /** Resolves to the whole answer when the server has done it. */
  async done(
    method: string,
    path: string,
    options: RequestOptions = {},
  ): Promise<{ readonly headers: Headers; readonly text: string }> {
    return await this.#within(options, async (signal) => {
      const response = await this.#send(method, path, { ...options, signal });
      return { headers: response.headers, text: await response.text() };
    });
  }

  /** Resolves as soon as the answer begins. */
  async download(path: string, options: DownloadOptions = {}): Promise<Download> {
    const response = await this.#within(options, (signal) => this.#send("GET", path, { ...options, signal }));
    const { pauseMs: timeoutMs = TIMEOUT_MS } = options;
    return { headers: response.headers, chunks: this.#chunksOf(response, { ...options, timeoutMs }) };
  }

  async *#chunksOf({ body }: Response, options: RequestOptions): AsyncGenerator<Uint8Array> {
    const reader = body?.getReader();
    if (reader === undefined) return;
    try {
      for (;;) {
        const { value } = await this.#within(options, () => reader.read());
        if (value === undefined) return;
        yield value;
      }
    } finally {
      // The answer may be cut already; then there is nothing to give back.
      reader.cancel().catch(() => {});
    }
  }

  /** Runs `work`, which has to end within the time limit. */
  async #within<T>(options: RequestOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { timeoutMs = TIMEOUT_MS, signal } = options;
    const limit = new AbortController();
    const cancel = this.#io.clock.setTimer(timeoutMs, () => limit.abort());
    const ended = signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal]);
    const { promise: cut, reject } = Promise.withResolvers<never>();
    const end = () => reject(ended.reason);
    ended.addEventListener("abort", end);
    try {
      ended.throwIfAborted();
      return await Promise.race([work(ended), cut]);
    } catch (error) {
      if (error instanceof RefusedError || error instanceof UnreachableError) throw error;
      if (signal?.aborted) throw signal.reason;
      if (!limit.signal.aborted) throw unreachable(error, this.url);
      throw new UnreachableError(`${this.url} has not answered within ${timeoutMs / 1_000} s`);
    } finally {
      cancel();
      ended.removeEventListener("abort", end);
    }
  }

  /** @throws whatever `fetch` does, and an error for an answer that is no success. */
  async #send(method: string, path: string, options: RequestOptions): Promise<Response> {
    const { key, ca, isLoopback, url } = this.#endpoint;
    const { body, query = {}, headers, signal, isAnonymous = false } = options;
    const asked = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) asked.set(name, String(value));
    const isBytes = body instanceof Uint8Array;
    const response = await this.#io.fetch(`${url}${path}${asked.size > 0 ? `?${asked}` : ""}`, {
      method,
      redirect: "manual",
      keepalive: !isAnonymous,
      // The limits here are ours.
      timeout: false,
      headers: {
        "user-agent": `carillon/${manifest.version}`,
        ...(key !== undefined && !isAnonymous && { authorization: `Bearer ${key}` }),
        ...(body !== undefined && {
          "content-type": isBytes ? "application/octet-stream" : "application/json",
        }),
        ...headers,
      },
      // A proxy for the world outside would get to see the key, and does not know this machine's localhost.
      ...(isLoopback && { proxy: false }),
      ...(body !== undefined && { body: isBytes ? body : JSON.stringify(body) }),
      ...(ca !== undefined && { tls: { ca } }),
      ...(signal !== undefined && { signal }),
    });
    if (!response.ok) throw await errorFor(response, url);
    return response;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
