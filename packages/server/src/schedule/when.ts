/** When a schedule is due. Pure: times in, times out. */

/**
 * The first multiple of `everyMs` counted from `anchorMs` that lies after `afterMs`.
 *
 * Computed from the anchor each time, never from the run before: an error of one run cannot add up, and the
 * thousandth push is as punctual as the first.
 */
export function nextDue(anchorMs: number, everyMs: number, afterMs: number): number {
  const elapsedRuns = Math.floor((afterMs - anchorMs) / everyMs);
  return anchorMs + Math.max(1, elapsedRuns + 1) * everyMs;
}
