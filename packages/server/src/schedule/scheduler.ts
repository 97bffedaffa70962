/**
 * The scheduler: looks for what is due, and publishes it.
 *
 * It remembers nothing: what is due is asked of the place where schedules are kept, so a million of them cost no memory, a
 * change takes effect at once, and a start is no different from any other moment. A run is one commit: the publication, the
 * schedule's new state (only if it is still as it was read) and the entry in its list of runs. Whoever comes second,
 * another node or the same one after a restart, finds the schedule changed and does nothing.
 *
 * Due times are wall-clock times. A clock that is set forward makes what it skipped due at once, like a downtime; after one
 * that is set back, a schedule waits for its next time: no run is made twice.
 */

import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { printable } from "../lib/printable.ts";
import type { KeptRecord, ScheduledPublication, SchedulePorts } from "./ports.ts";
import type { Rule } from "./rule.ts";
import { addRuns, forgetRuns, type Run } from "./runs.ts";
import {
  compile,
  destinationOf,
  isDone,
  keep,
  numberOf,
  readSchedule,
  SCHEDULE,
  type Schedule,
} from "./stored.ts";
import { dueNow, startOf } from "./when.ts";

export interface SchedulerOptions extends SchedulePorts {
  readonly clock: Clock;
  readonly log: Log;
  /** Hears how late each publication was. */
  readonly onRun?: (latenessMs: number) => void;
}

/** Looked at least this often: for another node's changes, and a clock that was set. It costs 20 µs. */
const LOOK_AT_LEAST_MS = 1_000;
/** Taken at a time: 4 ms of work, after which others have their turn. */
const AT_ONCE = 128;
/** A schedule with a day of missed seconds takes 3 to 15 ms to look through. */
const TURN_MS = 4;
/**
 * Published in one commit, in characters with what surrounds each: a thousand runs of 60 KB that are made up for would else be
 * more than may wait to be written at all, for ever. So that `AT_ONCE` of them together are half of that.
 */
const MAX_COMMIT = 256 * 1024;
const SURROUNDINGS = 256;
/** A run that starts later than this has been missed; a busy process is always a little late. */
const GRACE_MS = 60_000;
/** What cannot be made may be one day: with other data on time zones, or another version. */
const TRY_AGAIN_MS = 3_600_000;
/** After a commit that failed. */
const RETRY_MS = 1_000;

