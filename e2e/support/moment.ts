/** Moments of the machine's clock: tests of due times have to act at them, and not when something else has happened. */
import { systemClock } from "../../packages/server/src/lib/clock.ts";

/** Milliseconds since 1970. */
export const nowMs = () => systemClock.wallMs();

/** Resolves when the clock shows `ms`, at once if it is past that. */
export function clockShows(ms: number): Promise<void> {
  return new Promise((resolve) => systemClock.setTimer(ms - nowMs(), resolve));
}
