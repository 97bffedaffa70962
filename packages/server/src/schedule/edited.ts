/** What is kept of a schedule that is made or changed: checked, and with its times as they follow from the change. */

import { isDeep } from "@carillon/protocol/json";
import { MAX_DATA_BYTES, MAX_DEPTH } from "@carillon/protocol/limits";
import { compileContent } from "./content.ts";
import { checkRule, compileRule, type Rule } from "./rule.ts";
import {
  compile,
  nextDueOf,
  type Problem,
  ruleOf,
  type Schedule,
  type ScheduleFields,
  type StoredSchedule,
} from "./stored.ts";

export interface CheckContext {
  readonly createdMs: number;
  readonly nowMs?: number;
  /** Of schedules that name none. */
  readonly timeZone: string;
  /** The data is published as it is. */
  readonly isLiteral?: boolean;
  /** Whether a run has to be still to come. */
  readonly needsFuture?: boolean;
}

export type Checked = { readonly ok: true; readonly rule: Rule; readonly fields: ScheduleFields } | Problem;

/** With the zone filled in: a server that moves must not move its schedules. */
export function check(id: string, fields: ScheduleFields, context: CheckContext): Checked {
  const { createdMs, nowMs = createdMs, isLiteral = false, needsFuture = true } = context;
  const { timeZone = context.timeZone } = fields;
  const lost = destinationProblem(fields);
  if (lost !== undefined) return lost;
  const about = { id, createdMs, timeZone };
  const checked = needsFuture ? checkRule(ruleOf(fields), about, nowMs) : compileRule(ruleOf(fields), about);
  if (!checked.ok) return checked;
  if (fields.data === undefined) return { ok: false, field: "data", problem: "a value is needed" };
  const content = isLiteral
    ? literalProblem(fields)
    : compileContent(fields.data, { timeZone: checked.rule.timeZone });
  if (content !== undefined && !content.ok) return content;
  return { ok: true, rule: checked.rule, fields: { ...fields, timeZone: checked.rule.timeZone } };
}

function destinationProblem({ channel, to }: ScheduleFields): Problem | undefined {
  if (channel === undefined && to === undefined) {
    return { ok: false, field: "channel", problem: "one of channel and to is required" };
  }
  if (channel === undefined || to === undefined) return undefined;
  return { ok: false, field: "to", problem: "cannot be combined with channel" };
}

function literalProblem({ data }: ScheduleFields): Problem | undefined {
  const text = JSON.stringify(data);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_DATA_BYTES) {
    return { ok: false, field: "data", problem: `${bytes} bytes, at most ${MAX_DATA_BYTES} are allowed` };
  }
  return isDeep(text)
    ? { ok: false, field: "data", problem: `nested more than ${MAX_DEPTH} deep` }
    : undefined;
}

export type FieldChange = {
  readonly [Name in keyof ScheduleFields]?: ScheduleFields[Name] | undefined;
};

/** Fields that say when it is due. Where one of them is another than before, it starts from now. */
const TIMES = ["every", "align", "cron", "at", "delay", "timeZone"] as const;

/** A clock that was wrong by more than this has been put right: what it had dealt with lies in no future of ours. */
const MOST_AHEAD_MS = 86_400_000;

/**
 * `change` made to `schedule` at `wallMs`; `undefined` takes a field away. One that says where it is published takes the
 * place of the other that did.
 */
export function edited(
  schedule: Schedule,
  change: FieldChange,
  { wallMs, timeZone }: { readonly wallMs: number; readonly timeZone: string },
): { readonly ok: true; readonly stored: StoredSchedule; readonly rule: Rule } | Problem {
  const { id, text: _, fields: before, message, ...kept } = schedule;
  const place = change.channel ?? change.to;
  const elsewhere = place === undefined ? {} : { channel: undefined, to: undefined };
  const fields = Object.fromEntries(
    Object.entries({ ...before, ...elsewhere, ...change }).filter(([, value]) => value !== undefined),
  ) as unknown as ScheduleFields;
  const recurring = (["every", "cron"] as const).find((name) => fields[name] !== undefined);
  if (message !== undefined && recurring !== undefined) {
    return { ok: false, field: recurring, problem: "a message for later is published once" };
  }
  const differs = (name: keyof ScheduleFields) => fields[name] !== before[name];
  const isSwitchedOn = before.enabled === false && fields.enabled !== false;
  const startsAnew = isSwitchedOn || TIMES.some(differs);
  // After a clock was set back, what has been dealt with is past all the same; after one that was far ahead it is not.
  const isFarAhead = kept.handledMs - wallMs > MOST_AHEAD_MS;
  const nowMs = isFarAhead ? wallMs : Math.max(kept.handledMs, wallMs);
  const createdMs = differs("every") || differs("delay") ? nowMs : kept.createdMs;
  const checked = check(id, fields, {
    createdMs,
    nowMs,
    timeZone,
    isLiteral: message !== undefined,
    // One whose time is over can still be paused, or said to be over earlier.
    needsFuture: startsAnew || differs("until"),
  });
  if (!checked.ok) return checked;
  // Where only what is published changes, a run that is being waited for is still made.
  // One that had ended and is to go on has missed nothing: its times since then were none.
  const handledMs = startsAnew || hasEnded(schedule) ? nowMs : kept.handledMs;
  const about = message === undefined ? {} : { message };
  return {
    ok: true,
    stored: { ...kept, ...about, fields: checked.fields, createdMs, handledMs },
    rule: checked.rule,
  };
}

function hasEnded(schedule: Schedule): boolean {
  const compiled = compile(schedule);
  return "rule" in compiled && nextDueOf(schedule, { ...compiled.rule, enabled: true }) === undefined;
}
