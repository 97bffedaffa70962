/**
 * What ought to happen: it is told of every commit in the order in which they were made, and says what is wrong with it. The
 * times come from `slow-rules.ts`; of what the scheduler itself keeps and computes nothing is used.
 */
import type { RecordChange, ScheduledPublication } from "../ports.ts";
import { RULE_FIELDS } from "../rule.ts";
import type { Run } from "../runs.ts";
import type { ScheduleFields } from "../stored.ts";
import { msOf, type Place, timeAfter, timesBetween } from "./slow-rules.ts";

/** What a user asked for. */
export type Op =
  | { readonly kind: "create"; readonly id: string; readonly fields: ScheduleFields }
  | { readonly kind: "manage"; readonly id: string; readonly fields: ScheduleFields }
  | { readonly kind: "change"; readonly id: string; readonly change: Partial<ScheduleFields> }
  | { readonly kind: "delete"; readonly id: string }
  | { readonly kind: "run"; readonly id: string };

/** A commit that was made. `op` is absent where the scheduler made it; `wallMs` is its node's clock at the call. */
export interface Commit {
  readonly op?: Op;
  readonly wallMs: number;
  readonly items: readonly ScheduledPublication[];
  readonly changes: readonly RecordChange[];
}

/** Time over which a schedule had one rule and was on. */
interface Stretch {
  readonly fields: ScheduleFields;
  readonly createdMs: number;
  readonly fromMs: number;
  readonly published: number[];
}

export interface Expected {
  fields: ScheduleFields;
  createdMs: number;
  /** The due time up to which nothing is left to do. */
  handledMs: number;
  runs: number;
  /** Those that were asked for. */
  manual: number;
  readonly log: Run[];
  readonly stretches: Stretch[];
}

const GRACE_MS = 60_000;
const KEPT = 100;
/** Where one of these changes, a schedule starts from then. */
const TIMES = ["every", "align", "cron", "at", "delay", "timeZone"] as const;

/** What `misfire: all` makes up for at most; beyond it, runs may be missing. */
const MOST = 1_000;

export class Model {
  readonly alive = new Map<string, Expected>();
  readonly ended: Expected[] = [];
  readonly problems: string[] = [];
  /** When schedules were made, or began to count anew, with their ids; those that have ended too. */
  readonly made = new Set<string>();
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  note(commit: Commit): void {
    const id = commit.op?.id ?? commit.changes.find(({ kind }) => kind === "schedule")?.id ?? "";
    const before = this.alive.get(id);
    const problem = commit.op ? this.#noteOp(commit.op, commit, before) : this.#noteRuns(commit, before);
    if (problem !== undefined) this.problems.push(`${id} at ${iso(commit.wallMs)}: ${problem}`);
  }

