/** Schedules as the server tells them; what later versions add is kept. */
import type { Json } from "@carillon/protocol/frames";
import { z } from "zod";

const text = z.string().optional();

export const view = z.looseObject({
  id: z.string(),
  channel: text,
  to: text,
  data: z.custom<Json>((value) => value !== undefined),
  every: text,
  align: z.boolean().optional(),
  cron: text,
  at: text,
  delay: text,
  timeZone: z.string(),
  jitter: text,
  until: text,
  maxRuns: z.number().optional(),
  enabled: z.boolean(),
  misfire: z.union([z.string(), z.number()]).optional(),
  ttl: z.number().optional(),
  urgency: text,
  collapseKey: text,
  tags: z.array(z.string()).optional(),
  createdAt: z.string(),
  runs: z.number(),
  nextDueAt: z.string().nullable(),
  managed: z.literal(true).optional(),
});
export type View = z.output<typeof view>;

export const viewPage = z.object({ schedules: z.array(view), next: z.string().nullable() });

export const run = z.looseObject({
  dueAt: z.string(),
  startedAt: z.string(),
  latenessMs: z.number(),
  outcome: z.string(),
});
export const runPage = z.object({ runs: z.array(run) });

export const previewed = z.object({ dueAt: z.array(z.string()) });

/** Where it publishes. */
export function placeOf({ channel, to }: Pick<View, "channel" | "to">): string {
  return channel ?? to ?? "";
}

/** Where a schedule is found. */
export function pathOf(id: string): string {
  return `/v1/schedules/${encodeURIComponent(id)}`;
}
