/**
 * Schedules as users see them: made, changed, looked at, run by hand, deleted.
 *
 *     const made = await schedules.create({ channel: "news", data: "Good morning", cron: "0 9 * * 1-5" });
 *     if (made.ok) made.schedule.nextDueAt; // "2026-11-25T09:00:00.000Z"
 */
import type { Clock } from "../lib/clock.ts";
import type { NextId } from "../lib/ids.ts";
import { compileContent } from "./content.ts";
import type { SchedulePorts } from "./ports.ts";
import { checkRule, type Rule } from "./rule.ts";
import { addRuns, forgetRuns, type Run, readRuns } from "./runs.ts";
import { publicationOf, runOf, type Scheduler } from "./scheduler.ts";
import {
  compile,
  keep,
  type LaterMessage,
  nextDueOf,
  type Problem,
  readSchedule,
  ruleOf,
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

export type Saved = { readonly ok: true; readonly schedule: ScheduleView } | Problem;
export type Changed = Saved | "unknown" | "managed";

/** A change that meets another one is tried again with what that one left. */
const ATTEMPTS = 10;

export class Schedules {
  readonly #options: SchedulesOptions;

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
    const { clock, commit, scheduler } = this.#options;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const createdMs = clock.wallMs();
      const checked = this.#check(id, fields, { createdMs, isLiteral: message !== undefined });
      if (!checked.ok) return checked;
      const made = { ...(by !== undefined && { by }), ...(message !== undefined && { message }) };
      const rest = { createdMs, handledMs: createdMs, runs: 0, entries: 0, ...made };
      const stored = { fields: checked.fields, ...rest };
      if (await commit([], [keep(id, stored, checked.rule, null)])) {
        scheduler.wake();
        return { ok: true, schedule: viewOf({ ...stored, id }, checked.rule) };
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
  change(id: string, change: { readonly [Name in keyof ScheduleFields]?: ScheduleFields[Name] | undefined }) {
    return this.#update(id, (schedule) => {
      const merged = { ...schedule.fields, ...change };
      const fields = Object.fromEntries(
        Object.entries(merged).filter(([, value]) => value !== undefined),
      ) as unknown as ScheduleFields;
      // After a clock was set back, what has been dealt with is past all the same.
      const nowMs = Math.max(schedule.handledMs, this.#options.clock.wallMs());
      // What counts from its making counts from now when that is what is changed.
      const restarts = change.every !== undefined || change.delay !== undefined;
      const createdMs = restarts ? nowMs : schedule.createdMs;
      const checked = this.#check(id, fields, {
        createdMs,
        nowMs,
        isLiteral: schedule.message !== undefined,
      });
      if (!checked.ok) return checked;
      const isSameRule = !restarts && isSame(ruleOf(schedule.fields), ruleOf(checked.fields));
      // Switched on again, or with other times, it starts from now: what passed meanwhile was not wanted. Where only what is
      // published changes, a run that is being waited for is still made.
      const handledMs = isSameRule ? schedule.handledMs : nowMs;
      const stored = { ...storedOf(schedule), fields: checked.fields, createdMs, handledMs };
      return { ok: true, stored, rule: checked.rule };
    });
  }

  /** `false` if there is none; `"managed"` if flags say that there is. */
  async delete(id: string): Promise<boolean | "managed"> {
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
  async run(id: string): Promise<Run | undefined> {
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
        schedule.runs + 1,
        nowMs,
        compiled.render,
      );
      const run = { ...runOf({ ...compiled.rule, jitterMs: 0 }, nowMs, nowMs, "manual"), latenessMs: 0 };
      const after = { ...storedOf(schedule), runs: schedule.runs + 1, entries: schedule.entries + 1 };
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
    const checked = this.#check("preview", fields, { createdMs: fromMs });
    return checked.ok ? { ok: true, dueMs: preview(checked.rule, fromMs, count) } : checked;
  }

  /** Has the schedule that flags describe be there as they say, or not be there. What it has done stays. */
  async manage(id: string, fields: ScheduleFields | undefined): Promise<void> {
    const { clock, commit, scheduler } = this.#options;
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
      const checked = this.#check(id, fields, { createdMs: nowMs });
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

  async #update(
    id: string,
    change: (
      schedule: Schedule,
    ) => { readonly ok: true; readonly stored: StoredSchedule; readonly rule: Rule } | Problem,
  ): Promise<Changed> {
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

  /** With the zone filled in: a server that moves must not move its schedules. */
  #check(
    id: string,
    fields: ScheduleFields,
    { createdMs, nowMs = createdMs, isLiteral = false }: CheckContext,
  ) {
    const { timeZone = this.#options.timeZone } = fields;
    const checked = checkRule(ruleOf(fields), { id, createdMs, timeZone }, nowMs);
    if (!checked.ok) return checked;
    const content = isLiteral ? LITERAL : compileContent(fields.data, { timeZone: checked.rule.timeZone });
    if (!content.ok) return content;
    return { ok: true as const, rule: checked.rule, fields: { ...fields, timeZone: checked.rule.timeZone } };
  }
}

interface CheckContext {
  readonly createdMs: number;
  readonly nowMs?: number;
  readonly isLiteral?: boolean;
}

const LITERAL = { ok: true } as const;

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
  const { id, fields, createdMs, runs, managed, by } = schedule;
  const dueMs = rule === undefined ? undefined : nextDueOf(schedule, rule);
  return {
    id,
    ...fields,
    timeZone: rule?.timeZone ?? fields.timeZone ?? "",
    enabled: fields.enabled !== false,
    createdAt: new Date(createdMs).toISOString(),
    runs,
    nextDueAt: dueMs === undefined ? null : new Date(dueMs).toISOString(),
    ...(managed && { managed }),
    ...(by !== undefined && { by }),
  };
}
