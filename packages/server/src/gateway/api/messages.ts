/** Publishing and history. */
import type { Json, PublishOptions } from "@carillon/protocol/frames";
import { MAX_DATA_BYTES } from "@carillon/protocol/limits";
import { z } from "zod";
import type { Access } from "../../hub/access.ts";
import type { Hub } from "../../hub/hub.ts";
import { parseDuration } from "../../lib/duration.ts";
import type { Schedules, ScheduleView } from "../../schedule/schedules.ts";
import { json, Refusal, type Route, route } from "./route.ts";
import {
  batch,
  channelName,
  history,
  historyQuery,
  newMessage,
  published,
  publishHeaders,
  results,
  scheduled,
} from "./schemas.ts";

const params = z.strictObject({ channel: channelName });

interface Item extends PublishOptions {
  readonly channel: string;
  readonly data: Json;
}

type Result = Awaited<ReturnType<Hub["publish"]>>[number];

/** What was left out is absent, not `undefined`. */
type Loose<Options> = { readonly [Name in keyof Options]?: Options[Name] | undefined };

export function messageRoutes(hub: Hub, schedules: Schedules): Route[] {
  const publishOne = route(
    {
      method: "post",
      path: "/v1/channels/{channel}/messages",
      needs: "publish",
      summary: "Publish",
      description:
        "Answers when the publication is on disk and on its way to everyone connected. A body that is not JSON is the text itself; the headers say the same as the fields of a JSON body, which win.",
      params,
      headers: publishHeaders,
      body: newMessage,
      rawBody: { kind: "text", description: "the text to publish" },
      answers: {
        201: { description: "published", schema: published },
        202: { description: "scheduled, as `at` or `delay` was given", schema: scheduled },
        413: { description: "the data is over 60 KB" },
        429: { description: "too many publications a second; see Retry-After" },
      },
    },
    async ({ access, params: { channel }, headers, body, raw }) => {
      const said = body ?? { data: raw !== undefined && "text" in raw ? raw.text : "" };
      const { ttl, urgency, topic: collapseKey, "idempotency-key": idempotencyKey } = headers;
      const { at, delay, ...now } = said as typeof said & { readonly at?: string; readonly delay?: string };
      const item = itemOf(channel, { ttl, urgency, collapseKey, idempotencyKey, ...now }, "data");
      takePublishes(hub, access, 1);
      const { who: by } = access;
      if (at !== undefined || delay !== undefined) return later(schedules, item, { at, delay, by });
      const waiting = await waitingOf(schedules, item);
      if (waiting !== undefined) return waiting;
      const [result] = await hub.publish([item]);
      if (result === undefined) throw new Error("the engine answered nothing");
      return json(201, publishedOf(channel, result));
    },
  );
  const publishMany = route(
    {
      method: "post",
      path: "/v1/batch",
      needs: "token",
      summary: "Publish many at once",
      description:
        "All or nothing: one item that is wrong refuses the whole call. The items of one channel are committed together and in order.",
      body: batch,
      answers: {
        201: { description: "published, in the order of the call", schema: results },
        413: { description: "the data of an item is over 60 KB" },
        429: { description: "too many publications a second; see Retry-After" },
      },
    },
    async ({ access, body }) => {
      const messages = body?.messages ?? [];
      messages.forEach(({ channel }, index) => {
        if (access.may("publish", channel)) return;
        throw new Refusal(
          403,
          "forbidden",
          `messages.${index}: this token has no grant to publish in ${channel}`,
        );
      });
      const items = messages.map(({ channel, ...said }, index) =>
        itemOf(channel, said, `messages.${index}.data`),
      );
      takePublishes(hub, access, items.length);
      const answers = await hub.publish(items);
      return json(201, {
        results: answers.map((result, index) => publishedOf(items[index]?.channel ?? "", result)),
      });
    },
  );
  const read = route(
    {
      method: "get",
      path: "/v1/channels/{channel}/messages",
      needs: "history",
      summary: "Read history",
      description:
        "What is kept after `since`, oldest first. What has expired or was superseded is left out.",
      params,
      query: historyQuery,
      answers: { 200: { description: "a page", schema: history } },
    },
    async ({ params: { channel }, query: { since = 0, limit = 100 } }) => {
      const { epoch, publications, to, more, gap } = await hub.history(channel, since, limit);
      const told = gap === undefined ? "" : `,"gap":${JSON.stringify(gap)}`;
      const list = publications.join(",");
      return json(
        200,
        `{"messages":[${list}],"next":${more ? to : null},"epoch":${JSON.stringify(epoch)}${told}}`,
      );
    },
  );
  return [publishOne, publishMany, read];
}

