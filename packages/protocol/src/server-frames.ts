/**
 * What a client takes for a frame of the server: all that it will look at is there and of the right kind. A server that is
 * wrong, or is none, must not be able to make an app fail somewhere in its middle.
 */
import type { Fields } from "./commands.ts";
import type { ServerFrame } from "./frames.ts";
import type { WirePosition } from "./position.ts";

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === "string";
const number: Check = Number.isSafeInteger;

/** What is no object has no fields; and none of these is content without one. */
const has =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    Object.entries(checks).every(([name, check]) => check((value as Fields | null)?.[name]));
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
export const isWirePosition = has({ epoch: text, offset: offsets }) as (
  value: unknown,
) => value is WirePosition;

const publication = has({
  id: text,
  time: text,
  offset: maybe(number),
  prev: maybe(number),
  urgency: maybe(text),
  withdraws: maybe(text),
});
const page = { epoch: text, publications: listOf(publication), to: offsets };
const session = has({ session: text });
const member = has({ channel: text, member: session });
const problem = { code: text, message: text };
/** Of what goes through to the app as it is, only what finds its way there. */
const answer = has({ id: number });

/** A `Map`: a frame may call itself `constructor`. */
const FRAMES = new Map<unknown, Check>(
  Object.entries({
    connected: has({ id: number, inbox: maybe(listOf(text)) }),
    refreshed: answer,
    subscribed: has({ id: number, channel: text, position: isWirePosition, from: maybe(isWirePosition) }),
    unsubscribed: answer,
    published: answer,
    history: has({ id: number, ...page }),
    presence: has({ id: number, members: listOf(session) }),
    pong: answer,
    switched: answer,
    read: answer,
    error: has({ id: maybe(number), ...problem }),
    publication: has({ channel: text, publication }),
    page: has({ channel: text, ...page }),
    join: member,
    leave: member,
    revoked: has({ channel: text, ...problem }),
    switch: has({ channel: text }),
  } satisfies Record<ServerFrame["type"], Check>),
);

export function isServerFrame(value: unknown): value is ServerFrame {
  return FRAMES.get((value as Fields | null)?.["type"])?.(value) ?? false;
}
