/** Whether and when a webhook is sent again. */

/**
 * The waits before attempts 2 to 8 are 5 s, 15 s, 45 s, 2¼, 6¾, 20¼ and 60¾ minutes at most and half of that on average: an
 * event outlives a receiver's restart, and also a bad deployment of three quarters of an hour.
 */
export const MAX_ATTEMPTS = 8;
const FIRST_WAIT_MS = 5_000;
const FACTOR = 3;

/** A receiver that asks for more has a mistake in its clock, or wants nothing any more. */
const LONGEST_ASKED_MS = 3_600_000;

/**
 * Exponential backoff with full jitter: anything from nothing to the whole wait, so that what failed together does not
 * come back together. `failures` is at least 1; `random` is from 0 up to 1.
 */
export function waitAfter(failures: number, random: number): number {
  return random * FIRST_WAIT_MS * FACTOR ** (failures - 1);
}

export type Verdict = "delivered" | "again" | "dead";

/** A redirect is not followed, and is as final as 404: whoever answers so has something to change first. */
export function verdictOn(status: number): Verdict {
  if (status >= 200 && status < 300) return "delivered";
  return status === 429 || status >= 500 ? "again" : "dead";
}

/** The milliseconds that a `Retry-After` (RFC 9110 section 10.2.3) asks for, within bounds; 0 for none or nonsense. */
export function askedWait(retryAfter: string | null, nowMs: number): number {
  const text = retryAfter?.trim() ?? "";
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : untilDate(text, nowMs);
  return Math.min(Math.max(ms, 0), LONGEST_ASKED_MS);
}

function untilDate(text: string, nowMs: number): number {
  const dateMs = text.endsWith(" GMT") ? Date.parse(text) : Number.NaN;
  return Number.isNaN(dateMs) ? 0 : dateMs - nowMs;
}
