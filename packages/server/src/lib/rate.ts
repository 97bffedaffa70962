/** How often somebody may do something. */
import type { Clock } from "./clock.ts";

/** Beyond this many names, the longest unseen are forgotten, their debts with them: memory is bounded (about 10 MB). */
const MAX_NAMES = 100_000;
const SECOND_MS = 1_000;

/**
 * Counts by name: so many a second (or another window) on average, at once after a quiet one, because clients come in
 * bursts, and at most twice that in any. A debt is allowed once: whoever stands well may take any number (a batch), and then
 * waits until it is paid back.
 *
 *     const rates = new Rates(clock, () => limits.maxPublishesPerSecond);
 *     const waitMs = rates.take("key:backup"); // 0: go on
 */
export class Rates {
  readonly #clock: Clock;
  readonly #allowed: () => number;
  readonly #windowMs: number;
  /**
   * When each name's account is even again, on the monotonic clock. In two generations, because a whole one is forgotten
   * at no cost; dropping the oldest name of one map took 40 µs (Bun 1.4.5 looks for the first that is left).
   */
  #young = new Map<string, number>();
  #old: ReadonlyMap<string, number> = new Map();
  #youngEvenAtMs = 0;
  /** When nobody in the old generation owes anything any more. */
  #oldEvenAtMs = 0;

  /** `allowed` in a window is asked each time, so it may change. Infinity for without bound. */
  constructor(clock: Clock, allowed: () => number, windowMs = SECOND_MS) {
    this.#clock = clock;
    this.#allowed = allowed;
    this.#windowMs = windowMs;
  }

  /** Takes `count` for `name`: 0, or the milliseconds after which it may be tried again; then nothing was taken. */
  take(name: string, count = 1): number {
    const allowed = this.#allowed();
    if (allowed === Number.POSITIVE_INFINITY) return 0;
    const nowMs = this.#clock.monotonicMs();
    const evenAtMs = Math.max(this.#young.get(name) ?? this.#old.get(name) ?? 0, nowMs);
    const waitMs = evenAtMs - nowMs - this.#windowMs;
    if (waitMs > 0) return Math.ceil(waitMs);
    if (nowMs >= this.#oldEvenAtMs || this.#young.size >= MAX_NAMES / 2) this.#forgetOld(nowMs);
    this.#owes(name, evenAtMs + (count * this.#windowMs) / allowed);
    return 0;
  }

  /** How many names are remembered; one in both generations counts twice. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  #owes(name: string, untilMs: number): void {
    this.#young.set(name, untilMs);
    this.#youngEvenAtMs = Math.max(this.#youngEvenAtMs, untilMs);
  }

  #forgetOld(nowMs: number): void {
    this.#old = this.#young;
    // Not at every call, however little is owed.
    this.#oldEvenAtMs = Math.max(this.#youngEvenAtMs, nowMs + SECOND_MS);
    this.#young = new Map();
    this.#youngEvenAtMs = 0;
  }
}
