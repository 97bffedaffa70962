/**
 * When a schedule is due. Pure: a rule and times in, times out; times are milliseconds since 1970.
 *
 * **When the clocks change.** `every` counts time that has passed: no zone and no change of clocks touches it. A cron
 * expression names local times, and what happens where the clock jumps depends on its hours:
 *
 * - It names hours (`30 2 * * *`, `0 9-17 * * *`): each local time that it names runs once. In a skipped hour it runs at
 *   the moment the clock jumps: 02:30, where 02:00 becomes 03:00, at 03:00. Several that are skipped together, and one that
 *   is due at that moment anyway, are one run. In a repeated hour it runs in the first pass only.
 * - It runs every hour (`0,30 * * * *`; all 24 are named): it goes by the clock. Skipped times are left out and a repeated
 *   hour runs in both passes, so the runs keep their distance.
 */
import { createHash } from "node:crypto";
import type { TimeZone } from "../lib/zones.ts";
import { type Cron, isEveryHour, nextLocal } from "./cron.ts";
import type { Rule } from "./rule.ts";

/** The times that a rule names, without regard to its end. */
export type When =
  /** Multiples of `everyMs`, counted from `anchorMs`, which is none itself. */
  | { readonly kind: "every"; readonly everyMs: number; readonly anchorMs: number }
  | { readonly kind: "cron"; readonly cron: Cron; readonly zone: TimeZone }
  | { readonly kind: "once"; readonly atMs: number };

/** The end of the year 9999: later times do not fit RFC 3339. */
const LAST_MS = 253_402_300_799_999;

/**
 * The first multiple of `everyMs` counted from `anchorMs` that lies after `afterMs`.
 *
 * Computed from the anchor each time, never from the run before: an error of one run cannot add up, and the
 * thousandth push is as punctual as the first.
 */
export function nextDue(anchorMs: number, everyMs: number, afterMs: number): number {
  const elapsedRuns = Math.floor((afterMs - anchorMs) / everyMs);
  return anchorMs + Math.max(1, elapsedRuns + 1) * everyMs;
}

/**
 * When the rule is due next after `afterMs`; `undefined` if never: it is switched off, has ended, or has had all its runs,
 * of which `runsSoFar` were made.
 */
export function nextDueAfter(rule: Rule, afterMs: number, runsSoFar = 0): number | undefined {
  return rule.enabled && runsSoFar < rule.maxRuns ? timeAfter(rule, afterMs) : undefined;
}

/** When the rule is due after `fromMs` and up to `toMs`, at most `limit` times, the earliest first. */
export function dueBetween(rule: Rule, fromMs: number, toMs: number, limit: number, runsSoFar = 0): number[] {
  return rule.enabled ? timesBetween(rule, fromMs, toMs, Math.min(limit, rule.maxRuns - runsSoFar)) : [];
}

/** When the next `count` runs after `fromMs` are due, had the rule been made and switched on then. */
export function preview(rule: Rule, fromMs: number, count: number): number[] {
  return timesBetween(rule, fromMs, LAST_MS, Math.min(count, rule.maxRuns));
}

/**
 * When a run that is due at `dueAtMs` starts: later by a part of the rule's jitter that its id and `dueAtMs` alone decide,
 * the same after a restart and on every node. Never as late as the next run is due, so runs keep their order.
 */
export function startOf(rule: Rule, dueAtMs: number): number {
  if (rule.jitterMs === 0) return dueAtMs;
  const nextMs = timeAfter(rule, dueAtMs) ?? Number.POSITIVE_INFINITY;
  const windowMs = Math.min(rule.jitterMs, nextMs - dueAtMs);
  const chosen = createHash("sha256").update(`${rule.id} ${dueAtMs}`).digest().readUInt32BE(0) / 2 ** 32;
  return dueAtMs + Math.floor(windowMs * chosen);
}

/**
 * The times whose runs are to be made at `nowMs`, the earliest first, where the last run was due at `afterMs` (or the rule was
 * made then). Usually one; after a downtime as many of the latest as the rule makes up for. A rule that makes up for none
 * has the latest all the same if it should have started at most `graceMs` ago: a busy process is always a little late.
 */
