/**
 * A schedule's rule: what a user writes, and what it is compiled to.
 *
 *     const checked = checkRule({ cron: "30 2 * * *", timeZone: "Europe/Berlin" }, context);
 *     if (checked.ok) nextDueAfter(checked.rule, nowMs); // see when.ts
 *     else `${checked.field}: ${checked.problem}`; // "cron: no date ever fits it"
 *
 * What is kept is what the user wrote, with the zone filled in; `compileRule` reads it again in about 10 µs.
 */
import { parseDuration } from "../lib/duration.ts";
import { type TimeZone, timeZone } from "../lib/zones.ts";
import { parseCron } from "./cron.ts";
import { parseRfc3339 } from "./rfc3339.ts";
import { nextDueAfter, type When } from "./when.ts";

/** A rule as it is written. Exactly one of `every`, `cron`, `at` and `delay` says when. */
export interface RuleFields {
  /** A length of time, at least 1s, at most 10 years. It has passed between two runs, whatever the clocks show. */
  readonly every?: string;
  /** With `every`: count from 1970 in UTC, so that 5m runs at :00, :05 and so on, not from the rule's creation. */
  readonly align?: boolean;
  /** See cron.ts; in `timeZone`. */
  readonly cron?: string;
  /** RFC 3339: once, then. */
  readonly at?: string;
  /** A length of time: once, this long after the rule's creation. */
  readonly delay?: string;
  /** An IANA name; the server's zone unless given. For `cron` and the content. */
  readonly timeZone?: string;
  /** A length of time up to 1d over which runs are spread; see `startOf` in when.ts. */
  readonly jitter?: string;
  /** RFC 3339: no run is due later. */
  readonly until?: string;
  readonly maxRuns?: number;
  /** True unless given. */
  readonly enabled?: boolean;
  /**
   * How many of the runs that were missed in a downtime are made up for, the latest ones: `skip` is none, `one` (unless
   * given) is one, `all` is 1,000, which is also the most that a number may say.
   */
  readonly misfire?: "skip" | "one" | "all" | number;
}

/** A compiled rule; see when.ts for what can be asked of it. */
export interface Rule {
  readonly id: string;
  readonly when: When;
  /** As the IANA database spells it. */
  readonly timeZone: string;
  readonly jitterMs: number;
  /** The last moment at which a run may be due; infinite if there is none. */
  readonly untilMs: number;
  /** Infinite if there is no bound. */
  readonly maxRuns: number;
  readonly enabled: boolean;
  /** How many of the runs missed in a downtime are made up for. */
  readonly missedRuns: number;
}

export interface RuleContext {
  /** The schedule's id; with the due time it decides the jitter. */
  readonly id: string;
  /** When the rule was made: where `every` and `delay` count from. */
  readonly createdMs: number;
  /** The zone of rules that name none. */
  readonly timeZone: string;
}

/** What is wrong, in a line for people, and with which field. */
export interface Refusal {
  readonly ok: false;
  readonly field: keyof RuleFields;
  readonly problem: string;
}

export type CompiledRule = { readonly ok: true; readonly rule: Rule } | Refusal;

/** Runs that a rule may make up for: what a client that was away catches up with in one page. */
export const MAX_MISSED_RUNS = 1_000;
const LEAST_EVERY_MS = 1_000;
const DAY_MS = 86_400_000;
const LONGEST_MS = 3_650 * DAY_MS;
const MISSED_RUNS: Readonly<Record<string, number>> = { skip: 0, one: 1, all: MAX_MISSED_RUNS };

const TYPES: Readonly<Record<keyof RuleFields, readonly string[]>> = {
  every: ["string"],
  align: ["boolean"],
  cron: ["string"],
  at: ["string"],
  delay: ["string"],
  timeZone: ["string"],
  jitter: ["string"],
  until: ["string"],
  maxRuns: ["number"],
  enabled: ["boolean"],
  misfire: ["string", "number"],
};

/** The fields of a rule, for whoever takes them out of a larger object. */
export const RULE_FIELDS = Object.keys(TYPES) as readonly (keyof RuleFields)[];

