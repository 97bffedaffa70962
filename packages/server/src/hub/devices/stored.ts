/** A device as it is kept: a record of the engine, and the labels by which it is found. */
import { z } from "zod";
import { EngineError, type KeptRecord, type RecordChange } from "../../engine/engine.ts";
import { grantFields } from "../grants.ts";
import type { Device } from "./device.ts";

/** A device with what nobody else sees. */
export interface StoredDevice extends Device {
  /** SHA-256 of the secret in its token, in base64url. Absent: no token of it is valid. */
  readonly hash?: string;
  /** Who registered it, as `Access.who` says. */
  readonly by?: string;
}

export const DEVICE = "device";

/** All that are registered. */
export const REGISTERED = "registered";
/** Those that a push service may reach while they are not connected. */
export const HAS_ENDPOINT = "endpoint";
export const userLabel = (user: string) => `user:${user}`;
export const tagLabel = (tag: string) => `tag:${tag}`;
/** Those that want push in a channel. */
export const channelLabel = (channel: string) => `channel:${channel}`;
/** Those that have switched an inbox channel off, by its name as `switchName` has it. */
export const offLabel = (inbox: string) => `off:${inbox}`;

const keys = z.strictObject({ p256dh: z.string(), auth: z.string() });

const wanted = z.strictObject({
  push: z.boolean(),
  quietHours: z.strictObject({ from: z.string(), to: z.string() }).optional(),
});

/** What is not known here was written by a later version, and may restrict the device. */
const kept = z.strictObject({
  platform: z.string().optional(),
  appVersion: z.string().optional(),
  locale: z.string().optional(),
  timeZone: z.string().optional(),
  tags: z.array(z.string()).optional(),
  user: z.string().optional(),
  webPush: z.strictObject({ endpoint: z.string(), keys }).optional(),
  unifiedPush: z.strictObject({ endpoint: z.string(), keys: keys.optional() }).optional(),
  grants: z.strictObject(grantFields).optional(),
  isRegistered: z.boolean(),
  createdAtMs: z.number(),
  lastSeenMs: z.number(),
  hash: z
    .string()
    .regex(/^[\w-]{43}$/)
    .optional(),
  by: z.string().optional(),
  /** In a list, as a channel may be called `__proto__`. */
  subscriptions: z.array(z.tuple([z.string(), wanted])),
});

/** One that nobody has said anything of. */
export function blankDevice(id: string, nowMs: number): Device {
  return { id, isRegistered: false, createdAtMs: nowMs, lastSeenMs: nowMs, subscriptions: {} };
}

/**
 * Reads a record.
 * @throws {EngineError} `unavailable` if it cannot be read: a later version has written it, or it is damaged.
 */
export function readDevice({ id, data }: KeptRecord): StoredDevice {
  try {
    const { subscriptions, ...rest } = kept.parse(JSON.parse(data));
    // What is optional and absent is not there; the parser's types cannot say so.
    const device = rest as Omit<StoredDevice, "id" | "subscriptions">;
    return { id, ...device, subscriptions: Object.fromEntries(subscriptions) as Device["subscriptions"] };
  } catch (error) {
    throw new EngineError("unavailable", `the record of device ${id} cannot be read`, { cause: error });
  }
}

/** What everybody may see who may see the device. */
export function publicPart({ hash: _, by: _by, ...device }: StoredDevice): Device {
  return device;
}

/** The change that keeps it. When it was last seen is its record's time, by which those long unseen are found. */
export function keepDevice(device: StoredDevice, expect: string | null): RecordChange {
  const { id, subscriptions, ...rest } = device;
  const data = JSON.stringify({ ...rest, subscriptions: Object.entries(subscriptions) });
  return { kind: DEVICE, id, data, labels: labelsOf(device), dueMs: device.lastSeenMs, expect };
}

/** What it is found by. One that is not registered has no inbox, and is found by its channels alone. */
export function labelsOf({
  isRegistered,
  user,
  tags = [],
  webPush,
  unifiedPush,
  subscriptions,
}: Device): string[] {
  const labels: string[] = [];
  if (isRegistered) labels.push(REGISTERED, ...tags.map(tagLabel));
  if (isRegistered && user !== undefined) labels.push(userLabel(user));
  if (webPush !== undefined || unifiedPush !== undefined) labels.push(HAS_ENDPOINT);
  for (const [name, { push }] of Object.entries(subscriptions)) {
    if (!name.startsWith("$")) {
      if (push) labels.push(channelLabel(name));
    } else if (isRegistered && !push) labels.push(offLabel(name));
  }
  return labels;
}

/** As JSON has it; within a text its quotes would be escaped. */
const LAST_SEEN = /"lastSeenMs":\d+/;

/**
 * The change that says when a device was last seen, and nothing else: to read and to write the whole record would cost 15,000
 * devices that come back together half a second.
 */
export function seenAt(record: KeptRecord, lastSeenMs: number): RecordChange {
  const data = record.data.replace(LAST_SEEN, `"lastSeenMs":${lastSeenMs}`);
  return { ...record, data, dueMs: lastSeenMs, expect: record.data };
}