export function dueNow(rule: Rule, afterMs: number, nowMs: number, graceMs: number, runsSoFar = 0): number[] {
  const left = rule.maxRuns - runsSoFar;
  if (!rule.enabled || left <= 0) return [];
  let latest = latestBetween(rule, afterMs, nowMs, 1).at(0);
  if (latest === undefined) return [];
  // Of what is due, only the latest can still be waiting for its jitter to pass.
  let toMs = nowMs;
  if (startOf(rule, latest) > nowMs) {
    toMs = latest - 1;
    latest = latestBetween(rule, afterMs, toMs, 1).at(0);
    if (latest === undefined) return [];
  }
  if (rule.missedRuns === 0) return nowMs - startOf(rule, latest) <= graceMs ? [latest] : [];
  return latestBetween(rule, afterMs, toMs, Math.min(rule.missedRuns, left));
}

/** The latest `limit` times after `fromMs` and up to `toMs`, the earliest first. */
function latestBetween(rule: Rule, fromMs: number, toMs: number, limit: number): number[] {
  const earliest = timesBetween(rule, fromMs, toMs, limit + 1);
  if (earliest.length <= limit) return earliest;
  // There may be millions. The latest moment after which enough follow is found by halving, 35 times for a year.
  let enough = fromMs;
  let tooFew = toMs;
  while (tooFew - enough > 1) {
    const middle = Math.floor((enough + tooFew) / 2);
    if (timesBetween(rule, middle, toMs, limit).length === limit) enough = middle;
    else tooFew = middle;
  }
  return timesBetween(rule, enough, toMs, limit);
}

function timesBetween(rule: Rule, fromMs: number, toMs: number, limit: number): number[] {
  const times: number[] = [];
  let afterMs = fromMs;
  while (times.length < limit) {
    const next = timeAfter(rule, afterMs);
    if (next === undefined || next > toMs) break;
    times.push(next);
    afterMs = next;
  }
  return times;
}

/** The first time after `afterMs` that the rule names, up to its end. */
function timeAfter({ when, untilMs }: Rule, afterMs: number): number | undefined {
  const timeMs = unboundedTimeAfter(when, afterMs);
  return timeMs !== undefined && timeMs <= Math.min(untilMs, LAST_MS) ? timeMs : undefined;
}

function unboundedTimeAfter(when: When, afterMs: number): number | undefined {
  if (when.kind === "every") return nextDue(when.anchorMs, when.everyMs, afterMs);
  if (when.kind === "once") return when.atMs > afterMs ? when.atMs : undefined;
  const { cron, zone } = when;
  return isEveryHour(cron) ? byTheClock(cron, zone, afterMs) : byLocalTime(cron, zone, afterMs);
}

/** For rules that name hours: each local time once. */
function byLocalTime(cron: Cron, zone: TimeZone, afterMs: number): number | undefined {
  let local = zone.localMs(afterMs);
  for (;;) {
    const next = nextLocal(cron, local);
    if (next === undefined) return undefined;
    const span = zone.spanOfLocal(next);
    const timeMs = Math.max(span.fromMs, next - span.offsetMs);
    if (timeMs > afterMs) return timeMs;
    // `afterMs` is in the second pass of a repeated hour: all up to the end of the first pass has had its run.
    local = span.toMs + span.offsetMs - 1;
  }
}

/** For rules of every hour: whenever the clock shows a time that is named. */
function byTheClock(cron: Cron, zone: TimeZone, afterMs: number): number | undefined {
  let span = zone.spanAt(afterMs);
  let local = afterMs + span.offsetMs;
  for (;;) {
    const next = nextLocal(cron, local);
    if (next === undefined) return undefined;
    if (next - span.offsetMs < span.toMs) return next - span.offsetMs;
    span = zone.spanAt(span.toMs);
    local = span.fromMs + span.offsetMs - 1;
  }
}
