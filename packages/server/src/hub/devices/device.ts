/**
 * A device: who an app is, across connections. What is here is what is known of one, as everybody else sees it; how it is
 * kept is `stored.ts`, and what may be done with it `devices.ts`.
 */

import type { Grants } from "../grants.ts";

/** A time of day in the device's zone, `HH:MM`. Quiet from `from` up to, not including, `to`, over midnight if need be. */
export interface QuietHours {
  readonly from: string;
  readonly to: string;
}

/** A push switch: what a device wants of one channel. */
export interface Switch {
  /** Off means not wanted: positions move along, and on again starts from then. */
  readonly push: boolean;
  /** Everything but `urgency: high` waits until they end. */
  readonly quietHours?: QuietHours;
}

/** Keys by which a push service's messages are encrypted (RFC 8291), in base64url. */
export interface PushKeys {
  readonly p256dh: string;
  readonly auth: string;
}

/** What a browser's `PushSubscription.toJSON()` says. */
export interface WebPushSubscription {
  readonly endpoint: string;
  readonly keys: PushKeys;
}

/** Where a UnifiedPush distributor takes messages for the app; one without keys is sent plain text. */
export interface UnifiedPushEndpoint {
  readonly endpoint: string;
  readonly keys?: PushKeys;
}

/** What an app says of itself, and what a backend says of it. */
export interface DeviceFields {
  readonly platform?: string;
  readonly appVersion?: string;
  /** BCP 47. */
  readonly locale?: string;
  /** An IANA name. */
  readonly timeZone?: string;
  /** At most 16. */
  readonly tags?: readonly string[];
  /** Whose it is; said by a backend or a JWT, never by the app alone. */
  readonly user?: string;
  readonly webPush?: WebPushSubscription;
  readonly unifiedPush?: UnifiedPushEndpoint;
}

export interface Device extends DeviceFields {
  readonly id: string;
  /** Whether it has or had a token: one that a client has only named (`?device=`) has no inbox of its own. */
  readonly isRegistered: boolean;
  /** What its token may, if a backend has said so; else what everybody may. */
  readonly grants?: Grants;
  /** Milliseconds since 1970. */
  readonly createdAtMs: number;
  readonly lastSeenMs: number;
  /** By channel: those that it has ever wanted, or was switched off; and `$device`, `$user` and `$all` for its inbox. */
  readonly subscriptions: Readonly<Record<string, Switch>>;
}

/** What everybody registered reads besides its own. */
export const EVERYONE = "$all";

/** The channels that a device reads without asking: its own, its user's, and everybody's. */
export function inboxOf({
  id,
  user,
  isRegistered,
}: Pick<Device, "id" | "user" | "isRegistered">): readonly string[] {
  if (!isRegistered) return [];
  const own = `$device/${id}`;
  return user === undefined ? [own, EVERYONE] : [own, `$user/${user}`, EVERYONE];
}

/** Under which name the switch of a channel is kept: all devices call their inboxes alike. */
export function switchName(channel: string): string {
  const [first = ""] = channel.startsWith("$") ? channel.split("/", 1) : [channel];
  return first;
}

/** Nobody has said anything. */
const ON: Switch = { push: true };

/** What a device wants of a channel. */
export function switchOf({ subscriptions }: Pick<Device, "subscriptions">, channel: string): Switch {
  const name = switchName(channel);
  return Object.hasOwn(subscriptions, name) ? (subscriptions[name] ?? ON) : ON;
}

/** In the place of an epoch: the device has left the channel, and stands nowhere in it. No log is called so. */
export const NO_EPOCH = "-";
