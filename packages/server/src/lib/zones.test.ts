import { expect, test } from "bun:test";
import fc from "fast-check";
import { momentsNear, slowLocalMs } from "./testing/slow-clock.ts";
import { TimeZone, timeZone } from "./zones.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const inUse = Intl.supportedValuesOf("timeZone");

function zoneOf(name: string): TimeZone {
  const zone = timeZone(name);
  if (zone === undefined) throw new Error(`no zone ${name}`);
  return zone;
}

test("every zone's clock shows what Intl says it does, in whatever order it is asked", () => {
  const second = fc.integer({ min: Date.UTC(1900, 0, 1) / 1_000, max: Date.UTC(2150, 0, 1) / 1_000 });
  fc.assert(
    fc.property(
      fc.constantFrom(...inUse),
      fc.array(second, { minLength: 1, maxLength: 20 }),
      (name, seconds) => {
        const zone = new TimeZone(name);
        for (const at of seconds) expect(zone.localMs(at * 1_000)).toBe(slowLocalMs(name, at * 1_000));
      },
    ),
    { numRuns: 1_000 },
  );
});

test("a span begins and ends exactly where the offset changes", () => {
  fc.assert(
    fc.property(momentsNear(DAY_MS), ({ zone: name, atMs }) => {
      const zone = zoneOf(name);
      const span = zone.spanAt(atMs);
      expect(atMs).toBeWithin(span.fromMs, span.toMs);
      for (const edgeMs of [span.fromMs, span.toMs].filter(Number.isFinite)) {
        const before = slowLocalMs(name, edgeMs - 1_000) - (edgeMs - 1_000);
        expect(slowLocalMs(name, edgeMs) - edgeMs).not.toBe(before);
        expect(zone.spanAt(edgeMs - 1).toMs).toBe(edgeMs);
        expect(zone.spanAt(edgeMs).fromMs).toBe(edgeMs);
      }
    }),
    { numRuns: 500 },
  );
});

test("a local time is found where the clock shows it first, or jumps over it", () => {
  fc.assert(
    fc.property(momentsNear(DAY_MS), ({ zone: name, atMs }) => {
      const zone = zoneOf(name);
      const localMs = Math.floor(atMs / 60_000) * 60_000;
      const { fromMs, offsetMs } = zone.spanOfLocal(localMs);
      const foundMs = Math.max(fromMs, localMs - offsetMs);
      // Minute by minute from before anybody on earth has that time.
      let watchedMs = localMs - 26 * HOUR_MS;
      while (slowLocalMs(name, watchedMs) < localMs) watchedMs += 60_000;
      expect(foundMs).toBe(watchedMs);
    }),
    { numRuns: 300 },
  );
});

test("a zone is found in any letters, and one that does not exist is not", () => {
  expect(timeZone("europe/BERLIN")?.name).toBe("Europe/Berlin");
  expect(timeZone("+02:00")?.localMs(0)).toBe(2 * HOUR_MS);
  for (const name of ["Mars/Olympus", "", " UTC", "Europe/Berlin\n", "constructor"]) {
    expect(timeZone(name)).toBeUndefined();
  }
});

test("a cache that has filled up starts anew", () => {
  const zone = new TimeZone("Africa/Casablanca");
  for (let year = 1970; year < 4_000; year++) {
    for (const month of [0, 6]) zone.spanAt(Date.UTC(year, month, 1));
  }
  for (const year of [1970, 2026, 3_999]) {
    const atMs = Date.UTC(year, 6, 1);
    expect(zone.localMs(atMs)).toBe(slowLocalMs("Africa/Casablanca", atMs));
  }
});
