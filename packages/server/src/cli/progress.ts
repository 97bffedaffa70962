/** Progress on the last line of a terminal, for what takes over a second. Elsewhere nothing is written. */
import type { Io } from "./command.ts";

/** Quicker than this, and a line that comes and goes would only flicker. */
const QUIET_MS = 1_000;
const REDRAW_MS = 250;

/**
 * Shows what `describe` says while `work` is under way; it is asked again for each redraw. Resolves or rejects as `work`.
 */
export async function withProgress<T>(
  io: Pick<Io, "clock" | "draw">,
  describe: (elapsedS: number) => string,
  work: Promise<T>,
): Promise<T> {
  const { clock, draw } = io;
  if (draw === undefined) return await work;
  const startMs = clock.monotonicMs();
  let isDrawn = false;
  let cancel = clock.setTimer(QUIET_MS, redraw);
  function redraw() {
    draw?.(describe((clock.monotonicMs() - startMs) / 1_000));
    isDrawn = true;
    cancel = clock.setTimer(REDRAW_MS, redraw);
  }
  try {
    return await work;
  } finally {
    cancel();
    if (isDrawn) draw("");
  }
}

/** `work`, and who is waited for. */
export function patiently<T>(io: Pick<Io, "clock" | "draw">, url: string, work: Promise<T>): Promise<T> {
  return withProgress(io, (elapsedS) => `Waiting for ${url} (${Math.floor(elapsedS)} s)`, work);
}

const UNITS = ["KB", "MB", "GB", "TB"];

/** Bytes for people: `12.3 MB`. */
export function inBytes(bytes: number): string {
  let [value, unit] = [bytes, "bytes"];
  for (const next of UNITS) {
    if (value < 1_000) break;
    [value, unit] = [value / 1_024, next];
  }
  return `${unit === "bytes" || value >= 100 ? Math.round(value) : value.toFixed(1)} ${unit}`;
}

/** A count for people: `1,234,567`. */
export function inThousands(count: number): string {
  return Math.round(count).toLocaleString("en");
}
