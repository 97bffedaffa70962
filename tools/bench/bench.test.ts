import { expect, test } from "bun:test";
import { summarize, targetLines } from "./fanout-report.ts";
import { readFlags, readNumber } from "./lib/flags.ts";
import { latenessOf } from "./lib/lateness.ts";
import { cpuBetween, parseRss, parseStat } from "./lib/proc.ts";
import { median, percentile } from "./lib/stats.ts";
import { table } from "./lib/table.ts";

test("the median of odd, even and no values", () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, Number.NaN]);
});

test("a percentile is one of the values", () => {
  const values = Array.from({ length: 200 }, (_, index) => 200 - index);
  expect([0, 0.5, 0.99, 1].map((share) => percentile(values, share))).toEqual([1, 100, 198, 200]);
  expect(percentile([], 0.5)).toBeNaN();
});

test("/proc/PID/stat is read from behind the name, whatever the name holds", () => {
  const tail = "S 1 2 3 0 -1 4194304 101 0 0 0 250 75 0 0 20 0 1 0 227835 3133440 360";
  expect(parseStat(`42 (a) b (c) ${tail}`)).toEqual({ userUs: 2_500_000, systemUs: 750_000 });
});

test("VmRSS is in kilobytes", () => {
  expect(parseRss("VmHWM:\t  9000 kB\nVmRSS:\t  2048 kB\nThreads:\t1\n")).toBe(2 * 1024 ** 2);
});

test("CPU time is the scheduler's sum, split as the ticks were", () => {
  const before = { stat: { userUs: 0, systemUs: 10_000 }, threadsUs: new Map([["1", 5_000]]) };
  const after = {
    stat: { userUs: 10_000, systemUs: 40_000 },
    threadsUs: new Map([
      ["1", 40_000],
      ["2", 1_000],
    ]),
  };
  expect(cpuBetween(before, after)).toEqual({ userUs: 9_000, systemUs: 27_000 });
});

test("lateness is measured against the grid that the earliest run is on", () => {
  const run = (firstMs: number) => ({ frames: 1, firstMs, lastMs: firstMs + 30 });
  const late = latenessOf([run(1_003), run(2_000), run(5_007)], 1_000);
  expect(late).toEqual({ first: [3, 0, 7], last: [33, 30, 37] });
});

test("a table is Markdown, figures to the right", () => {
  expect(table(["server", "µs"], [["floor", "5.90"]])).toBe(
    ["| server |   µs |", "| ------ | ---: |", "| floor  | 5.90 |"].join("\n"),
  );
});

test("flags have defaults, bounds and no strangers", () => {
  const flags = { clients: { initial: "5", about: "" } };
  expect(readFlags(flags, [])).toEqual({ clients: "5" });
  expect(readFlags(flags, ["--clients", "7"])).toEqual({ clients: "7" });
  expect(() => readFlags(flags, ["--client", "7"])).toThrow("--client");
  expect(() => readNumber("clients", "0", 1, 9)).toThrow("--clients must be from 1 to 9");
});

test("a report divides by what was delivered, counts what was lost, and says which target is missed", () => {
  const options = { clients: 5_000, size: 100, rate: 1, seconds: 1, warmup: 1, rounds: 1 };
  const report = (name: string, userUs: number, frames: number) =>
    summarize(
      name,
      [
        {
          cpu: { userUs: userUs * frames, systemUs: 5 * frames },
          runs: [{ frames, firstMs: 0, lastMs: 50 }],
          idleRssBytes: 0,
          rssBytesPerClient: 2_048,
        },
      ],
      options,
    );
  const servers = [report("floor", 0, 5_000), report("carillon", 0.5, 4_000)];
  expect(servers[1]?.median).toMatchObject({ cpuUs: 5.5, userUs: 0.5, perSecond: 80_000, lost: 1_000 });
  expect(targetLines(servers, 5_000)).toEqual([
    "carillon CPU × floor: 1.10, at most 1.2: holds",
    "carillon user µs: 0.50, at most 0.8: holds",
    "carillon late ms, p99: 0.00, at most 20: holds",
  ]);
  expect(targetLines([report("floor", 0, 1), report("carillon", 2, 1)], 5_000)[0]).toContain("MISSED");
});
