/** A schedule as it is kept, and as it is told. */
import type { Json } from "@carillon/protocol/frames";
import type { Urgency } from "@carillon/protocol/position";
import { type Content, compileContent } from "./content.ts";
import type { Destination, KeptRecord, RecordChange } from "./ports.ts";
import { compileRule, type Refusal, RULE_FIELDS, type Rule, type RuleFields } from "./rule.ts";
import { nextDueAfter, startOf } from "./when.ts";

/** What a user writes: a rule, and what is published. */
export interface ScheduleFields extends RuleFields {
  /** Where it is published: exactly one of these is there. */
  readonly channel?: string;
  readonly to?: string;
  readonly data: Json;
  readonly ttl?: number;
  readonly urgency?: Urgency;
  readonly collapseKey?: string;
  readonly tags?: readonly string[];
  readonly withdrawOn?: "ack" | "read";
  readonly receipts?: true;
}

/** What is kept of it, as JSON. */
export interface StoredSchedule {
  readonly fields: ScheduleFields;
  readonly createdMs: number;
  /** The due time up to which everything has been dealt with; at first when it was made. */
  readonly handledMs: number;
  /** Publications made on time or made up for: those that `maxRuns` bounds. */
  readonly runs: number;
  /** Publications that somebody asked for. */
  readonly manualRuns?: number;
  /** Entries in its list of runs so far, those that are forgotten included. */
  readonly entries: number;
  /** Set where flags, not the API, say what it is. */
  readonly managed?: true;
  /** Whose access it was made with. */
  readonly by?: string;
  /** Set where it was made by publishing for later. */
  readonly message?: LaterMessage;
}

/** Its data is published as it is: braces in it are no names to fill in. It is forgotten a day after its run. */
export interface LaterMessage {
  /** What its publisher called it; one publication has the name, now or later. */
  readonly idempotencyKey?: string;
}

export interface Schedule extends StoredSchedule {
  readonly id: string;
  /** The record's data, by which a change from elsewhere shows. */
  readonly text: string;
}

export const SCHEDULE = "schedule";

export function readSchedule({ id, data }: KeptRecord): Schedule {
  return { ...(JSON.parse(data) as StoredSchedule), id, text: data };
}

export interface Compiled {
  readonly rule: Rule;
  readonly render: Extract<Content, { ok: true }>["render"];
}

/** What a kept schedule means; what is wrong with it if another version of the software has kept it. */
export function compile(
  schedule: Pick<Schedule, "id" | "fields" | "createdMs" | "message">,
): Compiled | Problem {
  const { id, fields, createdMs, message } = schedule;
  const compiled = compileRule(ruleOf(fields), { id, createdMs, timeZone: fields.timeZone ?? "UTC" });
  if (!compiled.ok) return compiled;
  if (message !== undefined) return { rule: compiled.rule, render: () => fields.data };
  const content = compileContent(fields.data, { timeZone: compiled.rule.timeZone });
  return content.ok ? { rule: compiled.rule, render: content.render } : content;
}

/** Which field is wrong, and why. */
export type Problem =
  | Refusal
  | Extract<Content, { ok: false }>
  | { readonly ok: false; readonly field: "channel" | "to"; readonly problem: string };

export function ruleOf(fields: ScheduleFields): RuleFields {
  return Object.fromEntries(RULE_FIELDS.map((name) => [name, fields[name]])) as RuleFields;
}

/** Where it is published. */
export function destinationOf({ channel = "", to }: Pick<ScheduleFields, "channel" | "to">): Destination {
  return to === undefined ? { channel } : { to };
}

/** The number of the publication that comes next. */
export function numberOf({ runs, manualRuns = 0 }: StoredSchedule): number {
  return runs + manualRuns + 1;
}

/** The time of its next run, jitter left out; `undefined` if there is none. */
export function nextDueOf({ handledMs, runs }: StoredSchedule, rule: Rule): number | undefined {
  return nextDueAfter(rule, handledMs, runs);
}

/** As long as an idempotency key counts, a repeat finds what became of the first. */
const FORGOTTEN_AFTER_MS = 24 * 3_600_000;

/** Whether it was made by publishing for later, and that has been done. */
export function isDone(schedule: StoredSchedule, rule: Rule): boolean {
  return schedule.message !== undefined && rule.enabled && nextDueOf(schedule, rule) === undefined;
}

/** The change that keeps it, and has it found when its next run is to start, or when it is to be forgotten. */
export function keep(
  id: string,
  stored: StoredSchedule,
  rule: Rule,
  expect: string | null,
  nowMs = 0,
): RecordChange {
  const dueAtMs = nextDueOf(stored, rule);
  const dueMs = dueAtMs === undefined ? forgottenAt(stored, rule, nowMs) : startOf(rule, dueAtMs);
  return {
    kind: SCHEDULE,
    id,
    data: JSON.stringify(stored),
    ...(dueMs !== undefined && { dueMs }),
    expect,
  };
}

function forgottenAt(stored: StoredSchedule, rule: Rule, nowMs: number): number | undefined {
  return isDone(stored, rule) ? Math.max(nowMs, stored.handledMs) + FORGOTTEN_AFTER_MS : undefined;
}
