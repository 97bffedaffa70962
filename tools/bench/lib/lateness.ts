/** How late the runs of a timed push reach the clients. */

/** One run as the clients saw it, in milliseconds on the monotonic clock. */
export interface Run {
  readonly frames: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

export interface Lateness {
  /** When the first client had a run, after the grid. One entry per run. */
  readonly first: readonly number[];
  /** When the last client had it. */
  readonly last: readonly number[];
}

/**
 * Lays a grid of `periodMs` through the runs so that the earliest one is just on time, and measures the others
 * against it. A delay that all runs share cannot be seen from outside; a run that was skipped does not count
 * against those that follow it.
 */
export function latenessOf(runs: readonly Run[], periodMs: number): Lateness {
  const originMs = runs[0]?.firstMs ?? 0;
  const steps = runs.map(({ firstMs }) => Math.round((firstMs - originMs) / periodMs) * periodMs + originMs);
  const earliest = Math.min(...runs.map(({ firstMs }, k) => firstMs - (steps[k] ?? 0)));
  const late = (atMs: number, k: number) => atMs - (steps[k] ?? 0) - earliest;
  return {
    first: runs.map(({ firstMs }, k) => late(firstMs, k)),
    last: runs.map(({ lastMs }, k) => late(lastMs, k)),
  };
}
