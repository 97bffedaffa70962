/** What the routes of devices share: which one is meant, and what is told of it. */
import { z } from "zod";
import type { Device, Switch } from "../../hub/devices/device.ts";
import { deviceId } from "./device-schemas.ts";
import { notFound, type Refusal } from "./route.ts";

export const deviceParams = z.strictObject({ device: deviceId });
/** What is said of a device, in the longest way: 80 KB of it are patterns. */
export const MAX_BODY_BYTES = 128 * 1_024;
/** To who may know. */
export const NO_DEVICE = { description: "there is none of this id" };
export const TOO_MANY = { description: "too many changes a second by the device itself; see Retry-After" };

/** @throws {Refusal} if there is nothing. */
export function registeredOrThrow<Found>(found: Found | undefined, id: string): Found {
  if (found === undefined) throw notRegistered(id);
  return found;
}

/** There may be one that a client has named: it has no token, no inbox, and nothing is said of it. */
export function notRegistered(id: string): Refusal {
  return notFound(`there is no registered device ${id}`);
}

/** @throws {Refusal} if there is nothing. */
export function foundOrThrow<Found>(found: Found | undefined, id: string): Found {
  if (found === undefined) throw noDevice(id);
  return found;
}

export function noDevice(id: string): Refusal {
  return notFound(`there is no device ${id}`);
}

/** What is told of a device; its subscriptions are asked for by themselves. */
export function viewOf(device: Device) {
  const { id, isRegistered, grants, createdAtMs, lastSeenMs, subscriptions: _, ...rest } = device;
  const { webPush, unifiedPush, ...fields } = rest;
  return {
    id,
    registered: isRegistered,
    ...fields,
    ...(webPush !== undefined && { webPush: { endpoint: webPush.endpoint } }),
    ...(unifiedPush !== undefined && { unifiedPush: { endpoint: unifiedPush.endpoint } }),
    ...grants,
    createdAt: timeOf(createdAtMs),
    lastSeenAt: timeOf(lastSeenMs),
  };
}

/** Its switches, as they are told. */
export function subscriptionsOf({ subscriptions }: Device) {
  return Object.entries(subscriptions).map(([channel, wanted]) => subscriptionOf(channel, wanted));
}

export function subscriptionOf(channel: string, { push, quietHours }: Switch) {
  return { channel, push, ...(quietHours !== undefined && { quietHours }) };
}

export interface ReceiptTimes {
  readonly sentMs?: number | undefined;
  readonly receivedMs?: number | undefined;
  readonly readMs?: number | undefined;
}

/** When a device has been sent, has received and has read a publication, as far as it has. */
export function receiptTimes({ sentMs, receivedMs, readMs }: ReceiptTimes) {
  return {
    ...(sentMs !== undefined && { sentAt: timeOf(sentMs) }),
    ...(receivedMs !== undefined && { receivedAt: timeOf(receivedMs) }),
    ...(readMs !== undefined && { readAt: timeOf(readMs) }),
  };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
