import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseRfc3339 } from "./rfc3339.ts";

test.each([
  ["2026-11-24T09:30:00Z", Date.UTC(2026, 10, 24, 9, 30)],
  ["2026-11-24t09:30:00z", Date.UTC(2026, 10, 24, 9, 30)],
  ["2026-11-24T09:30:00.5+01:00", Date.UTC(2026, 10, 24, 8, 30, 0, 500)],
  ["2026-11-24T09:30:00.123999-05:30", Date.UTC(2026, 10, 24, 15, 0, 0, 123)],
  ["2028-02-29T23:59:59-00:00", Date.UTC(2028, 1, 29, 23, 59, 59)],
])("%s is read", (text, ms) => {
  expect(parseRfc3339(text)).toBe(ms);
});

test.each([
  "",
  "2026-11-24",
  "2026-11-24T09:30:00",
  "2026-11-24 09:30:00Z",
  "2026-11-24T09:30Z",
  "2026-02-30T00:00:00Z",
  "2027-02-29T00:00:00Z",
  "2026-13-01T00:00:00Z",
  "2026-00-01T00:00:00Z",
  "2026-11-24T24:00:00Z",
  "2026-11-24T09:60:00Z",
  "2026-11-24T09:30:60Z",
  "2026-11-24T09:30:00+24:00",
  "2026-11-24T09:30:00+0100",
  "+002026-11-24T09:30:00Z",
  "2026-11-24T09:30:00Z\n",
])("%j is no moment", (text) => {
  expect(parseRfc3339(text)).toBeUndefined();
});

test("what JavaScript writes is read back", () => {
  const year = { min: new Date("0000-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59.999Z") };
  fc.assert(
    fc.property(fc.date({ ...year, noInvalidDate: true }), (date) => {
      expect(parseRfc3339(date.toISOString())).toBe(date.getTime());
    }),
  );
});
