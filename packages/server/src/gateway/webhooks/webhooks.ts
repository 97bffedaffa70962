/**
 * Webhooks: one POST per event to one address, signed, and sent again until it is taken or hopeless.
 *
 * Nothing here is on the way of a push: an event is put into a bounded queue and sent in a later turn, a few at a time
 * (25 µs of CPU each, measured on loopback). A receiver that is slow or down costs the queue and no delivery. Events are kept in memory alone and
 * are not ordered, also those of one kind: some are sent again while later ones pass. At least once, while the process
 * lives; the log is what nothing is lost from.
 */
import type { EventSink, HubEvent, HubEventType } from "../../hub/events.ts";
import type { CancelTimer, Clock } from "../../lib/clock.ts";
import type { NextId } from "../../lib/ids.ts";
import type { Log } from "../../lib/log.ts";
import type { Metrics } from "../../lib/metrics.ts";
import { payloadOf, sizeOf } from "./payload.ts";
import { askedWait, MAX_ATTEMPTS, verdictOn, waitAfter } from "./retry.ts";
import { type SigningKey, signedHeaders } from "./signing.ts";

/** A receiver that takes no more than this many at a time is not pressed, and one that does none of it holds few sockets. */
const CONCURRENT = 4;
const TIMEOUT_MS = 10_000;
/** Also those that wait to be sent again: a receiver that is down for long must not fill the memory… */
const MAX_WAITING = 10_000;
/** …with publications either, of which 10,000 may have 600 MB. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
const DRAIN_MS = 2_000;
/** A receiver that is down fails ten thousand times. */
const WARN_EVERY_MS = 60_000;

/** The part of the global `fetch` that is used. */
export type Post = (url: string, init: RequestInit) => Promise<Response>;

export interface WebhookTarget {
  /** Without credentials: they are in `authorization`. */
  readonly url: string;
  readonly authorization?: string;
  readonly key: SigningKey;
  readonly events: readonly HubEventType[];
}

export interface WebhookPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly nextId: NextId;
  /** From 0 up to 1. */
  readonly chance: () => number;
  readonly post: Post;
}

interface Delivery {
  /** Also of its repetitions: the receiver knows by it what it has seen. */
  readonly id: string;
  readonly event: HubEvent;
  readonly timeMs: number;
  failures: number;
}

/** How an attempt ended: with a status, or without one and the reason. */
type Answer =
  | { readonly status: number; readonly askedMs: number }
  | { readonly status: undefined; readonly reason: string };

export class Webhooks implements EventSink {
  readonly #target: WebhookTarget;
  readonly #types: ReadonlySet<HubEventType>;
  readonly #ports: WebhookPorts;
  /** What is sent next, the oldest first. */
  readonly #ready: Delivery[] = [];
  /** What waits to be sent again. */
  readonly #resting = new Map<Delivery, CancelTimer>();
  readonly #underWay = new Map<Delivery, AbortController>();
  #bytes = 0;
  /** On the monotonic clock, as is the other. */
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #mayWarnAtMs = Number.NEGATIVE_INFINITY;
  #wake: CancelTimer | undefined;
  readonly #lost = { dead: 0, dropped: 0 };
  #state: "open" | "draining" | "closed" = "open";
  #drained: () => void = () => {};

  constructor(target: WebhookTarget, ports: WebhookPorts) {
    this.#target = target;
    this.#types = new Set(target.events);
    this.#ports = ports;
  }

  /** Events that have been neither taken nor given up yet. */
  get waiting(): number {
    return this.#ready.length + this.#resting.size + this.#underWay.size;
  }

  wants(type: HubEventType): boolean {
    return this.#types.has(type);
  }

