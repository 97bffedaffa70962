/**
 * Hands what a channel has received to the app: one after the other, each once the app is done with the one before. While
 * nobody listens, publications wait.
 */
import type { Gap, Publication } from "@carillon/protocol/frames";
import type { Position } from "@carillon/protocol/position";

/** A publication, a gap or the end of a page. */
export interface Step {
  readonly publication?: Publication;
  readonly gap?: Gap;
  /** How far it brings the app. */
  readonly position?: Position | undefined;
}

export interface DeliveryPorts {
  /** Whether anybody listens. */
  isHeard(): boolean;
  /** Calls the listeners; returns what they returned. */
  handOver(step: Step): readonly unknown[];
  /** The app is done with it; `failures` is what its listeners threw. */
  handled(step: Step, failures: readonly unknown[]): void;
  /** Nothing waits any more. */
  emptied(): void;
}

/**
 * Publications that wait for slow listeners. Beyond it frames are dropped, and once the queue is empty the channel is
 * caught up from its position: nothing is lost, and memory is bounded.
 */
const MAX_QUEUED = 10_000;

export class Delivery {
  readonly #ports: DeliveryPorts;
  #queue: Step[] = [];
  #running = false;

  constructor(ports: DeliveryPorts) {
    this.#ports = ports;
  }

  get isFull(): boolean {
    return this.#queue.length >= MAX_QUEUED;
  }

  push(step: Step): void {
    this.#queue.push(step);
  }

  /** What waits is not wanted any more. */
  clear(): void {
    this.#queue = [];
  }

  /** Goes on until nothing waits; resolves then. Listeners that return at once are not waited for by a turn. */
  async run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (let step = this.#next(); step !== undefined; step = this.#next()) {
      const results = this.#ports.handOver(step);
      this.#ports.handled(step, results.some(isPromise) ? await failuresOf(results) : []);
    }
    this.#running = false;
    if (this.#queue.length === 0) this.#ports.emptied();
  }

  #next(): Step | undefined {
    if (this.#queue[0]?.publication !== undefined && !this.#ports.isHeard()) return undefined;
    return this.#queue.shift();
  }
}

/** Any kind of promise: React Native and older libraries bring their own. */
function isPromise(value: unknown): boolean {
  return typeof (value as PromiseLike<unknown> | undefined | null)?.then === "function";
}

async function failuresOf(results: readonly unknown[]): Promise<unknown[]> {
  const outcomes = await Promise.allSettled(results);
  return outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
}
