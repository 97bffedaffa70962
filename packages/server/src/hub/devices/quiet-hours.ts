/**
 * Quiet hours: the times of day, in the device's zone, in which only what is urgent is written to it.
 *
 * They go by what the clock on the wall shows. Where it jumps over the beginning or the end of the quiet hours, that takes
 * effect at the jump; what it shows twice is twice quiet, or twice not.
 */
import type { TimeZone } from "../../lib/zones.ts";
import type { QuietHours } from "./device.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const TIME_OF_DAY = /^([01]\d|2[0-3]):([0-5]\d)$/;

/** The milliseconds from midnight to `text`, `00:00` to `23:59`, on a clock; `undefined` if it is no such time. */
export function parseTimeOfDay(text: string): number | undefined {
  const [, hours, minutes] = TIME_OF_DAY.exec(text) ?? [];
  return hours === undefined ? undefined : Number(hours) * HOUR_MS + Number(minutes) * MINUTE_MS;
}

/** Why these are no quiet hours, in one line for people; `undefined` if they are. */
export function quietHoursProblem({ from, to }: QuietHours): string | undefined {
  for (const [name, text] of Object.entries({ from, to })) {
    if (parseTimeOfDay(text) === undefined) return `${name}: a time from 00:00 to 23:59 is expected`;
  }
  return from === to ? "from and to are the same time; push: false is quiet all day" : undefined;
}

/** Whether `atMs` lies in the quiet hours. */
export function isQuiet({ from, to }: QuietHours, zone: TimeZone, atMs: number): boolean {
  const fromMs = parseTimeOfDay(from);
  const toMs = parseTimeOfDay(to);
  // Nobody is kept waiting by a text that is no time.
  if (fromMs === undefined || toMs === undefined) return false;
  const shownMs = timeOfDay(zone.localMs(atMs));
  return fromMs <= toMs ? shownMs >= fromMs && shownMs < toMs : shownMs >= fromMs || shownMs < toMs;
}

/** The first moment after `atMs` at which `isQuiet` says otherwise; infinite if there is none. */
export function nextChange(quiet: QuietHours, zone: TimeZone, atMs: number): number {
  if (quietHoursProblem(quiet) !== undefined) return Number.POSITIVE_INFINITY;
  const isNow = isQuiet(quiet, zone, atMs);
  const edgeMs = parseTimeOfDay(isNow ? quiet.to : quiet.from) ?? 0;
  for (let fromMs = atMs; ; ) {
    const span = zone.spanAt(fromMs);
    const untilEdgeMs = timeOfDay(edgeMs - (fromMs + span.offsetMs));
    if (fromMs + untilEdgeMs < span.toMs) return fromMs + untilEdgeMs;
    fromMs = span.toMs;
    if (isQuiet(quiet, zone, fromMs) !== isNow) return fromMs;
  }
}

/** From midnight, on a clock that shows `localMs`. */
function timeOfDay(localMs: number): number {
  return ((localMs % DAY_MS) + DAY_MS) % DAY_MS;
}
