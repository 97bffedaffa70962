/** What goes in and out of the HTTP API: one source for validation, types and `/openapi.json`. */
import { channelNameProblem } from "@carillon/protocol/channel";
import type { Json } from "@carillon/protocol/frames";
import {
  MAX_CHANNEL_NAME_LENGTH,
  MAX_COLLAPSE_KEY_LENGTH,
  MAX_HISTORY_LIMIT,
  MAX_IDEMPOTENCY_KEY_LENGTH,
  MAX_TAG_LENGTH,
  MAX_TAGS,
  MAX_TTL_SECONDS,
} from "@carillon/protocol/limits";
import { URGENCIES } from "@carillon/protocol/position";
import { z } from "zod";

/** Messages of one batch: at 60 KB each they would fill the largest body. */
const MAX_BATCH = 1_000;

export const channelName = z
  .string()
  .min(1)
  .max(MAX_CHANNEL_NAME_LENGTH)
  .superRefine((name, context) => {
    const problem = channelNameProblem(name);
    if (problem !== undefined) context.addIssue(problem);
  })
  .meta({
    description: "1 to 200 of A-Z a-z 0-9 _ - . : / @ ~; a slash may be written %2F",
    pattern: "^[A-Za-z0-9_.:/@~-]+$",
    example: "news",
  });

/** How deep it is nested is looked at before it is parsed. */
export const jsonData = z
  .custom<Json>((value) => value !== undefined, "a value is needed")
  .meta({ type: ["string", "number", "boolean", "object", "array", "null"], example: "Backup done" });

const wholeNumber = (most: number) => z.int().min(0).max(most);

export const deliveryOptions = {
  ttl: wholeNumber(MAX_TTL_SECONDS).optional().meta({
    description:
      "Seconds that it is worth delivering (RFC 8030 section 5.2); 0: to those connected now, stored for nobody",
    example: 3600,
  }),
  urgency: z.enum(URGENCIES).optional().meta({ description: "RFC 8030 section 5.3; normal unless given" }),
  collapseKey: z
    .string()
    .regex(new RegExp(`^[A-Za-z0-9_-]{1,${MAX_COLLAPSE_KEY_LENGTH}}$`))
    .optional()
    .meta({ description: "A returning client gets the last of those with one key (RFC 8030 section 5.4)" }),
  idempotencyKey: z
    .string()
    .regex(new RegExp(`^[\\x20-\\x7e]{1,${MAX_IDEMPOTENCY_KEY_LENGTH}}$`))
    .optional()
    .meta({ description: "A repeat within 24 hours publishes nothing and is answered as the first was" }),
  tags: z.array(z.string().min(1).max(MAX_TAG_LENGTH)).max(MAX_TAGS).optional(),
};

export const once = {
  at: z
    .string()
    .max(40)
    .optional()
    .meta({ description: "not before then (RFC 3339)", example: "2036-12-24T18:00:00Z" }),
  delay: z
    .string()
    .max(20)
    .optional()
    .meta({ description: "not before this length of time has passed", example: "10m" }),
};

export const newMessage = z
  .strictObject({ data: jsonData, ...deliveryOptions, ...once })
  .meta({ id: "NewMessage" });

export const batch = z
  .strictObject({
    messages: z
      .array(z.strictObject({ channel: channelName, data: jsonData, ...deliveryOptions }))
      .min(1)
      .max(MAX_BATCH),
  })
  .meta({ id: "Batch" });

/** RFC 8030 names; header names are compared in lower case. */
export const publishHeaders = z.object({
  ttl: z
    .string()
    .regex(/^\d{1,8}$/)
    .transform(Number)
    .pipe(wholeNumber(MAX_TTL_SECONDS))
    .optional()
    .meta({ type: "string", description: "as `ttl`", example: "3600" }),
  urgency: z.enum(URGENCIES).optional().meta({ description: "as `urgency`" }),
  topic: deliveryOptions.collapseKey.meta({ description: "as `collapseKey`" }),
  "idempotency-key": deliveryOptions.idempotencyKey.meta({ description: "as `idempotencyKey`" }),
});

const time = z.iso.datetime().meta({ example: "2026-11-24T09:30:00.000Z" });
const offset = z.int().min(1);

export const published = z
  .object({
    id: z.string(),
    channel: channelName,
    epoch: z.string(),
    offset: offset.optional().meta({ description: "absent for ttl 0" }),
    time,
    duplicate: z.literal(true).optional().meta({ description: "the idempotency key was known" }),
  })
  .meta({ id: "Published" });

export const scheduled = z
  .object({
    schedule: z.string(),
    dueAt: time,
    duplicate: z.literal(true).optional().meta({ description: "the idempotency key was known" }),
  })
  .meta({ id: "Scheduled" });

export const results = z.object({ results: z.array(published) }).meta({ id: "Results" });

const message = z
  .object({
    id: z.string(),
    offset,
    prev: z.int().min(0).meta({ description: "the offset before it in its lane" }),
    time,
    data: jsonData,
    ttl: deliveryOptions.ttl,
    urgency: deliveryOptions.urgency,
    collapseKey: deliveryOptions.collapseKey,
    tags: deliveryOptions.tags,
    schedule: z.string().optional().meta({ description: "the schedule that published it" }),
    dueAt: time.optional().meta({ description: "when that was due" }),
  })
  .meta({ id: "Message" });

export const history = z
  .object({
    messages: z.array(message),
    next: z.int().nullable().meta({ description: "the `since` of the next page; null when there is none" }),
    epoch: z.string(),
    gap: z
      .object({ from: z.int(), to: z.int() })
      .optional()
      .meta({ description: "what retention has dropped, both ends included" }),
  })
  .meta({ id: "History" });

export const numeral = (least: number, most: number, initial: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.int().min(least).max(most))
    .optional()
    .meta({ type: "integer", minimum: least, maximum: most, default: initial });

export const historyQuery = z.strictObject({
  since: numeral(0, Number.MAX_SAFE_INTEGER, 0),
  limit: numeral(1, MAX_HISTORY_LIMIT, 100),
});

export const pageQuery = z.strictObject({
  after: z
    .string()
    .max(MAX_CHANNEL_NAME_LENGTH)
    .optional()
    .meta({ description: "the `next` of the page before" }),
  limit: numeral(1, 1_000, 100),
});

export const channel = z
  .object({
    channel: channelName,
    epoch: z.string(),
    offset: z.int().min(0).meta({ description: "the last one written" }),
    count: z.int().min(0).meta({ description: "messages that are kept" }),
    bytes: z.int().min(0),
    subscribers: z.int().min(0),
  })
  .meta({ id: "Channel" });

const next = z
  .string()
  .nullable()
  .meta({ description: "the `after` of the next page; null when there is none" });

export const channels = z.object({ channels: z.array(channel), next }).meta({ id: "Channels" });

export const session = z
  .object({
    id: z.string(),
    protocol: z.enum(["text", "v1", "sse"]),
    address: z.string(),
    who: z.string().nullable().meta({ description: "whose access it has; null before it has said so" }),
    device: z.string().optional(),
    channels: z.array(z.string()).meta({ description: "at most the first 100" }),
    connectedAt: time,
    expiresAt: time.optional(),
  })
  .meta({ id: "Session" });

export const sessions = z.object({ sessions: z.array(session), next }).meta({ id: "Sessions" });

export const problem = z
  .object({
    type: z.string(),
    status: z.int(),
    code: z.string().meta({ description: "stable; programs compare it", example: "bad_field" }),
    detail: z.string().meta({ example: "ttl: a whole number from 0 to 31536000" }),
  })
  .meta({ id: "Problem" });