  tell(event: HubEvent): void {
    if (this.#state !== "open") this.#lose("dropped");
    else if (this.waiting >= MAX_WAITING || this.#bytes >= MAX_WAITING_BYTES) {
      this.#lose("dropped");
      this.#warn("too many events wait");
    } else this.#add(event);
  }

  #add(event: HubEvent): void {
    const { nextId, clock } = this.#ports;
    this.#ready.push({ id: `msg_${nextId()}`, event, timeMs: clock.wallMs(), failures: 0 });
    this.#bytes += sizeOf(event);
    // Not in the turn of the commit that is being delivered.
    if (this.#underWay.size < CONCURRENT) this.#wake ??= clock.setTimer(0, () => this.#begin());
  }

  /** Sends what is ready for two seconds at most; what is left then, or rests, is dropped. */
  async stop(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "draining";
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#drained = resolve;
    const cancel = this.#ports.clock.setTimer(DRAIN_MS, resolve);
    this.#pump();
    await promise;
    cancel();
    this.#state = "closed";
    this.#wake?.();
    for (const cancelRest of this.#resting.values()) cancelRest();
    for (const abort of this.#underWay.values()) abort.abort();
    const { waiting } = this;
    if (waiting === 0) return;
    this.#lose("dropped", waiting);
    this.#ports.log.warn(`Webhooks: ${waiting} events dropped, as the server stops`);
  }

  #begin(): void {
    this.#wake = undefined;
    this.#pump();
  }

  #pump(): void {
    const pausedMs = this.#pausedUntilMs - this.#ports.clock.monotonicMs();
    if (pausedMs > 0) this.#wake ??= this.#ports.clock.setTimer(pausedMs, () => this.#begin());
    while (pausedMs <= 0 && this.#underWay.size < CONCURRENT) {
      const delivery = this.#ready.shift();
      if (delivery === undefined) break;
      void this.#attempt(delivery);
    }
    if (this.#state === "draining" && this.#underWay.size === 0) this.#drained();
  }

  async #attempt(delivery: Delivery): Promise<void> {
    const abort = new AbortController();
    this.#underWay.set(delivery, abort);
    const answer = await this.#post(delivery, abort);
    // What has come to an end since was counted there.
    if (this.#state === "closed") return;
    this.#underWay.delete(delivery);
    this.#settle(delivery, answer);
    this.#pump();
  }

  /** Never rejects. */
  async #post({ id, event, timeMs }: Delivery, abort: AbortController): Promise<Answer> {
    const { url, authorization, key } = this.#target;
    const { clock, post } = this.#ports;
    const body = payloadOf(event, timeMs);
    const cancel = clock.setTimer(TIMEOUT_MS, () => abort.abort(new Error(NO_ANSWER)));
    try {
      const {
        status,
        headers,
        body: rest,
      } = await post(url, {
        method: "POST",
        // A redirect would lead signed events to wherever it names.
        redirect: "manual",
        signal: abort.signal,
        headers: {
          "content-type": "application/json",
          ...(authorization !== undefined && { authorization }),
          ...signedHeaders(key, id, Math.floor(clock.wallMs() / 1_000), body),
        },
        body,
      });
      // Nobody reads it, however long it is.
      rest?.cancel().catch(() => {});
      return { status, askedMs: askedWait(headers.get("retry-after"), clock.wallMs()) };
    } catch (error) {
      return { status: undefined, reason: reasonOf(error) };
    } finally {
      cancel();
    }
  }

  #settle(delivery: Delivery, answer: Answer): void {
    const verdict = answer.status === undefined ? "again" : verdictOn(answer.status);
    if (verdict !== "delivered") {
      delivery.failures += 1;
      this.#warn(answer.status === undefined ? answer.reason : `answered ${answer.status}`);
      if (verdict === "again" && delivery.failures < MAX_ATTEMPTS) return void this.#rest(delivery, answer);
    }
    this.#bytes -= sizeOf(delivery.event);
    if (verdict === "delivered") this.#ports.metrics.webhooks.inc({ outcome: "delivered" });
    else this.#lose("dead");
  }

  #rest(delivery: Delivery, answer: Answer): void {
    const { clock, chance, metrics } = this.#ports;
    metrics.webhooks.inc({ outcome: "retried" });
    const askedMs = answer.status === undefined ? 0 : answer.askedMs;
    // Whoever asks for time means all of it: the others would only be told the same.
    if (askedMs > 0) this.#pausedUntilMs = Math.max(this.#pausedUntilMs, clock.monotonicMs() + askedMs);
    const waitMs = askedMs + waitAfter(delivery.failures, chance());
    const again = () => {
      this.#resting.delete(delivery);
      this.#ready.push(delivery);
      this.#pump();
    };
    this.#resting.set(delivery, clock.setTimer(waitMs, again));
  }

  #lose(how: "dead" | "dropped", count = 1): void {
    this.#lost[how] += count;
    this.#ports.metrics.webhooks.inc({ outcome: how }, count);
  }

  /** Says where to by the origin alone: the rest of the address may hold a secret. */
  #warn(reason: string): void {
    const { clock, log } = this.#ports;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#mayWarnAtMs) return;
    this.#mayWarnAtMs = nowMs + WARN_EVERY_MS;
    const { dead, dropped } = this.#lost;
    log.warn(`Webhooks to ${new URL(this.#target.url).origin}: ${reason}`, {
      waiting: this.waiting,
      dead,
      dropped,
    });
  }
}

const NO_ANSWER = "no answer in time";

/** A network error's message may name the address, its code does not. */
function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (message === NO_ANSWER) return NO_ANSWER;
  return typeof code === "string" ? code : "it cannot be reached";
}
