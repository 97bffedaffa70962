/**
 * The oracle for zones: what the clock on the wall shows, as `Intl` says it. Slow, and it shares nothing with the code that
 * it checks.
 */
import fc from "fast-check";

export const ZONES = [
  "UTC",
  "America/New_York",
  "Europe/Berlin",
  "Europe/London", // summer time all year until 1971
  "Australia/Lord_Howe", // half an hour of summer time
  "America/Sao_Paulo", // jumps at midnight
  "Africa/Casablanca", // four changes a year
  "Africa/Cairo", // jumps at midnight, also in between and back
  "Pacific/Apia", // left out a whole day
  "America/St_Johns", // jumped at 00:01, once by two hours
  "Asia/Kolkata",
  "Asia/Shanghai",
  "Asia/Kathmandu", // once moved by a quarter of an hour
  "Antarctica/Troll", // two hours of summer time
] as const;

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** A hundred years. */
export const FROM_MS = Date.UTC(1970, 0, 2);
export const TO_MS = Date.UTC(2070, 0, 2);

const formats = new Map<string, Intl.DateTimeFormat>();

/** What the clock in `zone` shows, as a clock in UTC would that shows the same. */
export function slowLocalMs(zone: string, atMs: number): number {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(zone, format);
  }
  const [month = 0, day = 0, year = 0, hour, minute, second] = format.format(atMs).split(/\D+/).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** The moments, to the hour, at or before which the clock in `zone` changed. */
function changesOf(zone: string): number[] {
  const offsetAt = (atMs: number) => slowLocalMs(zone, atMs) - atMs;
  const changes: number[] = [];
  let offset = offsetAt(FROM_MS);
  for (let atMs = FROM_MS; atMs < TO_MS; atMs += DAY_MS / 2) {
    if (offsetAt(atMs) === offset) continue;
    let hourMs = atMs - DAY_MS / 2 + HOUR_MS;
    while (offsetAt(hourMs) === offset) hourMs += HOUR_MS;
    changes.push(hourMs);
    offset = offsetAt(atMs);
  }
  return changes;
}

const changes = new Map<string, number[]>(ZONES.map((zone) => [zone, changesOf(zone)]));

/** A zone and a moment in it, mostly up to `nearMs` before a change of its clock or a third of that after it. */
export function momentsNear(nearMs: number): fc.Arbitrary<{ readonly zone: string; readonly atMs: number }> {
  return fc.constantFrom(...ZONES).chain((zone) => {
    const anywhere = fc.integer({ min: FROM_MS, max: TO_MS });
    const list = changes.get(zone) ?? [];
    if (list.length === 0) return fc.record({ zone: fc.constant(zone), atMs: anywhere });
    const near = fc
      .tuple(fc.constantFrom(...list), fc.integer({ min: -nearMs, max: Math.floor(nearMs / 3) }))
      .map(([changeMs, distanceMs]) => changeMs + distanceMs);
    return fc.record({
      zone: fc.constant(zone),
      atMs: fc.oneof({ weight: 4, arbitrary: near }, { weight: 1, arbitrary: anywhere }),
    });
  });
}
