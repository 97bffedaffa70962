/**
 * Schedules as users see them: made, changed, looked at, run by hand, deleted.
 *
 *     const made = await schedules.create({ channel: "news", data: "Good morning", cron: "0 9 * * 1-5" });
 *     if (made.ok) made.schedule.nextDueAt; // "2026-11-25T09:00:00.000Z"
 */
import type { Clock } from "../lib/clock.ts";
import type { NextId } from "../lib/ids.ts";
import { check, edited, type FieldChange } from "./edited.ts";
import type { SchedulePorts } from "./ports.ts";
import type { Rule } from "./rule.ts";
import { addRuns, forgetRuns, type Run, readRuns } from "./runs.ts";
import { publicationOf, runOf, type Scheduler } from "./scheduler.ts";
import {
  compile,
  keep,
  type LaterMessage,
  nextDueOf,
  numberOf,
  type Problem,
  readSchedule,
  SCHEDULE,
  type Schedule,
  type ScheduleFields,
  type StoredSchedule,
} from "./stored.ts";
import { preview } from "./when.ts";

export interface SchedulesOptions extends SchedulePorts {
  readonly clock: Clock;
  readonly nextId: NextId;
  /** Of schedules that name none. */
  readonly timeZone: string;
  readonly scheduler: Pick<Scheduler, "wake">;
}

/** A schedule as it is told. Times are RFC 3339. */
export interface ScheduleView extends ScheduleFields {
  readonly id: string;
  readonly timeZone: string;
  readonly enabled: boolean;
  readonly createdAt: string;
  /** Publications so far. */
  readonly runs: number;
  /** `null` when it has ended or is switched off. */
  readonly nextDueAt: string | null;
  readonly managed?: true;
  /** Whose access it was made with: `admin`, `key:ID`, `jwt:SUBJECT`. */
  readonly by?: string;
}

export type Saved =
  /** `isNew` is set where it was not there before. */
  { readonly ok: true; readonly schedule: ScheduleView; readonly isNew?: true } | Problem;
export type Changed = Saved | "unknown" | "managed";

/** A change that meets another one is tried again with what that one left. */
const ATTEMPTS = 10;

type Change = (
  schedule: Schedule,
) => { readonly ok: true; readonly stored: StoredSchedule; readonly rule: Rule } | Problem;

export class Schedules {
  readonly #options: SchedulesOptions;
  /** The last of those who are changing a schedule, by its id. */
  readonly #busy = new Map<string, Promise<unknown>>();

  constructor(options: SchedulesOptions) {
    this.#options = options;
  }

