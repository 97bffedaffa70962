/**
 * What is a valid command, field by field. Unknown fields are ignored (`version.ts`); a known one of the wrong kind is an
 * error that names it.
 */
import { channelNameProblem } from "./channel.ts";
import { deviceIdProblem } from "./device.ts";
import type { Command, ErrorCode } from "./frames.ts";
import {
  MAX_COLLAPSE_KEY_LENGTH,
  MAX_EPOCH_LENGTH,
  MAX_HISTORY_LIMIT,
  MAX_IDEMPOTENCY_KEY_LENGTH,
  MAX_TAG_LENGTH,
  MAX_TAGS,
  MAX_TOKEN_LENGTH,
  MAX_TTL_SECONDS,
} from "./limits.ts";
import { URGENCIES } from "./position.ts";

export interface CommandError {
  readonly id?: number;
  readonly code: ErrorCode;
  /** One line for people. */
  readonly message: string;
}

export type Fields = Readonly<Record<string, unknown>>;

/** What is wrong with a field's value; `undefined` when nothing is. */
type Check = (value: unknown) => string | undefined;

const COLLAPSE_KEY = /^[A-Za-z0-9_-]+$/;
const PRINTABLE_ASCII = /^[\x20-\x7e]+$/;

const integer =
  (least: number, most: number): Check =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
      ? undefined
      : `a whole number from ${least} to ${most}`;

const text =
  (mostLetters: number, pattern?: RegExp): Check =>
  (value) =>
    typeof value === "string" && value !== "" && value.length <= mostLetters && (pattern?.test(value) ?? true)
      ? undefined
      : `a text of 1 to ${mostLetters} characters${pattern === undefined ? "" : ` that fits ${pattern.source}`}`;

const offset = integer(0, Number.MAX_SAFE_INTEGER);
const tag = text(MAX_TAG_LENGTH);

const isOffset: Check = (value) => {
  const isTriple =
    Array.isArray(value) && value.length === 3 && value.every((each) => offset(each) === undefined);
  return isTriple || offset(value) === undefined ? undefined : "an offset, or three";
};

const position: Check = (value) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "an epoch and an offset";
  const { epoch, offset: at } = value as Fields;
  return text(MAX_EPOCH_LENGTH)(epoch) === undefined && isOffset(at) === undefined
    ? undefined
    : "an epoch and an offset";
};

/** A channel's name has an error code of its own, so here it only has to be a text. */
const channel: Check = (value) => (typeof value === "string" ? undefined : "a channel name");
const device: Check = (value) =>
  typeof value === "string" && deviceIdProblem(value) === undefined
    ? undefined
    : "1 to 100 of A-Z a-z 0-9 _ - . :";
const urgency: Check = (value) =>
  (URGENCIES as readonly unknown[]).includes(value) ? undefined : URGENCIES.join(", ");
const tags: Check = (value) =>
  Array.isArray(value) && value.length <= MAX_TAGS && value.every((each) => tag(each) === undefined)
    ? undefined
    : `at most ${MAX_TAGS} texts of 1 to ${MAX_TAG_LENGTH} characters`;

const id = integer(1, Number.MAX_SAFE_INTEGER);

interface Shape {
  readonly required: Readonly<Record<string, Check>>;
  readonly optional: Readonly<Record<string, Check>>;
}

/** Any JSON will do. */
const anything: Check = (value) => (value === undefined ? "a value" : undefined);

const SHAPES: Readonly<Record<Command["type"], Shape>> = {
  connect: {
    required: { id },
    optional: { token: text(MAX_TOKEN_LENGTH), device, client: text(200) },
  },
  refresh: { required: { id, token: text(MAX_TOKEN_LENGTH) }, optional: {} },
  subscribe: { required: { id, channel }, optional: { position } },
  unsubscribe: { required: { id, channel }, optional: {} },
  publish: {
    required: { id, channel, data: anything },
    optional: {
      ttl: integer(0, MAX_TTL_SECONDS),
      urgency,
      collapseKey: text(MAX_COLLAPSE_KEY_LENGTH, COLLAPSE_KEY),
      idempotencyKey: text(MAX_IDEMPOTENCY_KEY_LENGTH, PRINTABLE_ASCII),
      tags,
    },
  },
  history: {
    required: { id, channel },
    optional: { after: offset, limit: integer(1, MAX_HISTORY_LIMIT) },
  },
  presence: { required: { id, channel }, optional: {} },
  ping: { required: { id }, optional: {} },
  ack: { required: { channel, position }, optional: {} },
};

/** What is wrong with a command; `undefined` when it is one. */
export function commandProblem(fields: Fields): CommandError | undefined {
  const known = id(fields["id"]) === undefined ? { id: fields["id"] as number } : {};
  const { type } = fields;
  if (typeof type !== "string" || !Object.hasOwn(SHAPES, type)) {
    return { ...known, code: "bad_frame", message: "type: no command of this name" };
  }
  const { required, optional } = SHAPES[type as Command["type"]];
  const wrong = firstProblem(fields, required, true) ?? firstProblem(fields, optional, false);
  if (wrong !== undefined) return { ...known, code: "bad_field", message: wrong };
  const name = fields["channel"];
  const nameProblem = typeof name === "string" ? channelNameProblem(name) : undefined;
  return nameProblem === undefined ? undefined : { ...known, code: "invalid_channel", message: nameProblem };
}

function firstProblem(fields: Fields, checks: Shape["required"], required: boolean): string | undefined {
  for (const name in checks) {
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (value === undefined && !required) continue;
    const expected = checks[name]?.(value);
    if (expected !== undefined) return `${name}: expected ${expected}`;
  }
  return undefined;
}
