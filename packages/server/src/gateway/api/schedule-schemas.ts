/** What goes in and out of the HTTP API about schedules. */
import { z } from "zod";
import { channelName, deliveryOptions, jsonData } from "./schemas.ts";
import { targetField } from "./targets.ts";

const rule = {
  every: z.string().max(20).optional().meta({
    description: "a length of time from 1s to 3650d that passes between two runs, whatever the clocks show",
    example: "5m",
  }),
  align: z.boolean().optional().meta({ description: "with `every`: counted from 1970 in UTC, not from now" }),
  cron: z.string().max(200).optional().meta({
    description: "five fields, or six with seconds; names, L and # are understood; in `timeZone`",
    example: "0 9 * * 1-5",
  }),
  at: z
    .string()
    .max(40)
    .optional()
    .meta({ description: "once, then (RFC 3339)", example: "2026-12-24T18:00:00Z" }),
  delay: z
    .string()
    .max(20)
    .optional()
    .meta({ description: "once, after this length of time", example: "10m" }),
  timeZone: z.string().max(64).optional().meta({ description: "IANA name; the server's unless given" }),
  jitter: z
    .string()
    .max(20)
    .optional()
    .meta({ description: "runs are spread over this length of time, up to 1d" }),
  until: z.string().max(40).optional().meta({ description: "no run is due later (RFC 3339)" }),
  maxRuns: z.int().min(1).optional(),
  enabled: z.boolean().optional().meta({ description: "true unless given" }),
  misfire: z
    .union([z.enum(["skip", "one", "all"]), z.int().min(0).max(1_000)])
    .optional()
    .meta({
      description:
        "how many of the runs missed in a downtime are made up for, the latest ones: none, one (unless given), 1,000 or a number",
    }),
};

const { idempotencyKey: _, ...delivery } = deliveryOptions;
const place = {
  channel: channelName.optional().meta({ description: "where it is published; or `to`" }),
  to: targetField.optional(),
};
const fields = { ...place, data: jsonData, ...rule, ...delivery };
export const newSchedule = z.strictObject(fields).meta({
  id: "NewSchedule",
  oneOf: [{ required: ["channel"] }, { required: ["to"] }],
});
/** A place is always there, and null is data like any other. */
export const schedulePatch = z
  .strictObject({
    ...place,
    data: jsonData.optional(),
    ...(Object.fromEntries(
      Object.entries({ ...rule, ...delivery }).map(([name, schema]) => [
        name,
        (schema as z.ZodType).nullish(),
      ]),
    ) as unknown as Record<keyof typeof rule | keyof typeof delivery, z.ZodType>),
  })
  .meta({
    id: "SchedulePatch",
    description:
      "what is null is taken away, but for data; `channel` takes the place of `to`, and `to` of `channel`",
  });

const time = z.string().meta({ format: "date-time" });
export const schedule = z
  .object({
    id: z.string(),
    ...fields,
    createdAt: time,
    runs: z.int().meta({ description: "publications so far" }),
    nextDueAt: time.nullable().meta({ description: "null when it has ended or is switched off" }),
    by: z.string().optional().meta({ description: "whose access it was made with" }),
    managed: z.literal(true).optional().meta({ description: "set where the server's flags say what it is" }),
  })
  .meta({ id: "Schedule" });
export const schedules = z
  .object({ schedules: z.array(schedule), next: z.string().nullable() })
  .meta({ id: "Schedules" });
export const run = z
  .object({
    dueAt: time,
    startedAt: time,
    latenessMs: z.number(),
    outcome: z.enum(["published", "missed", "manual"]),
  })
  .meta({ id: "Run" });
export const runs = z.object({ runs: z.array(run) }).meta({ id: "Runs" });

export const previewRequest = z
  .strictObject({
    ...fields,
    data: jsonData.optional(),
    from: z.string().max(40).optional().meta({ description: "now unless given (RFC 3339)" }),
    count: z.int().min(1).max(1_000).optional().meta({ description: "10 unless given" }),
  })
  .meta({ id: "PreviewRequest" });
export const preview = z.object({ dueAt: z.array(time) }).meta({ id: "Preview" });