/** Compiles a rule that is to be kept: `compileRule`, and at `nowMs` there is still a run to come. */
export function checkRule(fields: RuleFields, context: RuleContext, nowMs: number): CompiledRule {
  const compiled = compileRule(fields, context);
  if (!compiled.ok) return compiled;
  const { rule } = compiled;
  if (rule.untilMs <= nowMs) return refuse("until", "is in the past");
  if (rule.when.kind === "once" && rule.when.atMs <= nowMs) return refuse(kindOf(fields), "is in the past");
  if (nextDueAfter({ ...rule, enabled: true }, nowMs) === undefined) {
    return rule.untilMs < Number.POSITIVE_INFINITY
      ? refuse("until", "no run is due before it")
      : refuse(kindOf(fields), "no run is due before the year 10000");
  }
  return compiled;
}

/** Compiles a rule, also one whose time is over. Never throws, whatever the types of the fields are. */
export function compileRule(fields: RuleFields, context: RuleContext): CompiledRule {
  const mistyped = RULE_FIELDS.find(
    (name) => fields[name] !== undefined && !TYPES[name].includes(typeof fields[name]),
  );
  if (mistyped !== undefined) return refuse(mistyped, `a ${TYPES[mistyped].join(" or a ")} is expected`);

  const zone = timeZone(fields.timeZone ?? context.timeZone);
  if (zone === undefined) return refuse("timeZone", "no such time zone; Europe/Berlin would be one");
  const when = compileWhen(fields, context, zone);
  if ("problem" in when) return when;

  const jitterMs = parseDuration(fields.jitter ?? "0s");
  if (jitterMs === undefined || jitterMs > DAY_MS) {
    return refuse("jitter", "a length of time up to 1d is expected, such as 30s");
  }
  const untilMs = fields.until === undefined ? Number.POSITIVE_INFINITY : parseRfc3339(fields.until);
  if (untilMs === undefined) return refuse("until", RFC_3339_EXPECTED);
  const { maxRuns = Number.POSITIVE_INFINITY, misfire = "one", enabled = true } = fields;
  if (fields.maxRuns !== undefined && !isCount(maxRuns, 1, Number.MAX_SAFE_INTEGER)) {
    return refuse("maxRuns", "a whole number from 1 is expected");
  }
  const missedRuns = typeof misfire === "number" ? misfire : MISSED_RUNS[misfire];
  if (missedRuns === undefined || !isCount(missedRuns, 0, MAX_MISSED_RUNS)) {
    return refuse("misfire", `skip, one, all or a whole number up to ${MAX_MISSED_RUNS} is expected`);
  }
  const { id } = context;
  return {
    ok: true,
    rule: { id, when, timeZone: zone.name, jitterMs, untilMs, maxRuns, enabled, missedRuns },
  };
}

const RFC_3339_EXPECTED = "a time such as 2026-11-24T09:30:00Z is expected";
const KINDS = ["every", "cron", "at", "delay"] as const;

/** The field that says when. */
function kindOf(fields: RuleFields): (typeof KINDS)[number] {
  return KINDS.find((kind) => fields[kind] !== undefined) ?? "every";
}

function compileWhen(fields: RuleFields, { createdMs }: RuleContext, zone: TimeZone): When | Refusal {
  const [kind, second] = KINDS.filter((each) => fields[each] !== undefined);
  if (kind === undefined) return refuse("every", "one of every, cron, at and delay is required");
  if (second !== undefined) return refuse(second, `cannot be combined with ${kind}`);
  if (fields.align !== undefined && kind !== "every") return refuse("align", "goes with every only");
  const value = fields[kind] ?? "";
  switch (kind) {
    case "every": {
      const everyMs = parseDuration(value);
      if (everyMs === undefined || everyMs < LEAST_EVERY_MS || everyMs > LONGEST_MS) {
        return refuse(kind, "a length of time from 1s to 3650d is expected, such as 5m");
      }
      return { kind, everyMs, anchorMs: fields.align === true ? 0 : createdMs };
    }
    case "cron": {
      const parsed = parseCron(value);
      return parsed.ok ? { kind, cron: parsed.cron, zone } : refuse(kind, parsed.problem);
    }
    case "at": {
      const atMs = parseRfc3339(value);
      return atMs === undefined ? refuse(kind, RFC_3339_EXPECTED) : { kind: "once", atMs };
    }
    case "delay": {
      const delayMs = parseDuration(value);
      if (delayMs === undefined || delayMs < 1 || delayMs > LONGEST_MS) {
        return refuse(kind, "a length of time from 1ms to 3650d is expected, such as 5m");
      }
      return { kind: "once", atMs: createdMs + delayMs };
    }
  }
}

function isCount(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function refuse(field: keyof RuleFields, problem: string): Refusal {
  return { ok: false, field, problem };
}
