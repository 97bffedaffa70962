/**
 * Who may register devices: admins; and others unless that is switched off, so many a minute from one address. It is asked
 * before anything of a request is read, as nobody knows these others.
 */
import type { Limits } from "../hub/limits.ts";
import type { Clock } from "../lib/clock.ts";
import type { Metrics } from "../lib/metrics.ts";
import { Rates } from "../lib/rate.ts";
import { type Admit, Refusal } from "./api/route.ts";
import { unauthorized } from "./bearer.ts";
import { countedAs } from "./client-address.ts";

/** Read each time, so they may change. */
export interface RegistrationRules {
  readonly limits: Readonly<Pick<Limits, "maxRegistrationsPerMinute">>;
  /** Whether apps register by themselves. */
  isOpen(): boolean;
}

export interface RegistrationPorts extends RegistrationRules {
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, "refused">;
}

const MINUTE_MS = 60_000;

/** Makes what lets callers register. */
export function registration({ limits, isOpen, clock, metrics }: RegistrationPorts): Admit {
  const rates = new Rates(clock, () => limits.maxRegistrationsPerMinute, MINUTE_MS);
  return ({ access, addressOf }) => {
    if (access.isAdmin) return;
    // Whoever has taken a device's token would have as many others, which stay when that is withdrawn.
    if (access.device !== undefined) throw forbidden("a device's token registers no others");
    if (!isOpen()) {
      if (access.who !== "anonymous") throw forbidden("only admins register devices here");
      const { problem, headers } = unauthorized(undefined);
      throw new Refusal(problem.status, problem.code, problem.detail, headers);
    }
    const waitMs = rates.take(countedAs(addressOf()));
    if (waitMs === 0) return;
    metrics.refused.inc({ code: "too_many_registrations" });
    const detail = `more than ${limits.maxRegistrationsPerMinute} registrations a minute from your address`;
    const headers = { "retry-after": String(Math.ceil(waitMs / 1_000)) };
    throw new Refusal(429, "too_many_registrations", detail, headers);
  };
}

function forbidden(detail: string): Refusal {
  return new Refusal(403, "forbidden", detail);
}