/** Makes a schedule of one run. A repeat under one idempotency key finds the one that is there. */
async function later(
  schedules: Schedules,
  { idempotencyKey, ...item }: Item,
  {
    at,
    delay,
    by,
  }: { readonly at: string | undefined; readonly delay: string | undefined; readonly by: string },
): Promise<Response> {
  const fields = { ...item, ...(at !== undefined && { at }), ...(delay !== undefined && { delay }) };
  const id = idempotencyKey === undefined ? undefined : idOf(item.channel, idempotencyKey);
  const message = idempotencyKey === undefined ? {} : { idempotencyKey };
  const made = await schedules.create(fields, { ...(id !== undefined && { id }), by, message });
  if (!made.ok) throw new Refusal(400, "bad_field", `${made.field}: ${made.problem}`);
  return acceptedForLater(made.schedule, made.isNew !== true);
}

/** The answer where this idempotency key was used to publish for later. */
async function waitingOf(
  schedules: Schedules,
  { channel, idempotencyKey }: Item,
): Promise<Response | undefined> {
  if (idempotencyKey === undefined) return undefined;
  const there = await schedules.get(idOf(channel, idempotencyKey));
  return there && acceptedForLater(there, true);
}

/** Also when it has been published since. */
function acceptedForLater(made: ScheduleView, isRepeat: boolean): Response {
  const { id, nextDueAt, at, delay, createdAt } = made;
  const dueMs = at === undefined ? Date.parse(createdAt) + (parseDuration(delay ?? "") ?? 0) : Date.parse(at);
  const dueAt = nextDueAt ?? new Date(dueMs).toISOString();
  return json(202, { schedule: id, dueAt, ...(isRepeat && { duplicate: true }) });
}

function idOf(channel: string, idempotencyKey: string): string {
  const digest = new Bun.CryptoHasher("sha256").update(`${channel} ${idempotencyKey}`).digest("base64url");
  return `once-${digest.slice(0, 32)}`;
}

/** @throws {Refusal} if the data is too large. */
function itemOf(channel: string, said: Loose<PublishOptions> & { data: Json }, place: string): Item {
  const { data, ttl, urgency, collapseKey, idempotencyKey, tags } = said;
  const bytes = Buffer.byteLength(JSON.stringify(data));
  if (bytes > MAX_DATA_BYTES) {
    const detail = `${place}: ${bytes} bytes of JSON, at most ${MAX_DATA_BYTES} are allowed`;
    throw new Refusal(413, "payload_too_large", detail);
  }
  return {
    channel,
    data,
    ...(ttl !== undefined && { ttl }),
    ...(urgency !== undefined && { urgency }),
    ...(collapseKey !== undefined && { collapseKey }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(tags !== undefined && { tags }),
  };
}

/** @throws {Refusal} if this is more than they may publish a second. */
export function takePublishes(hub: Hub, access: Access, count: number): void {
  const waitMs = hub.takePublishes(access.who, count);
  if (waitMs === 0) return;
  const headers = { "retry-after": String(Math.ceil(waitMs / 1_000)) };
  throw new Refusal(
    429,
    "rate_limited",
    `too many publications a second; try again in ${waitMs} ms`,
    headers,
  );
}

function publishedOf(channel: string, { id, epoch, offset, timeMs, duplicate }: Result) {
  return {
    id,
    channel,
    epoch,
    ...(offset > 0 && { offset }),
    time: new Date(timeMs).toISOString(),
    ...(duplicate && { duplicate }),
  };
}
