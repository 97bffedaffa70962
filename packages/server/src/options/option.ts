/** One option of the server's configuration, and the kinds of values that many have. */
import { z } from "zod";
import { parseDuration } from "../lib/duration.ts";

export interface Option<Value> {
  /** From text to value. */
  readonly schema: z.ZodType<Value, string>;
  /** What a good value looks like, for the error and the help: "a port, 0 to 65535". */
  readonly expects: string;
  /** How the value is shown in the help: `PORT`. */
  readonly placeholder: string;
  readonly about: string;
  readonly initial: string;
  /** What the help shows in place of an empty `initial`. */
  readonly shown?: string;
  /** The flag takes no value. */
  readonly isSwitch?: boolean;
  /** An error does not repeat the value: errors are read by others, and kept in logs. */
  readonly isSecret?: boolean;
}

export const option = <Value>(details: Option<Value>): Option<Value> => details;

/** A text that passes `test`. */
export const text = (test: (value: string) => boolean) => z.string().refine(test);

/** A length of time in milliseconds. */
export const duration = (leastMs: number, mostMs = Number.POSITIVE_INFINITY) =>
  z.string().transform((value, context) => {
    const ms = parseDuration(value);
    if (ms !== undefined && ms >= leastMs && ms <= mostMs) return ms;
    context.addIssue("no duration");
    return z.NEVER;
  });

/** A whole number from `least` to `most`. */
export const integer = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .refine((value) => value >= least && value <= most);

const UNIT_BYTES = { B: 1, KB: 1_024, MB: 1_024 ** 2, GB: 1_024 ** 3 } as const;

/** Bytes, written `64KB`. */
export const bytes = (least: number, most: number) =>
  z.string().transform((value, context) => {
    const [, count, unit] = /^(\d{1,9})(B|KB|MB|GB)$/.exec(value) ?? [];
    const size = Number(count) * (UNIT_BYTES[unit as keyof typeof UNIT_BYTES] ?? Number.NaN);
    if (size >= least && size <= most) return size;
    context.addIssue("no size");
    return z.NEVER;
  });

/** Texts separated by commas. */
export const list = z.string().transform((value) =>
  value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== ""),
);
