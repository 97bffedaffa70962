/** Devices as the server tells them; what later versions add is kept. */
import { z } from "zod";

const text = z.string().optional();
const patterns = z.array(z.string()).optional();
const endpoint = z.looseObject({ endpoint: z.string() }).optional();

export const device = z.looseObject({
  id: z.string(),
  registered: z.boolean(),
  platform: text,
  appVersion: text,
  locale: text,
  timeZone: text,
  tags: z.array(z.string()).optional(),
  user: text,
  webPush: endpoint,
  unifiedPush: endpoint,
  subscribe: patterns,
  publish: patterns,
  history: patterns,
  presence: patterns,
  createdAt: z.string(),
  lastSeenAt: z.string(),
  connected: z.boolean(),
});
export type Device = z.output<typeof device>;

const next = z.string().nullable();
export const devicePage = z.object({ devices: z.array(device), next });

export const credentials = z.looseObject({ id: z.string(), token: z.string() });

export const subscription = z.looseObject({
  channel: z.string(),
  push: z.boolean(),
  quietHours: z.object({ from: z.string(), to: z.string() }).optional(),
});
export type Subscription = z.output<typeof subscription>;
export const subscriptions = z.object({ subscriptions: z.array(subscription) });

/** How many devices a publication was for, and how far it has come. */
export const funnel = z.looseObject({
  id: z.string(),
  channel: text,
  time: text,
  recipients: z.number(),
  sent: z.number(),
  received: z.number(),
  read: z.number(),
  expired: z.number(),
});

export const receipt = z.looseObject({
  device: z.string(),
  sentAt: text,
  receivedAt: text,
  readAt: text,
});
export const receiptPage = z.object({ receipts: z.array(receipt), next });

/** Where a device is found. */
export function pathOf(id: string): string {
  return `/v1/devices/${encodeURIComponent(id)}`;
}
