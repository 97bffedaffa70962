import { expect, test } from "bun:test";
import { sequentialIds } from "./ids.ts";

test("ids differ within a process and between processes", () => {
  const [one, other] = [sequentialIds(), sequentialIds()];
  const ids = new Set(Array.from({ length: 1_000 }, (_, n) => (n % 2 === 0 ? one() : other())));
  expect(ids.size).toBe(1_000);
});
