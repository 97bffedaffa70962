/**
 * What a client takes for a frame of the server: all that it will look at is there and of the right kind. A server that is
 * wrong, or is none, must not be able to make an app fail somewhere in its middle.
 */
import type { Fields } from "./commands.ts";
import type { ServerFrame } from "./frames.ts";
import type { WirePosition } from "./position.ts";

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === "string";
const number: Check = (value) => Number.isSafeInteger(value);
const flag: Check = (value) => typeof value === "boolean";

const has =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.entries(checks).every(([name, check]) => check((value as Fields)[name]));
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

const offsets: Check = (value) =>
  number(value) || (Array.isArray(value) && value.length === 3 && value.every(number));

/** Whether a value is a position as it is written on the wire. */
export function isWirePosition(value: unknown): value is WirePosition {
  return place(value);
}
const place = has({ epoch: text, offset: offsets });

const publication = has({
  id: text,
  time: text,
  offset: maybe(number),
  prev: maybe(number),
  urgency: maybe(text),
});
const page = { channel: text, epoch: text, publications: listOf(publication), to: number, more: flag };
const member = { channel: text, member: has({ session: text }) };

/** A `Map`: a frame may call itself `constructor`. */
const FRAMES = new Map<string, Check>(
  Object.entries({
    connected: has({ id: number, session: text }),
    subscribed: has({ id: number, channel: text, position: place, from: maybe(place) }),
    unsubscribed: has({ id: number, channel: text }),
    published: has({ id: number, channel: text, publication: text, epoch: text }),
    history: has({ id: number, ...page }),
    presence: has({ id: number, channel: text, count: number, members: listOf(has({ session: text })) }),
    pong: has({ id: number }),
    error: has({ id: maybe(number), code: text, message: text }),
    publication: has({ channel: text, publication }),
    page: has(page),
    join: has(member),
    leave: has(member),
    revoked: has({ channel: text, code: text, message: text }),
  } satisfies Record<ServerFrame["type"], Check>),
);

export function isServerFrame(fields: Fields): fields is Fields & ServerFrame {
  const { type } = fields;
  return typeof type === "string" && (FRAMES.get(type)?.(fields) ?? false);
}
