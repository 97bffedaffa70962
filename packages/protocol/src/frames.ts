/**
 * The frames of `carillon.v1`: JSON objects told apart by `type`, one per WebSocket text frame.
 *
 * A client sends commands. Each but `ack` carries an `id` of its own choice, and exactly one reply comes back with the
 * same `id`. Pushes are what the server says first; they carry no `id`.
 *
 * Unknown fields are ignored by both ends, so that either may learn new ones first; a client ignores pushes of a type it
 * does not know. `docs`: PROTOCOL.md. The bytes are pinned by golden tests, the shapes by a hash (`version.ts`).
 */
import type { Offsets, Urgency, WirePosition } from "./position.ts";

/** What a publication carries: any JSON value. A text is a JSON string. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** One message in a channel, as a receiver sees it. */
export interface Publication {
  /** Unique, and ordered by time. */
  readonly id: string;
  /** Its place in the channel's log, from 1. Absent where it was never stored (`ttl` 0). */
  readonly offset?: number;
  /** The offset before it in its lane, 0 if it was the first. Stands wherever `offset` does. */
  readonly prev?: number;
  /** When the server took it, RFC 3339 in UTC with milliseconds. */
  readonly time: string;
  readonly data: Json;
  /** Seconds that it is worth delivering, from `time` on; without end unless given. */
  readonly ttl?: number;
  /** `normal` unless given. */
  readonly urgency?: Urgency;
  readonly collapseKey?: string;
  readonly tags?: readonly string[];
  /** The schedule that published it, and when it was due (RFC 3339). */
  readonly schedule?: string;
  readonly dueAt?: string;
  /** An earlier one that is not to be shown any more. One that says so is itself no message, and has no place. */
  readonly withdraws?: string;
  /** What one of the user's devices does with it that withdraws it from the others. */
  readonly withdrawOn?: "ack" | "read";
}

/** What cannot be had any more. Never a mere jump in offsets: expired and superseded publications leave holes too. */
export type Gap =
  /** Retention dropped what lay between, both ends included. */
  | { readonly from: number; readonly to: number }
  /** The position belongs to another log; everything that this one keeps follows. */
  | { readonly reason: "epoch" };

/** What a publisher may say. */
export interface PublishOptions {
  /** Whole seconds. 0 goes to those connected now and is stored for nobody. */
  readonly ttl?: number;
  readonly urgency?: Urgency;
  /** A returning client gets the last of those with one key: 1 to 32 of `A–Z a–z 0–9 - _` (RFC 8030 section 5.4). */
  readonly collapseKey?: string;
  /** A repeat within 24 hours publishes nothing and is answered as the first was. 1 to 200 printable ASCII characters. */
  readonly idempotencyKey?: string;
  /** At most 16 of at most 64 characters. */
  readonly tags?: readonly string[];
}

/** What a publisher is told. */
export interface Published {
  readonly publication: string;
  readonly epoch: string;
  /** Absent for `ttl` 0. */
  readonly offset?: number;
  readonly time: string;
  /** The idempotency key was known: this is the first one's result. */
  readonly duplicate?: true;
}

/** A time of day in the device's zone, `HH:MM`. Quiet from `from` up to, not including, `to`, over midnight if need be. */
export interface QuietHours {
  readonly from: string;
  readonly to: string;
}

/** What a device wants of a channel. */
export interface PushSwitch {
  readonly push: boolean;
  /** Everything but `urgency: high` waits until they end. */
  readonly quietHours?: QuietHours;
}

/** Who is in a channel. */
export interface Member {
  readonly session: string;
  readonly device?: string;
  readonly user?: string;
}

export type Command =
  /** First on every connection, and only once. */
  | {
      readonly type: "connect";
      readonly id: number;
      /** A key, a JWT, or a device's own token. */
      readonly token?: string;
      /** The device that this client is, unless its token says so; its positions are then kept on the server as well. */
      readonly device?: string;
      /** What software this is, for the operator: `carillon-js/0.1.0`. */
      readonly client?: string;
      /** What is urgent in any channel is caught up with before what is not urgent in another. */
      readonly urgentFirst?: true;
    }
  /** A new token in the place of the old one, before that expires. Subscriptions it does not allow are revoked. */
  | { readonly type: "refresh"; readonly id: number; readonly token: string }
  /** With a position, what came after it follows in pages; without, the subscription starts from now. */
  | {
      readonly type: "subscribe";
      readonly id: number;
      readonly channel: string;
      readonly position?: WirePosition;
    }
  | { readonly type: "unsubscribe"; readonly id: number; readonly channel: string }
  | ({
      readonly type: "publish";
      readonly id: number;
      readonly channel: string;
      readonly data: Json;
    } & PublishOptions)
  /** Reads what is kept after `after` (0, the beginning, unless given); `limit` 1 to 1,000, 100 unless given. */
  | {
      readonly type: "history";
      readonly id: number;
      readonly channel: string;
      readonly after?: number;
      readonly limit?: number;
    }
  | { readonly type: "presence"; readonly id: number; readonly channel: string }
  /** The client's sign of life. */
  | { readonly type: "ping"; readonly id: number }
  /** Everything up to the position has been handled. Cumulative, not answered. */
  | { readonly type: "ack"; readonly channel: string; readonly position: WirePosition }
  /** A device's push switch of a channel; what is not said stays as it is. `null` ends the quiet hours. */
  | {
      readonly type: "switch";
      readonly id: number;
      readonly channel: string;
      readonly push?: boolean;
      readonly quietHours?: QuietHours | null;
    }
  /** The user has read these; 1 to 100 ids. */
  | {
      readonly type: "read";
      readonly id: number;
      readonly channel: string;
      readonly publications: readonly string[];
    };

