/**
 * A push service that takes messages as RFC 8030 says, knows who sends them (RFC 8292), and reads them as the app would
 * (RFC 8291). What breaks a rule is refused and noted in `problems`.
 *
 *     const service = startPushService();
 *     const app = service.subscribe();
 *     app.subscription; // { endpoint, keys }, as a browser would have it
 *     app.answer = () => 410;
 *     await app.messages(1); // [{ text, ttl, urgency, topic, … }]
 */
import { randomUUID } from "node:crypto";
import type { PushKeys } from "../../../hub/devices/device.ts";
import { Subscriber } from "./decryption.ts";
import { type Identified, identify } from "./vapid-check.ts";

export interface Message {
  /** Decrypted. */
  readonly text: string;
  readonly bytes: number;
  readonly ttl: number;
  readonly urgency: string | null;
  readonly topic: string | null;
  /** Of one that was not encrypted, nobody. */
  readonly sender: Identified | undefined;
  readonly contentType: string | null;
}

/** A status, or one with `Retry-After`, or no answer at all. */
export type Answer = number | { readonly status: number; readonly retryAfter: string } | "none";

export class App {
  readonly endpoint: string;
  readonly #subscriber: Subscriber | undefined;
  /** All that have come, taken or not. */
  readonly attempts: Message[] = [];
  /** Those that were taken. */
  readonly taken: Message[] = [];
  /** What is answered to the `count`th attempt. */
  answer: (message: Message, count: number) => Answer = () => 201;
  #arrived: () => void = () => {};

  constructor(endpoint: string, isEncrypted: boolean) {
    this.endpoint = endpoint;
    this.#subscriber = isEncrypted ? new Subscriber() : undefined;
  }

  get keys(): PushKeys | undefined {
    return this.#subscriber?.keys;
  }

  /** As a browser's `PushSubscription.toJSON()`. */
  get subscription(): { readonly endpoint: string; readonly keys: PushKeys } {
    if (this.keys === undefined) throw new Error("it has no keys");
    return { endpoint: this.endpoint, keys: this.keys };
  }

  /** Resolves to what was taken, once these are so many. */
  async messages(count: number): Promise<readonly Message[]> {
    while (this.taken.length < count) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    return this.taken;
  }

  read(headers: Headers, body: Buffer): string {
    if (this.#subscriber === undefined) return body.toString("utf8");
    if (headers.get("content-encoding") !== "aes128gcm") throw new Error("expected aes128gcm");
    return this.#subscriber.decrypt(body);
  }

  arrive(message: Message): Answer {
    this.attempts.push(message);
    const answer = this.answer(message, this.attempts.length);
    if (typeof answer === "number" && answer < 300) this.taken.push(message);
    this.#arrived();
    return answer;
  }
}

export type PushService = ReturnType<typeof startPushService>;

/** RFC 8030 section 7.2. */
const MAX_BYTES = 4_096;

export function startPushService({ nowMs = () => Date.now() }: { readonly nowMs?: () => number } = {}) {
  const apps = new Map<string, App>();
  const problems: string[] = [];
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 0, fetch: take });
  const origin = `http://127.0.0.1:${server.port}`;

  async function take(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const app = apps.get(pathname);
    if (app === undefined) return new Response(null, { status: 404 });
    let message: Message;
    try {
      message = await read(request, app);
    } catch (error) {
      problems.push(`${error}`);
      return new Response(`${error}`, { status: 400 });
    }
    if (message.bytes > MAX_BYTES) {
      problems.push(`${message.bytes} bytes`);
      return new Response(null, { status: 413 });
    }
    const answer = app.arrive(message);
    if (answer === "none") return new Promise(() => {});
    const { status, retryAfter } = typeof answer === "number" ? { status: answer, retryAfter: "" } : answer;
    return new Response(status === 204 ? null : "x".repeat(status < 300 ? 0 : 10_000), {
      status,
      headers: {
        ...(retryAfter !== "" && { "retry-after": retryAfter }),
        ...(status === 201 && { location: `${origin}/message/${randomUUID()}` }),
        ...(status >= 300 && status < 400 && { location: `${origin}${pathname}` }),
      },
    });
  }

  async function read(request: Request, app: App): Promise<Message> {
    const { headers, method } = request;
    if (method !== "POST") throw new Error("expected POST");
    const ttl = headers.get("ttl") ?? "";
    if (!/^\d{1,10}$/.test(ttl)) throw new Error("expected TTL");
    const urgency = headers.get("urgency");
    if (urgency !== null && !/^(?:very-low|low|normal|high)$/.test(urgency)) throw new Error("no urgency");
    const topic = headers.get("topic");
    if (topic !== null && !/^[\w-]{1,32}$/.test(topic)) throw new Error("no topic");
    const body = Buffer.from(await request.arrayBuffer());
    const sender =
      app.keys === undefined ? undefined : await identify(headers.get("authorization"), origin, nowMs());
    return {
      text: app.read(headers, body),
      bytes: body.length,
      ttl: Number(ttl),
      urgency,
      topic,
      sender,
      contentType: headers.get("content-type"),
    };
  }

  return {
    origin,
    /** As `--push-services` takes it. */
    host: `127.0.0.1:${server.port}`,
    problems,
    /** A new app; without `isEncrypted`, one that gives no keys. */
    subscribe(isEncrypted = true): App {
      const path = `/push/${randomUUID()}`;
      const app = new App(`${origin}${path}`, isEncrypted);
      apps.set(path, app);
      return app;
    },
    stop: () => server.stop(true),
  };
}
