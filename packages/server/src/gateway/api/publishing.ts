/** From what a request says is to be published to its answer: at once, or later as a schedule of one run. */
import type { Json, PublishOptions } from "@carillon/protocol/frames";
import { MAX_DATA_BYTES } from "@carillon/protocol/limits";
import type { Access } from "../../hub/access.ts";
import type { Hub } from "../../hub/hub.ts";
import { addressOf, type Target, targetText } from "../../hub/targets.ts";
import { parseDuration } from "../../lib/duration.ts";
import type { Schedules, ScheduleView } from "../../schedule/schedules.ts";
import { json, Refusal } from "./route.ts";

/** What may be said of a publication, wherever it goes; what was left out is absent or `undefined`. */
export type Said = { readonly [Name in keyof Options]?: Options[Name] | undefined } & { readonly data: Json };

interface Options extends PublishOptions {
  /** By which of a user's devices it is taken from the others. */
  readonly withdrawOn?: "ack" | "read";
  /** Keep who has it. */
  readonly receipts?: true;
}

/** When it is to be published. */
export interface When {
  readonly at?: string | undefined;
  readonly delay?: string | undefined;
}

type Result = Awaited<ReturnType<Hub["publish"]>>[number];

export interface PublishingPorts {
  readonly hub: Hub;
  readonly schedules: Schedules;
}

/**
 * Publishes for `access`, who may.
 * @throws {Refusal} by rejection, if it is too large or too much.
 */
export async function publish(
  { hub, schedules }: PublishingPorts,
  { who: by }: Access,
  target: Target,
  { at, delay, ...said }: Said & When,
): Promise<Response> {
  const options = optionsOf(said, "data");
  takePublishes(hub, by, 1);
  if (at !== undefined || delay !== undefined) {
    return publishLater(schedules, target, options, { at, delay, by });
  }
  const waiting = await waitingOf(schedules, target, options);
  if (waiting !== undefined) return waiting;
  const [result] = await hub.publish([{ ...placeOf(target), ...options }]);
  if (result === undefined) throw new Error("the engine answered nothing");
  const published = publishedOf(addressOf(target).channel, result);
  return json(201, target.kind === "channel" ? published : { ...published, to: targetText(target) });
}

function placeOf(target: Target): { readonly channel: string } | { readonly to: string } {
  return target.kind === "channel" ? { channel: target.channel } : { to: targetText(target) };
}

/** Makes a schedule of one run. A repeat under one idempotency key finds the one that is there. */
async function publishLater(
  schedules: Schedules,
  target: Target,
  { idempotencyKey, ...options }: ReturnType<typeof optionsOf>,
  { at, delay, by }: When & { readonly by: string },
): Promise<Response> {
  const when = { ...(at !== undefined && { at }), ...(delay !== undefined && { delay }) };
  const id = idempotencyKey === undefined ? undefined : idOf(target, idempotencyKey);
  const message = idempotencyKey === undefined ? {} : { idempotencyKey };
  const fields = { ...placeOf(target), ...options, ...when };
  const made = await schedules.create(fields, { ...(id !== undefined && { id }), by, message });
  if (!made.ok) throw new Refusal(400, "bad_field", `${made.field}: ${made.problem}`);
  return acceptedForLater(made.schedule, made.isNew !== true);
}

/** The answer where this idempotency key was used to publish for later. */
async function waitingOf(
  schedules: Schedules,
  target: Target,
  { idempotencyKey }: ReturnType<typeof optionsOf>,
): Promise<Response | undefined> {
  if (idempotencyKey === undefined) return undefined;
  const there = await schedules.get(idOf(target, idempotencyKey));
  return there && acceptedForLater(there, true);
}

/** Also when it has been published since. */
function acceptedForLater(made: ScheduleView, isRepeat: boolean): Response {
  const { id, nextDueAt, at, delay, createdAt } = made;
  const dueMs = at === undefined ? Date.parse(createdAt) + (parseDuration(delay ?? "") ?? 0) : Date.parse(at);
  const dueAt = nextDueAt ?? new Date(dueMs).toISOString();
  return json(202, { schedule: id, dueAt, ...(isRepeat && { duplicate: true }) });
}

/** No channel's name holds a line break, so that a tag expression is none of them. */
function idOf(target: Target, idempotencyKey: string): string {
  const { channel, target: expression } = addressOf(target);
  const place = expression === undefined ? channel : `${channel}\n${expression}`;
  const digest = new Bun.CryptoHasher("sha256").update(`${place} ${idempotencyKey}`).digest("base64url");
  return `once-${digest.slice(0, 32)}`;
}

/**
 * What was said, without what was not.
 * @throws {Refusal} if the data is too large; `place` says where it stands.
 */
export function optionsOf(said: Said, place: string): Options & { readonly data: Json } {
  const { data, ttl, urgency, collapseKey, idempotencyKey, tags, withdrawOn, receipts } = said;
  const bytes = Buffer.byteLength(JSON.stringify(data));
  if (bytes > MAX_DATA_BYTES) {
    const detail = `${place}: ${bytes} bytes of JSON, at most ${MAX_DATA_BYTES} are allowed`;
    throw new Refusal(413, "payload_too_large", detail);
  }
  return {
    data,
    ...(ttl !== undefined && { ttl }),
    ...(urgency !== undefined && { urgency }),
    ...(collapseKey !== undefined && { collapseKey }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(tags !== undefined && { tags }),
    ...(withdrawOn !== undefined && { withdrawOn }),
    ...(receipts !== undefined && { receipts }),
  };
}

/** @throws {Refusal} if this is more than they may publish a second. */
export function takePublishes(hub: Hub, who: string, count: number): void {
  const waitMs = hub.takePublishes(who, count);
  if (waitMs === 0) return;
  const headers = { "retry-after": String(Math.ceil(waitMs / 1_000)) };
  throw new Refusal(
    429,
    "rate_limited",
    `too many publications a second; try again in ${waitMs} ms`,
    headers,
  );
}

export function publishedOf(channel: string, { id, epoch, offset, timeMs, duplicate }: Result) {
  return {
    id,
    channel,
    epoch,
    ...(offset > 0 && { offset }),
    time: new Date(timeMs).toISOString(),
    ...(duplicate && { duplicate }),
  };
}

/** What a body that may be text says, with what the headers say, over which the fields of a JSON body win. */
export function saidIn(
  headers: {
    readonly ttl?: number | undefined;
    readonly urgency?: Options["urgency"] | undefined;
    readonly topic?: string | undefined;
    readonly "idempotency-key"?: string | undefined;
  },
  body: (Said & When) | undefined,
  raw: object | undefined,
): Said & When {
  const { ttl, urgency, topic: collapseKey, "idempotency-key": idempotencyKey } = headers;
  const said = body ?? { data: raw !== undefined && "text" in raw ? String(raw.text) : "" };
  return { ttl, urgency, collapseKey, idempotencyKey, ...said };
}
