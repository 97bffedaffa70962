/**
 * How often a device may change what is kept of it over HTTP, as on its connection: each change is a write to the disk, and
 * anybody may register one. Admins may as often as they like.
 */
import type { Clock } from "../lib/clock.ts";
import type { Metrics } from "../lib/metrics.ts";
import { Rates } from "../lib/rate.ts";
import { type Admit, Refusal } from "./api/route.ts";

export interface DeviceChangesPorts {
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, "refused">;
}

/** Changes a second by one device. Apps need a thousandth of it. */
const PER_SECOND = 20;

/** Makes what lets devices change what is kept of them. */
export function deviceChanges({ clock, metrics }: DeviceChangesPorts): Admit {
  const rates = new Rates(clock, () => PER_SECOND);
  return ({ access: { device } }) => {
    const waitMs = device === undefined ? 0 : rates.take(device);
    if (waitMs === 0) return;
    metrics.refused.inc({ code: "rate_limited" });
    const headers = { "retry-after": String(Math.ceil(waitMs / 1_000)) };
    throw new Refusal(429, "rate_limited", `too many changes; try again in ${waitMs} ms`, headers);
  };
}
