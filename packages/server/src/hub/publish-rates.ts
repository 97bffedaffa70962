/** How many publications each may make. It is the one place that every way to publish asks, so refusals are counted here. */
import type { Clock } from "../lib/clock.ts";
import type { Metrics } from "../lib/metrics.ts";
import { Rates } from "../lib/rate.ts";
import type { Limits } from "./limits.ts";

export interface PublishRatesPorts {
  readonly clock: Clock;
  readonly limits: Readonly<Limits>;
  readonly metrics: Pick<Metrics, "refused">;
}

export class PublishRates {
  readonly #rates: Rates;
  readonly #metrics: PublishRatesPorts["metrics"];

  constructor({ clock, limits, metrics }: PublishRatesPorts) {
    this.#rates = new Rates(clock, () => limits.maxPublishesPerSecond);
    this.#metrics = metrics;
  }

  /** Takes `count` publications by `who`: 0, or the milliseconds after which they may be tried again. */
  take(who: string, count = 1): number {
    const waitMs = this.#rates.take(who, count);
    if (waitMs > 0) this.#metrics.refused.inc({ code: "rate_limited" });
    return waitMs;
  }
}
