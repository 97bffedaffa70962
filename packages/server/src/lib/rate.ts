/** How often somebody may do something. */
import type { Clock } from "./clock.ts";

/** Who was let through within the last second or so is remembered; beyond this many, the longest unseen are forgotten. */
const MAX_NAMES = 100_000;
/** What a second allows may be used at once, and that of one second more. */
const BURST_MS = 1_000;

/**
 * Counts by name: `perSecond` on average, twice that at once after a quiet second. A debt is allowed once: whoever stands
 * well may take any number (a batch), and then waits until it is paid back.
 *
 *     const rates = new Rates(clock, () => limits.maxPublishesPerSecond);
 *     const waitMs = rates.take("key:backup"); // 0: go on
 */
export class Rates {
  readonly #clock: Clock;
  readonly #perSecond: () => number;
  /** When each name's account is even again, on the monotonic clock; the longest unchanged first. */
  readonly #evenAtMs = new Map<string, number>();

  /** `perSecond` is asked each time, so it may change. Infinity for without bound. */
  constructor(clock: Clock, perSecond: () => number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  /** Takes `count` for `name`: 0, or the milliseconds after which it may be tried again; then nothing was taken. */
  take(name: string, count = 1): number {
    const perSecond = this.#perSecond();
    if (perSecond === Number.POSITIVE_INFINITY) return 0;
    const nowMs = this.#clock.monotonicMs();
    const evenAtMs = Math.max(this.#evenAtMs.get(name) ?? 0, nowMs);
    const waitMs = evenAtMs - nowMs - BURST_MS;
    if (waitMs > 0) return Math.ceil(waitMs);
    this.#evenAtMs.delete(name);
    this.#evenAtMs.set(name, evenAtMs + (count * 1_000) / perSecond);
    this.#forgetOld(nowMs);
    return 0;
  }

  /** A few at each call, so that no call takes long. */
  #forgetOld(nowMs: number): void {
    let looks = 2;
    for (const [name, evenAtMs] of this.#evenAtMs) {
      if (looks-- === 0) return;
      if (evenAtMs > nowMs && this.#evenAtMs.size <= MAX_NAMES) return;
      this.#evenAtMs.delete(name);
    }
  }
}
