/**
 * How long to wait before the next attempt to connect: exponential, with full jitter.
 *
 * Ten thousand clients that lost their server in the same moment come back spread over the whole window instead of
 * together; see "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
 */

/** The first window. */
const BASE_MS = 500;
/** The widest window: a phone that lost its server for an hour is back within 20 s of its return. */
const CAP_MS = 20_000;
/** The shortest wait, so that bad luck with the dice never makes a busy loop. */
const FLOOR_MS = 100;

/**
 * Milliseconds to wait before attempt number `attempt` (0 is the first retry).
 * @param random a number from 0 up to 1, fresh for each call.
 */
export function backoffMs(attempt: number, random: number): number {
  const windowMs = Math.min(CAP_MS, BASE_MS * 2 ** attempt);
  return FLOOR_MS + random * (windowMs - FLOOR_MS);
}
