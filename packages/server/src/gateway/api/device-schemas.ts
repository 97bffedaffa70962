/** What goes in and out of the HTTP API about devices. */
import { channelNameProblem } from "@carillon/protocol/channel";
import { deviceIdProblem } from "@carillon/protocol/device";
import { userProblem } from "@carillon/protocol/inbox";
import { MAX_CHANNEL_NAME_LENGTH } from "@carillon/protocol/limits";
import { z } from "zod";
import { quietHoursProblem } from "../../hub/devices/quiet-hours.ts";
import { grantFields, shownText } from "../../hub/grants.ts";
import { tagProblem } from "../../hub/tag-expressions.ts";
import { pageQuery } from "./schemas.ts";

const MAX_TAGS = 16;
/** Those of push services have some 200 characters. */
const MAX_ENDPOINT_LENGTH = 2_000;

/** A text of which `problemOf` knows why it is not good; `shown` is for the description. */
const named = (problemOf: (text: string) => string | undefined, shown: Record<string, unknown>) =>
  z
    .string()
    .superRefine((text, context) => {
      const problem = problemOf(text);
      if (problem !== undefined) context.addIssue(problem);
    })
    .meta(shown);

export const deviceId = named(deviceIdProblem, {
  description: "1 to 100 of A-Z a-z 0-9 _ - . :",
  pattern: "^[A-Za-z0-9_.:-]{1,100}$",
  example: "d_7Hq2mXc9TzR4vKpWb1Ns",
});
const user = named(userProblem, {
  description: 'your own name for a person: 1 to 128 printable ASCII characters without spaces, " and \\',
  pattern: "^[!#-\\[\\]-~]{1,128}$",
  example: "ann",
});
const tag = named(tagProblem, {
  description: "1 to 64 of A-Z a-z 0-9 _ - . : / @ ~",
  pattern: "^[A-Za-z0-9_.:/@~-]{1,64}$",
  example: "beta",
});

const keys = z.strictObject({
  // An uncompressed point: 65 bytes, of which the first is 4.
  p256dh: z.string().regex(/^B[\w-]{86}$/, "expected 65 bytes in base64url, the first of them 4"),
  auth: z.string().regex(/^[\w-]{22}$/, "expected 16 bytes in base64url"),
});
/** Whether it is one that may be posted to is for `endpointProblem` of the routes to say. */
const endpoint = z.string().max(MAX_ENDPOINT_LENGTH).meta({
  description: "an https address, and no private one",
  example: "https://updates.push.services.mozilla.com/wpush/v2/gAAA",
});

const webPush = z
  .strictObject({ endpoint, keys, expirationTime: z.number().nullish() })
  .transform(({ expirationTime: _, ...subscription }) => subscription)
  .meta({ description: "a browser's `PushSubscription.toJSON()`" });
const unifiedPush = z
  .strictObject({ endpoint, keys: keys.optional() })
  .meta({ description: "a UnifiedPush endpoint; without keys it is sent plain text" });

/** What an app says of itself. */
const profile = {
  platform: shownText(50).meta({ example: "android" }),
  appVersion: shownText(50).meta({ example: "2.4.1" }),
  // Not whether this machine knows it: that of a phone may be newer.
  locale: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,100}$/)
    .meta({ description: "BCP 47", example: "de-AT" }),
  timeZone: z
    .string()
    .regex(/^[A-Za-z0-9_+/-]{1,64}$/)
    .meta({
      description: "an IANA name, by which quiet hours go; unknown ones count as the server's",
      example: "Europe/Vienna",
    }),
  tags: z.array(tag).max(MAX_TAGS).meta({ description: "by which it is found: `tag:NAME`" }),
};
const owner = { user: user.describe("whose it is; said by a backend, or by the JWT of that subject") };
const endpoints = { webPush, unifiedPush };

export const newDevice = z
  .strictObject({
    ...allOptional({ ...profile, ...endpoints }),
    user: owner.user.optional(),
    ...grantFields,
  })
  .meta({ id: "NewDevice" });

export const devicePatch = z
  .strictObject({
    ...allNullish({ ...profile, ...endpoints }),
    user: owner.user.nullish().describe("changed by a backend only"),
  })
  .meta({ id: "DevicePatch", description: "what is null is taken away" });

