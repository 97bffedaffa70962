/** A schedule as flags say it: when it is due, what is published, and how that is delivered. */
import type { Json } from "@carillon/protocol/frames";
import { ConfigError } from "../../config.ts";
import { compileContent } from "../../schedule/content.ts";
import { compileRule, type RuleFields } from "../../schedule/rule.ts";
import type { ScheduleFields } from "../../schedule/stored.ts";
import { checkOneOf, deliveryFlags, parseJson, readDelivery } from "../delivery.ts";
import type { Flag, Given } from "../flags.ts";

/** When it is due once, as `push` has it too. */
export const onceFlags = {
  at: { value: "TIME", about: "once, then, such as 2026-12-24T18:00:00+01:00" },
  delay: { value: "10m", about: "once, when this much time has passed" },
} as const satisfies Record<string, Flag>;

/** When it is due. */
export const whenFlags = {
  every: { value: "5m", about: "again and again, this long apart, from 1s to 3650d" },
  align: { about: "with --every: at round times such as :00 and :05 (in UTC), not counted from now" },
  cron: {
    value: "EXPRESSION",
    about: 'at local times such as "0 9 * * 1-5"; five fields, or six with seconds first',
  },
  ...onceFlags,
  "time-zone": {
    value: "ZONE",
    about: "for --cron and for times in the text, such as Asia/Shanghai",
    initial: "the server's",
  },
  jitter: { value: "30s", about: "spreads runs over this long, up to 1d" },
  until: { value: "TIME", about: "no run is due later, such as 2026-12-31T23:59:59Z" },
  "max-runs": { value: "COUNT", about: "ends after so many runs" },
} as const satisfies Record<string, Flag>;

/** All that can be said of a schedule but where it publishes. */
export const scheduleFlags = {
  ...whenFlags,
  misfire: {
    value: "skip|one|all|COUNT",
    about: "how many of the runs that were missed in a downtime are made up for, the latest ones",
    initial: "one",
  },
  disabled: { about: "switched off until it is resumed" },
  text: { value: "TEXT", about: "what is published, the same as TEXT" },
  data: { value: "JSON", about: "publish JSON in place of a text" },
  ...deliveryFlags,
} as const satisfies Record<string, Flag>;

type WhenFlags = Given<typeof whenFlags, []>["flags"];
type ScheduleFlags = Given<typeof scheduleFlags, []>["flags"];

/** The flags of which one says when. */
export const KINDS = ["every", "cron", "at", "delay"] as const;

/** Whether flags say when. */
export function saysWhen(flags: Pick<WhenFlags, (typeof KINDS)[number]>): boolean {
  return KINDS.some((kind) => flags[kind] !== undefined);
}

/**
 * The rule that flags name; what is not said is absent. Whether a time has passed is for the server to say: its clock counts.
 * @throws {ConfigError} that names the flag which is no good.
 */
export function readWhen(
  flags: WhenFlags & Partial<Pick<ScheduleFlags, "misfire" | "disabled">>,
): RuleFields {
  const { every, align, cron, at, delay, jitter, until, misfire, disabled } = flags;
  const { "time-zone": timeZone, "max-runs": maxRuns } = flags;
  checkOneOf({ "--every": every, "--cron": cron, "--at": at, "--delay": delay });
  const rule: RuleFields = {
    ...(every !== undefined && { every }),
    ...(align !== undefined && { align: true }),
    ...(cron !== undefined && { cron }),
    ...(at !== undefined && { at }),
    ...(delay !== undefined && { delay }),
    ...(timeZone !== undefined && { timeZone }),
    ...(jitter !== undefined && { jitter }),
    ...(until !== undefined && { until }),
    ...(maxRuns !== undefined && { maxRuns: count(maxRuns) ?? Number.NaN }),
    // What is neither a number nor one of the words is refused with the words.
    ...(misfire !== undefined && { misfire: count(misfire) ?? (misfire as "one") }),
    ...(disabled !== undefined && { enabled: false }),
  };
  checkRule(rule);
  return rule;
}

function count(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/**
 * Has the server's own reader look at it: what it would refuse is wrong usage, and nothing is sent.
 * @throws {ConfigError} that names the flag which is no good.
 */
export function checkRule(rule: RuleFields): void {
  // A change may leave out when it is due.
  const whole = saysWhen({ every: undefined, cron: undefined, at: undefined, delay: undefined, ...rule })
    ? rule
    : { every: "1h", ...rule };
  const compiled = compileRule(whole, { id: "", createdMs: 0, timeZone: "UTC" });
  if (compiled.ok) return;
  const flag = compiled.field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new ConfigError(`--${flag}: ${compiled.problem}`);
}

/**
 * What flags and TEXT say: all fields but where it publishes.
 * @throws {ConfigError} that names the flag which is no good.
 */
export function readFields(
  flags: ScheduleFlags,
  text: string | undefined,
): Partial<Omit<ScheduleFields, "channel" | "to">> {
  const rule = readWhen(flags);
  const data = readData(flags, text);
  if (data !== undefined) checkContent(data, rule.timeZone, flags.data === undefined ? "TEXT" : "--data");
  return { ...(data !== undefined && { data }), ...rule, ...readDelivery(flags) };
}

function readData(
  { text: named, data }: Pick<ScheduleFlags, "text" | "data">,
  text: string | undefined,
): Json | undefined {
  checkOneOf({ TEXT: text, "--text": named, "--data": data });
  return data === undefined ? (text ?? named) : parseJson(data);
}

function checkContent(data: Json, timeZone = "UTC", source: string): void {
  const content = compileContent(data, { timeZone });
  if (!content.ok) throw new ConfigError(`${source}: ${content.problem}`);
}
