import { expect, test } from "bun:test";
import fc from "fast-check";
import { Sorted } from "./sorted.ts";

const byNumber = (one: number, other: number) => one - other;

test("any values that were put in and taken out are those of a set, in order", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -5_000, max: 5_000 }), { maxLength: 50 }), (lines) => {
      const sorted = new Sorted(byNumber);
      const model = new Set<number>();
      for (const line of lines) {
        // A hundred at a time, so that chunks are divided and emptied.
        for (let value = line; value < line + 100; value++) {
          if (model.delete(value)) sorted.delete(value);
          else {
            model.add(value);
            sorted.add(value);
          }
        }
        const all = [...model].sort(byNumber);
        expect([...sorted.after()]).toEqual(all);
        const from = all.findIndex((value) => value > line);
        expect([...sorted.after(line)]).toEqual(from === -1 ? [] : all.slice(from));
      }
    }),
    { numRuns: 50 },
  );
});

test("what is not there is not taken out", () => {
  const sorted = new Sorted(byNumber);
  sorted.delete(1);
  sorted.add(2);
  for (const absent of [1, 3]) sorted.delete(absent);
  expect([...sorted.after()]).toEqual([2]);
});

test("thousands in any order", () => {
  const sorted = new Sorted(byNumber);
  const all = Array.from({ length: 5_000 }, (_, index) => (index * 3_571) % 5_000);
  for (const value of all) sorted.add(value);
  expect([...sorted.after()]).toEqual(all.toSorted(byNumber));
  for (const value of all) if (value % 7 !== 0) sorted.delete(value);
  expect([...sorted.after(4_000)]).toEqual(
    all.filter((value) => value % 7 === 0 && value > 4_000).toSorted(byNumber),
  );
});
