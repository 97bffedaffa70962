/**
 * One timer that keeps all streams in use: proxies and NATs on the way cut what is silent, many after 30 or 60 s. Nothing
 * else tells a stream's server that its client is gone: the kernel gives up on a line that nobody acknowledges.
 */
import type { CancelTimer, Clock } from "../lib/clock.ts";

export interface KeptAlive {
  keepAlive(): void;
}

const PERIOD_MS = 20_000;
/** A line costs about 6 µs: to all of 10,000 streams in one go would be 60 ms in which nobody else is served. */
const PARTS = 20;

export class KeepAlive {
  readonly #clock: Clock;
  readonly #parts: readonly Set<KeptAlive>[] = Array.from({ length: PARTS }, () => new Set<KeptAlive>());
  #joined = 0;
  #next = 0;
  #size = 0;
  #cancel: CancelTimer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#size;
  }

  /** Returns a function that ends it. */
  add(stream: KeptAlive): () => void {
    const part = this.#parts[this.#joined++ % PARTS] ?? new Set();
    part.add(stream);
    this.#size += 1;
    if (this.#size === 1) this.#arm();
    return () => this.#remove(part, stream);
  }

  #remove(part: Set<KeptAlive>, stream: KeptAlive): void {
    if (!part.delete(stream)) return;
    this.#size -= 1;
    if (this.#size === 0) this.#cancel?.();
  }

  #arm(): void {
    this.#cancel = this.#clock.setTimer(PERIOD_MS / PARTS, () => {
      this.#arm();
      for (const stream of this.#parts[this.#next++ % PARTS] ?? []) stream.keepAlive();
    });
  }
}
