/**
 * Posting to push services: where endpoints allow it, within some seconds, and not to one that is down. One that fails several
 * times in a row is left alone for a while, and then asked once: a thousand devices at a service that does not answer, or at
 * one that an app has made up for that, keep nobody else waiting.
 */
import type { Outcome } from "../../hub/notifications/notifier.ts";
import type { CancelTimer, Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { askedWait } from "../webhooks/retry.ts";
import type { Endpoints } from "./endpoints.ts";

const TIMEOUT_MS = 10_000;
/** One endpoint alone may be out of order, or have had too much, at a service that is well. */
const FAILURES_IN_A_ROW = 5;
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 300_000;
/** Push services are a handful; more than this are made up. */
const MAX_TROUBLED = 1_000;
/** A service that is down fails a million times. */
const WARN_EVERY_MS = 60_000;

/** The part of the global `fetch` that is used. */
export type Post = (url: string, init: BunFetchRequestInit) => Promise<Response>;

export interface PushServicesPorts {
  readonly endpoints: Endpoints;
  readonly clock: Clock;
  readonly log: Log;
  readonly post: Post;
}

export interface PushRequest {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer<ArrayBuffer>;
}

/** What a service has answered, or why there is no answer. */
type Answer =
  | { readonly status: number; readonly askedMs: number }
  | { readonly status?: undefined; readonly problem: string; readonly isFinal: boolean };

/** A service that fails. Times are monotonic. */
interface Trouble {
  failures: number;
  untilMs: number;
  isAsked: boolean;
}

export class PushServices {
  readonly #ports: PushServicesPorts;
  readonly #troubled = new Map<string, Trouble>();
  #mayWarnAtMs = Number.NEGATIVE_INFINITY;

  constructor(ports: PushServicesPorts) {
    this.#ports = ports;
  }

  /** Posts, and says what became of it; "too large" for 413. Never rejects. */
  async post(request: PushRequest, signal: AbortSignal): Promise<Outcome | "too large"> {
    const { endpoints, clock } = this.#ports;
    const problem = endpoints.problem(request.endpoint);
    if (problem !== undefined) return this.#refused(request, problem);
    const { origin } = new URL(request.endpoint);
    const trouble = this.#troubled.get(origin);
    if (trouble !== undefined && trouble.failures >= FAILURES_IN_A_ROW) {
      const pausedMs = trouble.untilMs - clock.monotonicMs();
      if (pausedMs > 0 || trouble.isAsked) return { retryAfterMs: Math.max(pausedMs, FIRST_PAUSE_MS) };
      trouble.isAsked = true;
    }
    const answer = await this.#ask(request, signal);
    if (trouble !== undefined) trouble.isAsked = false;
    if (signal.aborted) return { retryAfterMs: 0 };
    return this.#outcome(request, origin, answer);
  }

  #outcome(request: PushRequest, origin: string, answer: Answer): Outcome | "too large" {
    const { status } = answer;
    if (status === undefined) {
      if (answer.isFinal) return this.#refused(request, answer.problem);
      return this.#failed(origin, answer.problem, 0);
    }
    if (status === 429 || status >= 500) return this.#failed(origin, `answered ${status}`, answer.askedMs);
    this.#troubled.delete(origin);
    if (status >= 200 && status < 300) return "sent";
    if (status === 404 || status === 410) return "gone";
    if (status === 413) return "too large";
    return this.#refused(request, `answered ${status}`);
  }

  #failed(origin: string, reason: string, askedMs: number): Outcome {
    const nowMs = this.#ports.clock.monotonicMs();
    const trouble = this.#troubled.get(origin) ?? { failures: 0, untilMs: 0, isAsked: false };
    const isInARow = trouble.failures >= FAILURES_IN_A_ROW;
    // Those that were under way together are one failure more.
    if (!isInARow || trouble.untilMs <= nowMs) trouble.failures += 1;
    const pauses = Math.max(0, trouble.failures - FAILURES_IN_A_ROW);
    const pauseMs = Math.max(askedMs, Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** pauses));
    trouble.untilMs = Math.max(trouble.untilMs, nowMs + pauseMs);
    this.#troubled.delete(origin);
    this.#troubled.set(origin, trouble);
    if (this.#troubled.size > MAX_TROUBLED) {
      const [longestAgo = ""] = this.#troubled.keys();
      this.#troubled.delete(longestAgo);
    }
    this.#warn(origin, reason);
    return { retryAfterMs: askedMs };
  }

  #refused({ endpoint }: PushRequest, reason: string): Outcome {
    this.#warn(URL.parse(endpoint)?.origin ?? "", reason);
    return "refused";
  }

  /** Never rejects. */
  async #ask({ endpoint, headers, body }: PushRequest, stopping: AbortSignal): Promise<Answer> {
    const { endpoints, clock, post } = this.#ports;
    const timeout = new AbortController();
    const cancel: CancelTimer = clock.setTimer(TIMEOUT_MS, () => timeout.abort(new Error(NO_ANSWER)));
    const signal = AbortSignal.any([timeout.signal, stopping]);
    try {
      const route = await unlessAborted(endpoints.resolve(endpoint), signal);
      if ("problem" in route) return { problem: route.problem, isFinal: true };
      const { url, host, serverName } = route;
      const response = await post(url, {
        method: "POST",
        // A redirect would lead to wherever it names.
        redirect: "manual",
        signal,
        headers: { ...headers, host },
        body,
        ...(serverName !== undefined && { tls: { serverName } }),
      });
      // Nobody reads it, however long it is.
      response.body?.cancel().catch(() => {});
      const askedMs = askedWait(response.headers.get("retry-after"), clock.wallMs());
      return { status: response.status, askedMs };
    } catch (error) {
      return { problem: reasonOf(error), isFinal: false };
    } finally {
      cancel();
    }
  }

  /** Says where to by the origin alone: the rest of an endpoint is a secret. */
  #warn(origin: string, reason: string): void {
    const { clock, log } = this.#ports;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#mayWarnAtMs) return;
    this.#mayWarnAtMs = nowMs + WARN_EVERY_MS;
    log.warn(`Push service ${origin.slice(0, 200)}: ${reason}`);
  }
}

/** A lookup cannot be ended; it need not be waited for. */
function unlessAborted<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

const NO_ANSWER = "no answer in time";

/** A network error's message may name the address, its code does not. */
function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (message === NO_ANSWER) return NO_ANSWER;
  return typeof code === "string" ? code : "it cannot be reached";
}
