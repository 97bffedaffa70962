/** Recurring and one-off publications. */
import { z } from "zod";
import type { Access } from "../../hub/access.ts";
import type { Hub } from "../../hub/hub.ts";
import { parseRfc3339 } from "../../schedule/rfc3339.ts";
import type { Changed, Schedules, ScheduleView } from "../../schedule/schedules.ts";
import type { ScheduleFields } from "../../schedule/stored.ts";
import { takePublishes } from "./publishing.ts";
import { json, notFound, Refusal, type Route, route } from "./route.ts";
import {
  newSchedule,
  preview,
  previewRequest,
  run,
  runs,
  schedule,
  schedulePatch,
  schedules,
} from "./schedule-schemas.ts";
import { numeral, pageQuery } from "./schemas.ts";
import { mayPublishTo, targetOf } from "./targets.ts";

const params = z.strictObject({ schedule: z.string().max(64) });
const NOT_FOUND = { description: "there is none of this id" };
const MANAGED = { description: "the server's flags say what it is, and no request" };

export function scheduleRoutes(hub: Hub, all: Schedules): Route[] {
  /** One that is not for this token is as if it were not there. */
  const find = async (access: Access, id: string) => {
    const found = await all.get(id);
    if (found === undefined || !mayPublish(access, found)) throw notFound(`there is no schedule ${id}`);
    return found;
  };
  const list = route(
    {
      method: "get",
      path: "/v1/schedules",
      needs: "token",
      summary: "List schedules",
      description: "By id; those that publish where the token may.",
      query: pageQuery,
      answers: { 200: { description: "a page", schema: schedules } },
    },
    async ({ access, query: { after = "", limit = 100 } }) => {
      const page = await visible(all, access, after, limit);
      return json(200, page);
    },
  );
  const create = route(
    {
      method: "post",
      path: "/v1/schedules",
      needs: "token",
      summary: "Schedule",
      description:
        "It publishes in `channel`, or to those that `to` names. One of `every`, `cron`, `at` and `delay` says when. In texts of `data`, `{{now}}`, `{{dueAt}}`, `{{run}}` and `{{schedule}}` are filled in at each run; `{{now|HH:mm|Asia/Tokyo}}` has a format and a zone.",
      body: newSchedule,
      answers: { 201: { description: "made", schema: schedule } },
    },
    async ({ access, body }) => {
      const wanted = body as ScheduleFields;
      checkPublish(access, wanted);
      takePublishes(hub, access.who, 1);
      return json(201, answerOf(await all.create(wanted, { by: access.who }), ""));
    },
  );
  const look = route(
    {
      method: "post",
      path: "/v1/schedules/preview",
      needs: "token",
      summary: "Preview",
      description: "When it would be due. Nothing is kept.",
      body: previewRequest,
      answers: {
        200: { description: "in UTC", schema: preview },
      },
    },
    ({ body }) => {
      const { from, count = 10, data = "preview", ...rest } = body ?? {};
      const fromMs = from === undefined ? undefined : parseRfc3339(from);
      if (from !== undefined && (fromMs === undefined || fromMs < 0)) {
        throw new Refusal(
          400,
          "bad_field",
          "from: a time such as 2026-11-24T09:30:00Z is expected, from 1970 on",
        );
      }
      const place = rest.to === undefined ? { channel: "preview" } : {};
      const previewed = all.preview({ ...place, ...rest, data } as ScheduleFields, fromMs, count);
      if (!previewed.ok) throw new Refusal(400, "bad_field", `${previewed.field}: ${previewed.problem}`);
      return json(200, { dueAt: previewed.dueMs.map((ms) => new Date(ms).toISOString()) });
    },
  );
  const get = route(
    {
      method: "get",
      path: "/v1/schedules/{schedule}",
      needs: "token",
      summary: "Look at a schedule",
      params,
      answers: { 200: { description: "as it is", schema: schedule }, 404: NOT_FOUND },
    },
    async ({ access, params: { schedule: id } }) => json(200, await find(access, id)),
  );
  const patch = route(
    {
      method: "patch",
      path: "/v1/schedules/{schedule}",
      needs: "token",
      summary: "Change a schedule",
      description: "In force at once. `enabled: false` pauses it; what passes meanwhile is not made up for.",
      params,
      body: schedulePatch,
      answers: { 200: { description: "changed", schema: schedule }, 404: NOT_FOUND, 409: MANAGED },
    },
    async ({ access, params: { schedule: id }, body }) => {
      await find(access, id);
      const change = Object.fromEntries(
        Object.entries((body ?? {}) as Record<string, unknown>).map(([name, value]) => [
          name,
          name === "data" ? value : (value ?? undefined),
        ]),
      ) as Partial<ScheduleFields>;
      checkPublish(access, change);
      return json(200, answerOf(await all.change(id, change), id));
    },
  );
  const remove = route(
    {
      method: "delete",
      path: "/v1/schedules/{schedule}",
      needs: "token",
      summary: "Delete a schedule",
      params,
      answers: { 204: { description: "deleted" }, 404: NOT_FOUND, 409: MANAGED },
    },
    async ({ access, params: { schedule: id } }) => {
      await find(access, id);
      const deleted = await all.delete(id);
      if (deleted === "managed") throw managed(id);
      if (!deleted) throw notFound(`there is no schedule ${id}`);
      return new Response(null, { status: 204 });
    },
  );
  const runNow = route(
    {
      method: "post",
      path: "/v1/schedules/{schedule}/run",
      needs: "token",
      summary: "Run now",
      description: "Beside what is due; the times of other runs stay as they are.",
      params,
      answers: { 201: { description: "published", schema: run }, 404: NOT_FOUND },
    },
    async ({ access, params: { schedule: id } }) => {
      await find(access, id);
      takePublishes(hub, access.who, 1);
      const made = await all.run(id);
      if (made === undefined) throw notFound(`there is no schedule ${id}`);
      return json(201, made);
    },
  );
  const past = route(
    {
      method: "get",
      path: "/v1/schedules/{schedule}/runs",
      needs: "token",
      summary: "List past runs",
      description: "The last 100, the latest first.",
      params,
      query: z.strictObject({ limit: numeral(1, 100, 100) }),
      answers: { 200: { description: "what it has done", schema: runs }, 404: NOT_FOUND },
    },
    async ({ access, params: { schedule: id }, query: { limit = 100 } }) => {
      await find(access, id);
      return json(200, { runs: ((await all.runs(id)) ?? []).slice(0, limit) });
    },
  );
  return [list, create, look, get, patch, remove, runNow, past];
}