export class Scheduler {
  readonly #options: SchedulerOptions;
  #cancel: CancelTimer = () => {};
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #stopped = false;
  #failing = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Starts, or looks again at once: something has changed. */
  wake(): void {
    if (this.#stopped) return;
    this.#cancel();
    if (this.#looking !== undefined) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = this.#look().then((inMs) => {
      this.#looking = undefined;
      if (this.#stopped) return;
      const again = this.#lookAgain;
      this.#lookAgain = false;
      if (again) this.wake();
      else this.#cancel = this.#options.clock.setTimer(inMs, () => this.wake());
    });
  }

  /** Resolves when nothing of it is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#looking;
  }

  /** Makes what is due. Resolves to the milliseconds after which there is something to do again. */
  async #look(): Promise<number> {
    const { clock } = this.#options;
    try {
      for (;;) {
        const found = await this.#options.due(SCHEDULE, clock.wallMs(), AT_ONCE);
        if (this.#stopped) return 0;
        const results = await this.#inTurns(found);
        const failures = results.filter((result) => result.status === "rejected");
        // One that cannot be made is no reason for the others to wait.
        if (found.length > 0 && failures.length === found.length) throw failures[0]?.reason;
        if (found.length === AT_ONCE) continue;
        const [next] = await this.#options.due(SCHEDULE, Number.MAX_SAFE_INTEGER, 1);
        const waitMs = (next?.dueMs ?? Number.POSITIVE_INFINITY) - clock.wallMs();
        if (waitMs <= 0) continue;
        this.#recovered();
        return Math.min(LOOK_AT_LEAST_MS, waitMs);
      }
    } catch (error) {
      this.#failed(error);
      return RETRY_MS;
    }
  }

  /** Runs them together, for they share a commit, but after some milliseconds lets others have their turn. */
  async #inTurns(found: readonly KeptRecord[]): Promise<PromiseSettledResult<void>[]> {
    const { clock } = this.#options;
    const results: PromiseSettledResult<void>[] = [];
    let running: Promise<void>[] = [];
    let sinceMs = clock.monotonicMs();
    for (const record of found) {
      running.push(this.#run(record));
      if (clock.monotonicMs() - sinceMs < TURN_MS) continue;
      results.push(...(await Promise.allSettled(running)));
      running = [];
      sinceMs = clock.monotonicMs();
    }
    results.push(...(await Promise.allSettled(running)));
    return results;
  }

  async #run(record: KeptRecord): Promise<void> {
    const { clock, log, commit, onRun } = this.#options;
    const schedule = readSchedule(record);
    const compiled = compile(schedule);
    if ("problem" in compiled) {
      log.error(`Schedule ${schedule.id} is put aside: ${printable(compiled.problem)}`);
      const { id, text } = schedule;
      await commit(
        [],
        [{ kind: SCHEDULE, id, data: text, dueMs: clock.wallMs() + TRY_AGAIN_MS, expect: text }],
      );
      return;
    }
    const { rule, render } = compiled;
    if (isDone(schedule, rule)) return this.#forget(schedule);
    const nowMs = clock.wallMs();
    const all = dueNow(rule, schedule.handledMs, nowMs, GRACE_MS, schedule.runs);
    // What is left of many has its turn at once, being due.
    const most = Math.max(1, Math.floor(MAX_COMMIT / (schedule.text.length + SURROUNDINGS)));
    const dues = all.slice(0, most);
    // Where nothing is made up for, the latest one that was missed is what has been dealt with.
    const handled =
      dues.at(-1) ?? dueNow({ ...rule, missedRuns: 1 }, schedule.handledMs, nowMs, 0, schedule.runs).at(-1);
    const items = dues.map((dueAtMs, index) =>
      publicationOf(schedule, dueAtMs, numberOf(schedule) + index, nowMs, render),
    );
    const runs =
      dues.length > 0 || handled === undefined
        ? dues.map((dueAtMs) => runOf(rule, dueAtMs, nowMs, "published"))
        : [runOf(rule, handled, nowMs, "missed")];
    const { id, text, ...before } = schedule;
    const after = {
      ...before,
      // Found too early, where the clock was set back meanwhile or the zone has other rules by now: only looked up anew.
      handledMs: handled ?? before.handledMs,
      runs: before.runs + dues.length,
      entries: before.entries + runs.length,
    };
    const changes = [keep(id, after, rule, text, nowMs), ...addRuns(id, before.entries, runs)];
    if (!(await commit(items, changes))) return;
    for (const { latenessMs } of runs.slice(0, dues.length)) onRun?.(latenessMs);
    log.debug("Schedule run", { schedule: id, runs: dues.length, latenessMs: runs.at(-1)?.latenessMs ?? 0 });
  }

  async #forget({ id, text, entries }: Schedule): Promise<void> {
    const removal = { kind: SCHEDULE, id, data: undefined, expect: text };
    await this.#options.commit([], [removal, ...forgetRuns(id, entries)]);
  }

  #failed(error: unknown): void {
    if (!this.#failing)
      this.#options.log.error(`Schedules wait: ${error instanceof Error ? error.message : error}`);
    this.#failing = true;
  }

  #recovered(): void {
    if (this.#failing) this.#options.log.info("Schedules go on");
    this.#failing = false;
  }
}

export function publicationOf(
  { id, fields, message }: Pick<Schedule, "id" | "fields" | "message">,
  dueAtMs: number,
  run: number,
  nowMs: number,
  render: (values: {
    nowMs: number;
    dueAtMs: number;
    run: number;
    schedule: string;
  }) => ScheduledPublication["data"],
): ScheduledPublication {
  const { ttl, urgency, collapseKey, tags, withdrawOn, receipts } = fields;
  const dueAt = new Date(dueAtMs).toISOString();
  return {
    ...destinationOf(fields),
    data: render({ nowMs, dueAtMs, run, schedule: id }),
    schedule: id,
    dueAt,
    idempotencyKey: message?.idempotencyKey ?? `${id}@${dueAt}`,
    ...(ttl !== undefined && { ttl }),
    ...(urgency !== undefined && { urgency }),
    ...(collapseKey !== undefined && { collapseKey }),
    ...(tags !== undefined && { tags }),
    ...(withdrawOn !== undefined && { withdrawOn }),
    ...(receipts !== undefined && { receipts }),
  };
}

/** Late is what starts after its jitter has passed. */
export function runOf(rule: Rule, dueAtMs: number, nowMs: number, outcome: Run["outcome"]): Run {
  return {
    dueAt: new Date(dueAtMs).toISOString(),
    startedAt: new Date(nowMs).toISOString(),
    latenessMs: Math.max(0, nowMs - startOf(rule, dueAtMs)),
    outcome,
  };
}