  /**
   * Makes a schedule; `id` where it has to have a certain one. One of this id that is there already is answered as it is.
   * Rejects when it cannot be kept.
   */
  async create(
    fields: ScheduleFields,
    {
      id = this.#options.nextId(),
      by,
      message,
    }: { readonly id?: string; readonly by?: string; readonly message?: LaterMessage } = {},
  ): Promise<Saved> {
    const { clock, commit, scheduler, timeZone } = this.#options;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const createdMs = clock.wallMs();
      const checked = check(id, fields, { createdMs, timeZone, isLiteral: message !== undefined });
      if (!checked.ok) return checked;
      const made = { ...(by !== undefined && { by }), ...(message !== undefined && { message }) };
      const rest = { createdMs, handledMs: createdMs, runs: 0, entries: 0, ...made };
      const stored = { fields: checked.fields, ...rest };
      if (await commit([], [keep(id, stored, checked.rule, null)])) {
        scheduler.wake();
        return { ok: true, schedule: viewOf({ ...stored, id }, checked.rule), isNew: true };
      }
      // What was in the way may have been deleted by now.
      const there = await this.get(id);
      if (there !== undefined) return { ok: true, schedule: there };
    }
    throw new Error("the schedule is changed again and again");
  }

  async get(id: string): Promise<ScheduleView | undefined> {
    const schedule = await this.#find(id);
    return schedule === undefined ? undefined : view(schedule);
  }

  /** By id, after `after`. */
  async list(after: string, limit: number): Promise<readonly ScheduleView[]> {
    const found = await this.#options.records(SCHEDULE, after, limit);
    return found.map((record) => view(readSchedule(record)));
  }

  /** Changes some of the fields; `undefined` takes a field away. What has been published stays as it was. */
  change(id: string, change: FieldChange): Promise<Changed> {
    const { clock, timeZone } = this.#options;
    return this.#update(id, (schedule) => edited(schedule, change, { wallMs: clock.wallMs(), timeZone }));
  }

  /** `false` if there is none; `"managed"` if flags say that there is. */
  delete(id: string): Promise<boolean | "managed"> {
    return this.#inTurn(id, () => this.#delete(id));
  }

  async #delete(id: string): Promise<boolean | "managed"> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const schedule = await this.#find(id);
      if (schedule === undefined) return false;
      if (schedule.managed) return "managed";
      const removal = { kind: SCHEDULE, id, data: undefined, expect: schedule.text };
      if (await this.#options.commit([], [removal, ...forgetRuns(id, schedule.entries)])) return true;
    }
    throw new Error("the schedule is changed again and again");
  }

  /** Publishes now, beside what is due. */
  run(id: string): Promise<Run | undefined> {
    return this.#inTurn(id, () => this.#run(id));
  }

  async #run(id: string): Promise<Run | undefined> {
    const { clock, commit } = this.#options;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const schedule = await this.#find(id);
      if (schedule === undefined) return undefined;
      const compiled = compile(schedule);
      if ("problem" in compiled) throw new Error(compiled.problem);
      const nowMs = clock.wallMs();
      const { idempotencyKey: _, ...item } = publicationOf(
        schedule,
        nowMs,
        numberOf(schedule),
        nowMs,
        compiled.render,
      );
      const run = { ...runOf({ ...compiled.rule, jitterMs: 0 }, nowMs, nowMs, "manual"), latenessMs: 0 };
      const { manualRuns = 0, entries } = schedule;
      const after = { ...storedOf(schedule), manualRuns: manualRuns + 1, entries: entries + 1 };
      const changes = [
        keep(id, after, compiled.rule, schedule.text),
        ...addRuns(id, schedule.entries, [run]),
      ];
      if (await commit([item], changes)) return run;
    }
    throw new Error("the schedule is changed again and again");
  }

  /** What it has done, the latest first; `undefined` if there is none of this id. */
  async runs(id: string): Promise<readonly Run[] | undefined> {
    const schedule = await this.#find(id);
    if (schedule === undefined) return undefined;
    return readRuns(id, schedule.entries, this.#options.records);
  }

  /** When it would be due, from `fromMs` on. */
  preview(
    fields: ScheduleFields,
    fromMs = this.#options.clock.wallMs(),
    count: number,
  ): { readonly ok: true; readonly dueMs: readonly number[] } | Problem {
    const checked = check("preview", fields, { createdMs: fromMs, timeZone: this.#options.timeZone });
    return checked.ok ? { ok: true, dueMs: preview(checked.rule, fromMs, count) } : checked;
  }

  /** Has the schedule that flags describe be there as they say, or not be there. What it has done stays. */
  async manage(id: string, fields: ScheduleFields | undefined): Promise<void> {
    const { clock, commit, scheduler, timeZone } = this.#options;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const schedule = await this.#find(id);
      const expect = schedule?.text ?? null;
      if (fields === undefined) {
        if (schedule === undefined) return;
        const removal = { kind: SCHEDULE, id, data: undefined, expect };
        if (await commit([], [removal, ...forgetRuns(id, schedule.entries)])) return;
        continue;
      }
      const nowMs = clock.wallMs();
      const checked = check(id, fields, { createdMs: nowMs, timeZone });
      if (!checked.ok) throw new Error(`${checked.field}: ${checked.problem}`);
      // As it was before the restart, it goes on as if there had been none.
      if (schedule?.managed && isSame(schedule.fields, checked.fields)) return;
      const before = schedule === undefined ? { runs: 0, entries: 0, handledMs: 0 } : storedOf(schedule);
      const stored = {
        ...before,
        fields: checked.fields,
        createdMs: nowMs,
        // The clock may have been set back, or be behind that of another node.
        handledMs: Math.max(before.handledMs, nowMs),
        managed: true,
      } as const;
      if (await commit([], [keep(id, stored, checked.rule, expect)])) return scheduler.wake();
    }
    throw new Error("the schedule is changed again and again");
  }

  /** Those who change one schedule wait for one another: each would find the other's change in its way. */
  async #inTurn<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#busy.get(id);
    const turn = Promise.resolve(before)
      .catch(() => {})
      .then(work);
    this.#busy.set(id, turn);
    try {
      return await turn;
    } finally {
      if (this.#busy.get(id) === turn) this.#busy.delete(id);
    }
  }

  #update(id: string, change: Change): Promise<Changed> {
    return this.#inTurn(id, () => this.#updateNow(id, change));
  }

  async #updateNow(id: string, change: Change): Promise<Changed> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const schedule = await this.#find(id);
      if (schedule === undefined) return "unknown";
      if (schedule.managed) return "managed";
      const changed = change(schedule);
      if (!changed.ok) return changed;
      const { stored, rule } = changed;
      if (!(await this.#options.commit([], [keep(id, stored, rule, schedule.text)]))) continue;
      this.#options.scheduler.wake();
      return { ok: true, schedule: viewOf({ ...stored, id }, rule) };
    }
    throw new Error("the schedule is changed again and again");
  }

  async #find(id: string): Promise<Schedule | undefined> {
    const record = await this.#options.record(SCHEDULE, id);
    return record === undefined ? undefined : readSchedule(record);
  }
}

function storedOf({ id: _, text: __, ...stored }: Schedule): StoredSchedule {
  return stored;
}

function view(schedule: Schedule): ScheduleView {
  const compiled = compile(schedule);
  return viewOf(schedule, "rule" in compiled ? compiled.rule : undefined);
}

function isSame(one: object, other: object): boolean {
  return Bun.deepEquals(one, other);
}

function viewOf(schedule: StoredSchedule & { readonly id: string }, rule: Rule | undefined): ScheduleView {
  const { id, fields, createdMs, managed, by } = schedule;
  const dueMs = rule === undefined ? undefined : nextDueOf(schedule, rule);
  return {
    id,
    ...fields,
    timeZone: rule?.timeZone ?? fields.timeZone ?? "",
    enabled: fields.enabled !== false,
    createdAt: new Date(createdMs).toISOString(),
    runs: numberOf(schedule) - 1,
    nextDueAt: dueMs === undefined ? null : new Date(dueMs).toISOString(),
    ...(managed && { managed }),
    ...(by !== undefined && { by }),
  };
}
