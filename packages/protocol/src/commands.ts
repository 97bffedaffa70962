/**
 * What is a valid command, field by field. Unknown fields are ignored (`version.ts`); a known one of the wrong kind is an
 * error that names it.
 */
import { channelNameProblem } from "./channel.ts";
import { deviceIdProblem } from "./device.ts";
import type { Command, ErrorCode } from "./frames.ts";
import { inboxNameProblem } from "./inbox.ts";
import {
  MAX_COLLAPSE_KEY_LENGTH,
  MAX_EPOCH_LENGTH,
  MAX_HISTORY_LIMIT,
  MAX_IDEMPOTENCY_KEY_LENGTH,
  MAX_PUBLICATION_ID_LENGTH,
  MAX_READ,
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
const TIME_OF_DAY = /^([01]\d|2[0-3]):[0-5]\d$/;

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

const listOf =
  (least: number, most: number, longest: number): Check =>
  (value) =>
    Array.isArray(value) &&
    value.length >= least &&
    value.length <= most &&
    value.every((each) => text(longest)(each) === undefined)
      ? undefined
      : `${least} to ${most} texts of 1 to ${longest} characters`;

const offset = integer(0, Number.MAX_SAFE_INTEGER);

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
const boolean: Check = (value) => (typeof value === "boolean" ? undefined : "true or false");
const yes: Check = (value) => (value === true ? undefined : "true");

const quietHours: Check = (value) => {
  const { from, to } = (value ?? {}) as Fields;
  const isTime = (each: unknown) => typeof each === "string" && TIME_OF_DAY.test(each);
  return value === null || (isTime(from) && isTime(to) && from !== to)
    ? undefined
    : "null, or from and to: two times of day, HH:MM";
};

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
    optional: { token: text(MAX_TOKEN_LENGTH), device, client: text(200), urgentFirst: yes },
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
      tags: listOf(0, MAX_TAGS, MAX_TAG_LENGTH),
    },
  },
  history: {
    required: { id, channel },
    optional: { after: offset, limit: integer(1, MAX_HISTORY_LIMIT) },
  },
  presence: { required: { id, channel }, optional: {} },
  ping: { required: { id }, optional: {} },
  ack: { required: { channel, position }, optional: {} },
  switch: { required: { id, channel }, optional: { push: boolean, quietHours } },
  read: {
    required: { id, channel, publications: listOf(1, MAX_READ, MAX_PUBLICATION_ID_LENGTH) },
    optional: {},
  },
};

/** The commands that may name a channel of the client's own inbox. Whether it is its own the server knows. */
const OF_INBOXES: ReadonlySet<unknown> = new Set<Command["type"]>([
  "subscribe",
  "unsubscribe",
  "ack",
  "switch",
  "read",
]);

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
  const message = typeof name === "string" ? nameProblem(type, name) : undefined;
  return message === undefined ? undefined : { ...known, code: "invalid_channel", message };
}

function nameProblem(type: string, name: string): string | undefined {
  return name.startsWith("$") && OF_INBOXES.has(type) ? inboxNameProblem(name) : channelNameProblem(name);
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