/** Schedules looked at for one page: a token that may see few of a million must not have them all read. */
const MOST_LOOKED_AT = 5_000;
const AT_ONCE = 200;

/** A page of those that publish where `access` may. `next` is the last one on it, or where looking ended. */
async function visible(
  all: Schedules,
  access: Access,
  after: string,
  limit: number,
): Promise<{ schedules: readonly ScheduleView[]; next: string | null }> {
  const found: ScheduleView[] = [];
  let last = after;
  for (let looked = 0; looked < MOST_LOOKED_AT; looked += AT_ONCE) {
    const some = await all.list(last, AT_ONCE);
    for (const each of some) {
      if (found.length === limit) return { schedules: found, next: found.at(-1)?.id ?? null };
      if (mayPublish(access, each)) found.push(each);
      last = each.id;
    }
    if (some.length < AT_ONCE) return { schedules: found, next: null };
  }
  return { schedules: found, next: last };
}

type Place = Pick<ScheduleFields, "channel" | "to">;

function mayPublish(access: Access, { channel, to }: Place): boolean {
  if (channel !== undefined && !access.may("publish", channel)) return false;
  return to === undefined || mayPublishTo(access, targetOf(to));
}

/** @throws {Refusal} if they may not publish there. */
function checkPublish(access: Access, place: Place): void {
  if (mayPublish(access, place)) return;
  const where = place.to === undefined ? `in ${place.channel}` : `to ${place.to}`;
  throw new Refusal(403, "forbidden", `this token has no grant to publish ${where}`);
}

function managed(id: string): Refusal {
  return new Refusal(409, "managed", `the server's flags say what ${id} is`);
}

/** The schedule. @throws {Refusal} if there is none to tell. */
function answerOf(changed: Changed, id: string): object {
  if (changed === "unknown") throw notFound(`there is no schedule ${id}`);
  if (changed === "managed") throw managed(id);
  if (!changed.ok) throw new Refusal(400, "bad_field", `${changed.field}: ${changed.problem}`);
  return changed.schedule;
}
