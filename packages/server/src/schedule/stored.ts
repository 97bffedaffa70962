/** A schedule as it is kept, and as it is told. */
import type { Json } from "@carillon/protocol/frames";
import type { Urgency } from "@carillon/protocol/position";
import { type Content, compileContent } from "./content.ts";
import type { KeptRecord, RecordChange } from "./ports.ts";
import { compileRule, type Refusal, type Rule, type RuleFields } from "./rule.ts";
import { nextDueAfter, startOf } from "./when.ts";

/** What a user writes: a rule, and what is published. */
export interface ScheduleFields extends RuleFields {
  readonly channel: string;
  readonly data: Json;
  readonly ttl?: number;
  readonly urgency?: Urgency;
  readonly collapseKey?: string;
  readonly tags?: readonly string[];
}

/** What is kept of it, as JSON. */
export interface StoredSchedule {
  readonly fields: ScheduleFields;
  readonly createdMs: number;
  /** The due time up to which everything has been dealt with; at first when it was made. */
  readonly handledMs: number;
  /** Publications made on time or made up for. */
  readonly runs: number;
  /** Entries in its list of runs so far, those that are forgotten included. */
  readonly entries: number;
  /** Set where flags, not the API, say what it is. */
  readonly managed?: true;
  /** Set where the data is published as it is: braces in it are no names to fill in. */
  readonly literal?: true;
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
  schedule: Pick<Schedule, "id" | "fields" | "createdMs" | "literal">,
): Compiled | Problem {
  const { id, fields, createdMs, literal } = schedule;
  const compiled = compileRule(ruleOf(fields), { id, createdMs, timeZone: fields.timeZone ?? "UTC" });
  if (!compiled.ok) return compiled;
  if (literal) return { rule: compiled.rule, render: () => fields.data };
  const content = compileContent(fields.data, { timeZone: compiled.rule.timeZone });
  return content.ok ? { rule: compiled.rule, render: content.render } : content;
}

/** Which field is wrong, and why. */
export type Problem = Refusal | Extract<Content, { ok: false }>;

export function ruleOf(fields: ScheduleFields): RuleFields {
  const { channel: _, data: __, ttl: ___, urgency: ____, collapseKey: _____, tags: ______, ...rule } = fields;
  return rule;
}

/** The time of its next run, jitter left out; `undefined` if there is none. */
export function nextDueOf({ handledMs, runs }: StoredSchedule, rule: Rule): number | undefined {
  return nextDueAfter(rule, handledMs, runs);
}

/** The change that keeps it, and has it found when its next run is to start. */
export function keep(id: string, stored: StoredSchedule, rule: Rule, expect: string | null): RecordChange {
  const dueAtMs = nextDueOf(stored, rule);
  return {
    kind: SCHEDULE,
    id,
    data: JSON.stringify(stored),
    ...(dueAtMs !== undefined && { dueMs: startOf(rule, dueAtMs) }),
    expect,
  };
}
