import { expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import fc from "fast-check";
import { Rates } from "./rate.ts";

const perSecond = fc.integer({ min: 1, max: 200 });
const NAMES = ["a", "b", "c"] as const;
type Step = { name: (typeof NAMES)[number]; count: number | "all" } | { waitMs: number };
const name = fc.constantFrom(...NAMES);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ name, count: fc.constantFrom(1, 1, 2) }),
  fc.record({ name, count: fc.integer({ min: 1, max: 5_000 }) }),
  // As many as will go, which single ones would seldom be.
  fc.record({ name, count: fc.constant("all" as const) }),
  fc.record({ waitMs: fc.double({ min: 0, max: 3_000, noNaN: true }) }),
);

interface Taken {
  readonly atMs: number;
  readonly count: number;
  /** What was taken at once. */
  readonly debt: number;
}

/** Takes single ones until it is refused, and says how many; a rate that never refuses does not go on for ever. */
function takeAll(rates: Rates, name: string): number {
  for (let count = 0; count < 20_000; count++) if (rates.take(name) > 0) return count;
  return 20_000;
}

/** Carries out `steps`; what each name took, and when. */
function taken(rates: Rates, clock: VirtualClock, steps: readonly Step[]) {
  const all: Record<(typeof NAMES)[number], Taken[]> = { a: [], b: [], c: [] };
  for (const each of steps) {
    if ("waitMs" in each) {
      clock.advance(each.waitMs);
      continue;
    }
    const count = each.count === "all" ? takeAll(rates, each.name) : each.count;
    if (each.count !== "all" && rates.take(each.name, count) > 0) continue;
    all[each.name].push({ atMs: clock.monotonicMs(), count, debt: each.count === "all" ? 1 : count });
  }
  return all;
}

test("no second sees more than twice the rate and one debt, whatever the others take", () => {
  fc.assert(
    fc.property(perSecond, fc.array(step, { maxLength: 100 }), (rate, steps) => {
      const clock = new VirtualClock();
      const all = taken(new Rates(clock, () => rate), clock, steps);
      for (const name of NAMES) {
        for (const [index, first] of all[name].entries()) {
          const second = all[name].slice(index).filter(({ atMs }) => atMs <= first.atMs + 1_000);
          const sum = second.reduce((total, { count }) => total + count, 0);
          const largest = Math.max(1, ...second.map(({ debt }) => debt));
          expect(sum).toBeLessThanOrEqual(2 * rate + largest);
        }
      }
    }),
  );
});

test("over a long time it is the rate", () => {
  fc.assert(
    fc.property(perSecond, (rate) => {
      const clock = new VirtualClock();
      const rates = new Rates(clock, () => rate);
      let count = 0;
      for (let tick = 0; tick < 1_000; tick++, clock.advance(10)) count += takeAll(rates, "a");
      expect(count).toBeGreaterThanOrEqual(10 * rate);
      expect(count).toBeLessThanOrEqual(11 * rate + 2);
    }),
  );
});

test("whoever keeps to the rate is never refused", () => {
  fc.assert(
    fc.property(perSecond, fc.integer({ min: 1, max: 500 }), (rate, times) => {
      const clock = new VirtualClock();
      const rates = new Rates(clock, () => rate);
      for (let time = 0; time < times; time++) {
        expect(rates.take("a")).toBe(0);
        clock.advance(1_000 / rate);
      }
    }),
  );
});

test("who is refused is let in after the time that it was told, and not before", () => {
  fc.assert(
    fc.property(perSecond, fc.array(step, { maxLength: 100 }), (rate, steps) => {
      const clock = new VirtualClock();
      const rates = new Rates(clock, () => rate);
      taken(rates, clock, [...steps, { name: "a", count: "all" }]);
      const waitMs = rates.take("a");
      expect(waitMs).toBeGreaterThan(0);
      clock.advance(Math.max(0, waitMs - 2));
      if (waitMs > 2) expect(rates.take("a")).toBeGreaterThan(0);
      // A fraction of a nanosecond may be lost in the sums.
      clock.advance(Math.min(2, waitMs) + 0.001);
      expect(rates.take("a")).toBe(0);
    }),
  );
});

test("a rate of many in a millisecond is kept to", () => {
  const rates = new Rates(new VirtualClock(), () => 10_000);
  expect([10_000, 10_001]).toContain(takeAll(rates, "a"));
});

test("so many a minute may be taken at once, and then one by one", () => {
  const clock = new VirtualClock();
  const rates = new Rates(clock, () => 60, 60_000);
  expect(takeAll(rates, "a")).toBe(61);
  expect(rates.take("a")).toBe(1_000);
  for (let second = 0; second < 30; second++) {
    clock.advance(1_000);
    expect(takeAll(rates, "a")).toBe(1);
  }
  clock.advance(30_000);
  expect(takeAll(rates, "a")).toBe(30);
  // Nobody is forgotten who still owes something.
  for (let name = 0; name < 1_000; name++) rates.take(`b${name}`);
  clock.advance(999);
  rates.take("c");
  expect(rates.take("a")).toBe(1);
});

test("being refused costs nothing", () => {
  const clock = new VirtualClock();
  const rates = new Rates(clock, () => 10);
  takeAll(rates, "a");
  for (let flood = 0; flood < 10_000; flood++) rates.take("a");
  expect(rates.take("a")).toBeLessThanOrEqual(100);
});

test("a debt is allowed once, and paid back at the rate", () => {
  const clock = new VirtualClock();
  const rates = new Rates(clock, () => 100);
  expect(rates.take("a", 1_000)).toBe(0);
  expect(rates.take("a")).toBe(9_000);
  clock.advance(8_999);
  expect(rates.take("a")).toBe(1);
  clock.advance(1);
  expect(rates.take("a", 1_000)).toBe(0);
});

test("a rate that is changed counts at once; without bound nobody is counted", () => {
  const clock = new VirtualClock();
  let rate = 1;
  const rates = new Rates(clock, () => rate);
  takeAll(rates, "a");
  rate = Number.POSITIVE_INFINITY;
  expect(rates.take("a")).toBe(0);
  expect(rates.take("b", 1e9)).toBe(0);
  expect(rates.size).toBe(1);
});

test("a million names at once take bounded memory", () => {
  const rates = new Rates(new VirtualClock(), () => 1);
  let most = 0;
  for (let name = 0; name < 1_000_000; name++) {
    rates.take(`name-${name}`);
    most = Math.max(most, rates.size);
  }
  expect(most).toBe(100_000);
  // Those who came last are still known.
  expect(rates.take("name-999999")).toBe(0);
  expect(rates.take("name-999999")).toBeGreaterThan(0);
});

test("who owes nothing is forgotten", () => {
  const clock = new VirtualClock();
  const rates = new Rates(clock, () => 1_000);
  for (let name = 0; name < 1_000_000; name++) {
    rates.take(`name-${name}`);
    clock.advance(0.1);
  }
  // Those of the last two seconds.
  expect(rates.size).toBeLessThanOrEqual(20_001);
});

test("a debt is remembered while others come and go", () => {
  const clock = new VirtualClock();
  const rates = new Rates(clock, () => 10);
  rates.take("debtor", 1_000);
  for (let second = 0; second < 98; second++) {
    for (let name = 0; name < 100; name++) rates.take(`${second} ${name}`);
    clock.advance(1_000);
  }
  expect(rates.take("debtor")).toBe(1_000);
});