  #noteOp(op: Op, { items, wallMs }: Commit, before: Expected | undefined): string | undefined {
    if (op.kind === "run") return this.#noteManual(items, wallMs, before);
    if (items.length > 0) return `${op.kind} published something`;
    if (op.kind === "delete") {
      if (before === undefined) return "deleted, and was not there";
      this.alive.delete(op.id);
      this.ended.push(before);
    } else if (op.kind === "change") {
      if (before === undefined) return "changed, and was not there";
      const { change } = op;
      const fields = { ...before.fields, ...change };
      const differs = (name: keyof typeof fields) => fields[name] !== before.fields[name];
      const restarts = differs("every") || differs("delay");
      const isSwitchedOn = before.fields.enabled === false && fields.enabled !== false;
      const hasEnded = !Number.isFinite(
        this.nextDue({ ...before, fields: { ...before.fields, enabled: true } }),
      );
      const startsAnew = isSwitchedOn || hasEnded || TIMES.some(differs);
      const hasOtherRule = RULE_FIELDS.some(differs);
      const fromMs = Math.max(before.handledMs, wallMs);
      if (restarts) before.createdMs = fromMs;
      this.made.add(`${op.id} ${iso(before.createdMs)}`);
      if (startsAnew) before.handledMs = fromMs;
      before.fields = fields;
      if (hasOtherRule) this.#begin(before);
    } else {
      if (op.kind === "create" && before !== undefined) return "made, and was there";
      const kept = before ?? { runs: 0, manual: 0, log: [], stretches: [], handledMs: 0 };
      const handledMs = Math.max(kept.handledMs, wallMs);
      const expected = { ...kept, fields: op.fields, createdMs: wallMs, handledMs };
      this.alive.set(op.id, expected);
      this.made.add(`${op.id} ${iso(wallMs)}`);
      this.#begin(expected);
    }
    return undefined;
  }

  #begin({ fields, createdMs, handledMs, stretches }: Expected): void {
    if (fields.enabled === false) return;
    stretches.push({ fields, createdMs, fromMs: handledMs, published: [] });
  }

  #noteManual(
    items: readonly ScheduledPublication[],
    wallMs: number,
    before: Expected | undefined,
  ): string | undefined {
    const [item] = items;
    if (before === undefined || item === undefined) return "run by hand, and was not there";
    before.manual += 1;
    const [dueAt, startedAt] = [iso(wallMs), iso(wallMs)];
    before.log.push({ dueAt, startedAt, latenessMs: 0, outcome: "manual" });
    return this.#wrongIn(item, before.fields, { dueAt, run: before.runs + before.manual });
  }

  #noteRuns({ items, changes, wallMs }: Commit, before: Expected | undefined): string | undefined {
    if (before === undefined) return "the scheduler changed what was not there";
    const entries = changes
      .filter(({ kind, data }) => kind === "run" && data !== undefined)
      .map(({ data = "" }) => JSON.parse(data) as Run);
    const dues = items.map(({ dueAt }) => Date.parse(dueAt));
    if (!this.#dueSets(before, wallMs).some((due) => this.#fits(due, before, { dues, entries, wallMs }))) {
      const due = this.pending(before, wallMs).slice(-5).map(iso);
      const did = entries.map(({ dueAt, outcome }) => `${outcome} ${dueAt}`);
      return `did [${did}] where [${due}] were the last that were due since ${iso(before.handledMs)}`;
    }
    if (items.length > 0 && this.pending(before, wallMs).length > MOST) before.stretches.length = 0;
    const wrong = items
      .map((item, at) =>
        this.#wrongIn(item, before.fields, { dueAt: item.dueAt, run: before.runs + before.manual + at + 1 }),
      )
      .find((problem) => problem !== undefined);
    before.runs += items.length;
    before.handledMs = Math.max(before.handledMs, ...entries.map(({ dueAt }) => Date.parse(dueAt)));
    before.log.push(...entries);
    before.stretches.at(-1)?.published.push(...dues);
    return wrong ?? entries.map((entry) => this.#wrongEntry(entry, before, wallMs)).find(Boolean);
  }

  /** All times that are due at `wallMs` and have not been dealt with. */
  pending({ fields, createdMs, handledMs, runs }: Expected, wallMs: number): number[] {
    if (fields.enabled === false || runs >= (fields.maxRuns ?? Number.POSITIVE_INFINITY)) return [];
    return timesBetween(this.#place, fields, createdMs, handledMs, wallMs);
  }

  /** When the run that is due at `dueMs` starts at the latest; what of the jitter it has is not for the model to say. */
  latestStart({ fields, createdMs }: Expected, dueMs: number): number {
    if (fields.jitter === undefined) return dueMs;
    const next = timeAfter(this.#place, fields, createdMs, dueMs);
    return Math.min(dueMs + msOf(fields.jitter), next);
  }

  nextDue({ fields, createdMs, handledMs, runs }: Expected): number {
    if (fields.enabled === false || runs >= (fields.maxRuns ?? Number.POSITIVE_INFINITY)) return Infinity;
    return timeAfter(this.#place, fields, createdMs, handledMs);
  }

  /** What may have started: with a jitter, the last one or not. */
  #dueSets(before: Expected, wallMs: number): readonly (readonly number[])[] {
    const due = this.pending(before, wallMs);
    const last = due.at(-1);
    return last !== undefined && this.latestStart(before, last) > wallMs ? [due, due.slice(0, -1)] : [due];
  }

  #fits(
    due: readonly number[],
    before: Expected,
    {
      dues,
      entries,
      wallMs,
    }: { readonly dues: readonly number[]; readonly entries: readonly Run[]; readonly wallMs: number },
  ): boolean {
    const { misfire = "one", maxRuns = Number.POSITIVE_INFINITY } = before.fields;
    const made = entries.filter(({ outcome }) => outcome === "published").map(({ dueAt }) => dueAt);
    if (!Bun.deepEquals(made, dues.slice(-KEPT).map(iso))) return false;
    const last = due.at(-1);
    if (last === undefined) return entries.length === 0;
    if (misfire === "skip") {
      const [entry] = entries;
      if (entries.length !== 1 || entry?.dueAt !== iso(last)) return false;
      return entry.outcome === "published"
        ? wallMs - this.latestStart(before, last) <= GRACE_MS
        : entry.outcome === "missed" && wallMs - last > GRACE_MS;
    }
    const bound = typeof misfire === "number" ? misfire : misfire === "all" ? MOST : 1;
    const wanted = due.slice(-Math.min(bound, maxRuns - before.runs));
    // A great many are made in several commits.
    return dues.length > 0 && Bun.deepEquals(dues, wanted.slice(0, dues.length));
  }

  #wrongEntry({ dueAt, startedAt, latenessMs }: Run, before: Expected, wallMs: number): string | undefined {
    const late = wallMs - Date.parse(dueAt);
    const least = Math.max(0, wallMs - this.latestStart(before, Date.parse(dueAt)));
    if (startedAt === iso(wallMs) && latenessMs >= least && latenessMs <= late) return undefined;
    return `entry of ${dueAt} says ${startedAt}, late by ${latenessMs} (${least} to ${late})`;
  }

  #wrongIn(
    item: ScheduledPublication,
    { channel, data }: ScheduleFields,
    { dueAt, run }: { readonly dueAt: string; readonly run: number },
  ): string | undefined {
    const expected = String(data).replace("{{run}}", `${run}`).replace("{{dueAt}}", dueAt);
    const fits = item.channel === channel && item.data === expected && item.dueAt === dueAt;
    return fits ? undefined : `published ${JSON.stringify(item)} instead of "${expected}"`;
  }

  /** Over its whole life: with `misfire: all` nothing is left out, and at most the end of a stretch that was broken off. */
  holesIn({ stretches }: Expected): string | undefined {
    for (const { fields, createdMs, fromMs, published } of stretches) {
      const last = published.at(-1);
      if (fields.misfire !== "all" || last === undefined || fields.maxRuns !== undefined) continue;
      const all = timesBetween(this.#place, fields, createdMs, fromMs, last);
      if (!Bun.deepEquals(all, published)) {
        return `of ${all.length} runs from ${iso(fromMs)} to ${iso(last)}, ${published.length} were made`;
      }
    }
    return undefined;
  }
}

export function iso(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : "never";
}
