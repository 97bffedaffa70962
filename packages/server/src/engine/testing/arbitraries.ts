/** What random lives of an engine are made of. Few names and values, so that they meet. */
import type { Lane, Offsets } from "@carillon/protocol/position";
import fc from "fast-check";

export const CHANNELS = ["a", "b"] as const;
export const KINDS = ["key", "hook"] as const;
export const IDS = ["a", "B", "a1", "~"] as const;
export const LABELS = ["tag:a", "tag:b", "x"] as const;
export const DEVICES = ["d", "e"] as const;

type Made<Arbitrary> = Arbitrary extends fc.Arbitrary<infer Value> ? Value : never;

/** `undefined` as often as not: once in `freq`. */
const sometimes = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });

const item = fc.record({
  channel: fc.constantFrom(...CHANNELS),
  lane: fc.constantFrom<Lane>(0, 1, 2),
  size: fc.integer({ min: 0, max: 40 }),
  ttlMs: sometimes(fc.constantFrom(0, 1_000, 60_000)),
  collapseKey: sometimes(fc.constantFrom("x", "y")),
  idempotencyKey: sometimes(fc.constantFrom("i", "j", "k")),
  target: sometimes(fc.constant("tag:a")),
});
export type Item = Made<typeof item>;

/** Expectations are met as often as not. */
const changes = fc.array(
  fc.record({
    kind: fc.constantFrom(...KINDS),
    id: fc.constantFrom(...IDS),
    data: sometimes(fc.constantFrom("1", '"ü"')),
    dueMs: sometimes(fc.constantFrom(0, 7, 4e12)),
    labels: sometimes(fc.subarray([...LABELS])),
    expect: sometimes(fc.constantFrom(null, null, "1", '"ü"')),
  }),
  { maxLength: 4 },
);
export type Change = Made<typeof changes>[number];

const call = fc.record({ items: fc.array(item, { maxLength: 4 }), changes: sometimes(changes) });
export type Call = Made<typeof call>;

const offsets: fc.Arbitrary<Offsets> = fc.tuple(fc.nat(9), fc.nat(9), fc.nat(9));

const position = fc.record({
  device: fc.constantFrom(...DEVICES),
  channel: fc.constantFrom(...CHANNELS),
  epoch: fc.constantFrom("one", "one", "one", "two"),
  offsets,
  sent: sometimes(offsets),
});

const deed = fc.oneof(
  { weight: 3, arbitrary: fc.record({ withdraw: fc.constantFrom(...CHANNELS), offset: fc.nat(12) }) },
  {
    weight: 3,
    arbitrary: fc.record({ positions: fc.array(position, { maxLength: 4 }), changes: sometimes(changes) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      remove: fc.constantFrom(...DEVICES),
      channels: fc.subarray([...CHANNELS]),
      changes: sometimes(changes),
    }),
  },
);
export type Deed = Made<typeof deed>;

export const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ publish: fc.array(call, { maxLength: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ deeds: fc.array(deed, { maxLength: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ records: fc.array(changes, { maxLength: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ advanceMs: fc.constantFrom(500, 1_000, 5_000, 90_000, 50_000_000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      read: fc.constantFrom(...CHANNELS),
      after: fc.tuple(fc.nat(30), fc.nat(30), fc.nat(30)),
      limit: fc.integer({ min: 1, max: 8 }),
      maxBytes: fc.integer({ min: 1, max: 200 }),
    }),
  },
);
export type Step = Made<typeof step>;

export const retention = fc.record(
  {
    maxAgeMs: fc.constantFrom(2_000, 100_000),
    maxCount: fc.integer({ min: 1, max: 10 }),
    maxBytes: fc.integer({ min: 20, max: 300 }),
  },
  { requiredKeys: [] },
);