function allOptional<Shape extends Record<string, z.ZodType>>(shape: Shape) {
  const entries = Object.entries(shape).map(([name, schema]) => [name, schema.optional()]);
  return Object.fromEntries(entries) as { [Name in keyof Shape]: z.ZodOptional<Shape[Name]> };
}

function allNullish<Shape extends Record<string, z.ZodType>>(shape: Shape) {
  const entries = Object.entries(shape).map(([name, schema]) => [name, schema.nullish()]);
  return Object.fromEntries(entries) as { [Name in keyof Shape]: z.ZodOptional<z.ZodNullable<Shape[Name]>> };
}

const time = z.iso.datetime().meta({ example: "2026-11-24T09:30:00.000Z" });
const told = z.object({ endpoint: z.string() }).meta({ description: "its keys are not told" });

export const device = z
  .object({
    id: deviceId,
    registered: z.boolean().meta({ description: "false for one that a client has only named" }),
    ...allOptional(profile),
    user: user.optional(),
    webPush: told.optional(),
    unifiedPush: told.optional(),
    ...grantFields,
    createdAt: time,
    lastSeenAt: time,
    connected: z.boolean(),
  })
  .meta({ id: "Device" });

const next = z
  .string()
  .nullable()
  .meta({ description: "the `after` of the next page; null when there is none" });

export const devices = z.object({ devices: z.array(device), next }).meta({ id: "Devices" });

export const credentials = z
  .object({ id: deviceId, token: z.string().meta({ description: "shown this once" }) })
  .meta({ id: "DeviceCredentials" });

export const devicesQuery = pageQuery.extend({
  user: user.optional(),
  tag: tag.optional(),
});

const timeOfDay = z.string().meta({ pattern: "^([01]\\d|2[0-3]):[0-5]\\d$", example: "22:00" });
const quietHours = z
  .strictObject({ from: timeOfDay, to: timeOfDay })
  .superRefine((hours, context) => {
    const problem = quietHoursProblem(hours);
    if (problem !== undefined) context.addIssue(problem);
  })
  .meta({
    description: "in the device's time zone; all but `urgency: high` waits",
    example: { from: "22:00", to: "07:00" },
  });

/** A channel's name, or what all devices call their inboxes. */
export const switchName = z
  .string()
  .max(MAX_CHANNEL_NAME_LENGTH)
  .superRefine((name, context) => {
    const problem = /^\$(?:device|user|all)$/.test(name) ? undefined : channelNameProblem(name);
    if (problem !== undefined) context.addIssue(problem);
  })
  .meta({
    description:
      "a channel's name; or `$device`, `$user` or `$all` for what is pushed to it, to its user or to everyone",
    pattern: "^(\\$(device|user|all)|[A-Za-z0-9_.:/@~-]+)$",
    example: "news",
  });

export const switchPatch = z
  .strictObject({
    push: z.boolean().optional().meta({ description: "true for a new one, unless given" }),
    quietHours: quietHours.nullish().meta({ description: "null for none" }),
  })
  .meta({ id: "SwitchPatch" });

export const pushSwitch = z
  .object({ channel: switchName, push: z.boolean(), quietHours: quietHours.optional() })
  .meta({ id: "PushSwitch" });

export const switches = z.object({ subscriptions: z.array(pushSwitch) }).meta({ id: "PushSwitches" });

const count = z.int().min(0);
export const funnel = z
  .object({
    id: z.string(),
    channel: z.string(),
    time,
    recipients: count.meta({ description: "devices it is for" }),
    sent: count,
    received: count.meta({
      description: "acknowledged by the SDK, or written to a plain-text client before a sign of life",
    }),
    read: count.meta({ description: "read, as the app says" }),
    expired: count.meta({ description: "of those it was for, those that it can no longer reach" }),
  })
  .meta({ id: "Funnel" });

const receipt = z
  .object({
    device: deviceId,
    sentAt: time.optional(),
    receivedAt: time.optional(),
    readAt: time.optional(),
  })
  .meta({ id: "Receipt" });
export const receipts = z.object({ receipts: z.array(receipt), next }).meta({ id: "Receipts" });
