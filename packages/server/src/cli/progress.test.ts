import { expect, test } from "bun:test";
import { inBytes, inThousands, withProgress } from "./progress.ts";
import { fakeIo } from "./testing/fake-io.ts";

test("what takes a second is shown, and wiped at its end", async () => {
  const { io, clock, drawn } = fakeIo();
  const { promise, resolve } = Promise.withResolvers<string>();
  const work = withProgress(io, (elapsedS) => `after ${elapsedS} s`, promise);
  clock.advance(999);
  expect(drawn).toEqual([]);
  clock.advance(501);
  expect(drawn).toEqual(["after 1 s", "after 1.25 s", "after 1.5 s"]);
  resolve("done");
  expect(await work).toBe("done");
  expect(drawn.at(-1)).toBe("");
  expect(clock.pendingTimers).toBe(0);
});

test("what is quicker, fails at once, or has no terminal leaves no trace", async () => {
  const { io, clock, drawn } = fakeIo();
  const { promise, reject } = Promise.withResolvers<never>();
  const work = withProgress(io, () => "working", promise).catch((error: unknown) => error);
  reject(new Error("failed"));
  expect(((await work) as Error).message).toBe("failed");
  const { draw, ...noTerminal } = io;
  expect(await withProgress(noTerminal, () => "working", Promise.resolve(1))).toBe(1);
  clock.advance(5_000);
  expect(drawn).toEqual([]);
});

test.each([
  [0, "0 bytes"],
  [999, "999 bytes"],
  [1_024, "1.0 KB"],
  [1_500_000, "1.4 MB"],
  [250 * 1_024 ** 2, "250 MB"],
  [3 * 1_024 ** 3, "3.0 GB"],
  [5_000 * 1_024 ** 4, "5000 TB"],
])("%i bytes are %s", (bytes, said) => {
  expect(inBytes(bytes)).toBe(said);
});

test("counts are grouped", () => {
  expect(inThousands(1_234_567.8)).toBe("1,234,568");
});
