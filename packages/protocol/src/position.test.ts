import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  advance,
  decodePosition,
  encodePosition,
  furthest,
  LANES,
  type Lane,
  laneOf,
  type Offsets,
  together,
  URGENCIES,
} from "./position.ts";

const offsets = fc.tuple(fc.nat(), fc.nat(), fc.nat());

test("four urgencies share three lanes", () => {
  expect(URGENCIES.map((urgency) => LANES[laneOf(urgency)])).toEqual(["low", "low", "normal", "high"]);
});

test("a position on the wire is one number while its lanes stand together, and always comes back", () => {
  expect(encodePosition({ epoch: "e", offsets: [7, 7, 7] })).toEqual({ epoch: "e", offset: 7 });
  expect(encodePosition({ epoch: "e", offsets: [9, 7, 7] })).toEqual({ epoch: "e", offset: [9, 7, 7] });
  fc.assert(
    fc.property(fc.oneof(offsets, fc.nat().map(together)), (each) => {
      const position = { epoch: "e", offsets: each };
      expect(decodePosition(encodePosition(position))).toEqual(position);
    }),
  );
});

test("a lane moves on alone and never back", () => {
  const start: Offsets = [5, 5, 5];
  expect(advance(start, 1, 8)).toEqual([5, 8, 5]);
  expect(advance(start, 1, 4)).toBe(start);
  expect(start).toEqual([5, 5, 5]);
  fc.assert(
    fc.property(offsets, fc.constantFrom<Lane>(0, 1, 2), fc.nat(), (before, lane, to) => {
      const after = advance(before, lane, to);
      expect(after).toEqual(
        furthest(before, [lane === 0 ? to : 0, lane === 1 ? to : 0, lane === 2 ? to : 0]),
      );
    }),
  );
});