export type Reply =
  | {
      readonly type: "connected";
      readonly id: number;
      readonly session: string;
      readonly time: string;
      /** Milliseconds of silence after which the server pings. */
      readonly idleTimeoutMs: number;
      readonly maxFrameBytes: number;
      readonly defaultChannel: string;
      /** When the token expires, RFC 3339; the connection is closed with 4002 then, unless it is refreshed. */
      readonly expiresAt?: string;
      /** Which device this connection is. */
      readonly device?: string;
      /** The channels of its inbox, if it is registered; it subscribes to them itself. */
      readonly inbox?: readonly string[];
    }
  | { readonly type: "refreshed"; readonly id: number; readonly expiresAt?: string }
  /**
   * `position` is the top of the channel at this moment. If the command's position stands before it, pages follow; the
   * client has caught up once a page's `to` reaches it. A lane that quiet hours hold back stays where it is, in
   * `position` too, until the pages that come when they end.
   */
  | {
      readonly type: "subscribed";
      readonly id: number;
      readonly channel: string;
      readonly position: WirePosition;
      /** Where the pages start: the further one of the client's and the device's kept position. */
      readonly from?: WirePosition;
      readonly gap?: Gap;
      /** PushSwitch off by the device or for it: subscribed, but nothing comes until it is switched on. */
      readonly push?: false;
      readonly quietHours?: QuietHours;
    }
  | { readonly type: "unsubscribed"; readonly id: number; readonly channel: string }
  | ({ readonly type: "published"; readonly id: number; readonly channel: string } & Published)
  | ({ readonly type: "history"; readonly id: number; readonly channel: string } & Page)
  | {
      readonly type: "presence";
      readonly id: number;
      readonly channel: string;
      /** How many there are; `members` names at most the first 1,000. */
      readonly count: number;
      readonly members: readonly Member[];
    }
  | { readonly type: "pong"; readonly id: number }
  /** How the switch stands now, and was kept. */
  | ({ readonly type: "switched"; readonly id: number; readonly channel: string } & PushSwitch)
  | { readonly type: "read"; readonly id: number }
  /** Without an `id` when the frame had none that could be read. */
  | { readonly type: "error"; readonly id?: number; readonly code: ErrorCode; readonly message: string };

/** A stretch of a channel's history. */
export interface Page<To = number> {
  readonly epoch: string;
  readonly publications: readonly Publication[];
  /** The page covers everything up to here, in all lanes, holes included. */
  readonly to: To;
  /** Whether the log held more beyond `to` when the page was made. */
  readonly more: boolean;
  readonly gap?: Gap;
}

export type Push =
  | { readonly type: "publication"; readonly channel: string; readonly publication: Publication }
  /** Where lanes are held back, `to` has an offset for each; a lane that the page has nothing of may have any, also 0. */
  | ({ readonly type: "page"; readonly channel: string } & Page<number | Offsets>)
  | { readonly type: "join"; readonly channel: string; readonly member: Member }
  | { readonly type: "leave"; readonly channel: string; readonly member: Member }
  /** The server has ended a subscription, for a reason that an error code names. */
  | {
      readonly type: "revoked";
      readonly channel: string;
      readonly code: ErrorCode;
      readonly message: string;
    }
  /** Somebody else has changed the device's switch of a channel: its backend, or another of its connections. */
  | ({ readonly type: "switch"; readonly channel: string } & PushSwitch);

export type ServerFrame = Reply | Push;

/** Why a command failed. Stable; programs compare them. A client treats one it does not know as `internal`. */
export const ERROR_CODES = [
  /** Not a JSON object with a known `type`, or too deeply nested. */
  "bad_frame",
  /** A field is missing or of the wrong kind; the message names it. */
  "bad_field",
  /** The first command has to be `connect`, and only the first. */
  "not_connected",
  "already_connected",
  "invalid_token",
  /** The token was valid once; a new one may be. */
  "token_expired",
  /** The token does not allow it. */
  "forbidden",
  "invalid_channel",
  "already_subscribed",
  "not_subscribed",
  "too_many_subscriptions",
  /** Only a device has switches and reads: the connection named none. */
  "device_required",
  /** The position is ahead of the log. */
  "future_position",
  "payload_too_large",
  /** Too many of this connection's commands are waiting for an answer. */
  "too_many_pending",
  /** Too many publications a second; the message says when to try again. */
  "rate_limited",
  /** The log cannot be written or read now; nothing was published. */
  "storage_unavailable",
  /** The server's fault; its log says more. */
  "internal",
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];
