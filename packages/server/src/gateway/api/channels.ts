/** What channels there are, and who is connected. */
import { z } from "zod";
import type { Hub } from "../../hub/hub.ts";
import type { Session } from "../../hub/session.ts";
import { json, notFound, pageOf, type Route, route } from "./route.ts";
import { channel, channelName, channels, pageQuery, sessions } from "./schemas.ts";

/** Of a session's channels, those that are named; one may have 10,000. */
const MAX_NAMED = 100;

export function channelRoutes(hub: Hub): Route[] {
  const list = route(
    {
      method: "get",
      path: "/v1/channels",
      needs: "admin",
      summary: "List channels",
      description: "Those that have ever been published to, by name.",
      query: pageQuery,
      answers: { 200: { description: "a page", schema: channels } },
    },
    async ({ query: { after = "", limit = 100 } }) => {
      const infos = await hub.channels(after, limit + 1);
      const { page, next } = pageOf(infos, limit, (info) => info.channel);
      const withCount = page.map((info) => ({ ...info, subscribers: hub.subscribersOf(info.channel) }));
      return json(200, { channels: withCount, next });
    },
  );
  const one = route(
    {
      method: "get",
      path: "/v1/channels/{channel}",
      needs: "presence",
      summary: "Look at a channel",
      params: z.strictObject({ channel: channelName }),
      answers: {
        200: { description: "what is kept of it, and how many are subscribed now", schema: channel },
        404: { description: "never published to, and nobody is subscribed" },
      },
    },
    async ({ params }) => {
      const subscribers = hub.subscribersOf(params.channel);
      const info = await hub.channel(params.channel);
      if (info.offset === 0 && subscribers === 0) throw notFound(`there is no channel ${params.channel}`);
      return json(200, { ...info, subscribers });
    },
  );
  return [list, one];
}

export function sessionRoutes(hub: Hub): Route[] {
  const list = route(
    {
      method: "get",
      path: "/v1/sessions",
      needs: "admin",
      summary: "List who is connected",
      query: pageQuery,
      answers: { 200: { description: "a page, oldest connection first", schema: sessions } },
    },
    ({ query: { after = "", limit = 100 } }) => {
      const found = [...hub.sessions].filter(({ info: { id } }) => after === "" || isLater(id, after));
      found.sort((one, other) => (isLater(one.info.id, other.info.id) ? 1 : -1));
      const { page, next } = pageOf(found, limit, ({ info }) => info.id);
      return json(200, { sessions: page.map(sessionOf), next });
    },
  );
  const end = route(
    {
      method: "delete",
      path: "/v1/sessions/{session}",
      needs: "admin",
      summary: "Disconnect one",
      description: "It is closed with 4501, on which clients do not come back by themselves.",
      params: z.strictObject({ session: z.string().max(100) }),
      answers: { 204: { description: "disconnected" }, 404: { description: "there is none of this id" } },
    },
    ({ params: { session } }) => {
      if (!hub.dismiss(session)) throw notFound(`there is no session ${session}`);
      return new Response(null, { status: 204 });
    },
  );
  return [list, end];
}

/** Ids of one server are a prefix and a number that counts up, in base 36. */
function isLater(id: string, other: string): boolean {
  return id.length === other.length ? id > other : id.length > other.length;
}

function sessionOf({ info, protocol, access, device, channels: all, sinceMs }: Session) {
  return {
    id: info.id,
    protocol,
    address: info.address,
    who: access?.who ?? null,
    ...(device !== undefined && { device }),
    channels: all.slice(0, MAX_NAMED),
    connectedAt: new Date(sinceMs).toISOString(),
    ...(access?.expiresAtMs !== undefined && { expiresAt: new Date(access.expiresAtMs).toISOString() }),
  };
}
