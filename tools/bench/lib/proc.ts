/** What the kernel knows of a process: CPU time and memory. Linux only. */
import { readdirSync, readFileSync } from "node:fs";

export interface CpuTime {
  readonly userUs: number;
  readonly systemUs: number;
}

/** `/proc` counts in hundredths of a second on every Linux that runs Node or Bun. */
const TICK_US = 10_000;

/** The user and system time in the text of `/proc/PID/stat`: all threads, those that ended included. */
export function parseStat(text: string): CpuTime {
  // The name in parentheses may itself hold spaces and parentheses; the fields begin after the last one.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { userUs: Number(fields[11]) * TICK_US, systemUs: Number(fields[12]) * TICK_US };
}

/** The resident set in the text of `/proc/PID/status`, in bytes. */
export function parseRss(text: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024;
}

/** A moment of a process; two of them make a `CpuTime`. */
export interface CpuSample {
  readonly stat: CpuTime;
  /** Time on a core by thread, exact to the nanosecond, which `stat` is not. */
  readonly threadsUs: ReadonlyMap<string, number>;
}

export function sampleCpu(pid: number): CpuSample {
  const threadsUs = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const [ns] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ");
    threadsUs.set(thread, Number(ns) / 1_000);
  }
  return { stat: parseStat(readFileSync(`/proc/${pid}/stat`, "utf8")), threadsUs };
}

/**
 * CPU time between two samples. The sum is the scheduler's own, exact; how it splits into user and system is
 * what the kernel's clock tick saw, so it takes a second of CPU time to know the split to one percent.
 */
export function cpuBetween(before: CpuSample, after: CpuSample): CpuTime {
  const userUs = after.stat.userUs - before.stat.userUs;
  const tickedUs = userUs + after.stat.systemUs - before.stat.systemUs;
  let exactUs = 0;
  for (const [thread, us] of after.threadsUs) exactUs += us - (before.threadsUs.get(thread) ?? 0);
  const share = tickedUs === 0 ? 0 : userUs / tickedUs;
  return { userUs: exactUs * share, systemUs: exactUs * (1 - share) };
}

export function rssBytes(pid: number): number {
  return parseRss(readFileSync(`/proc/${pid}/status`, "utf8"));
}
