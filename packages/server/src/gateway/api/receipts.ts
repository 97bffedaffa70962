/** What became of publications. */
import { z } from "zod";
import type { Access } from "../../hub/access.ts";
import type { Receipts } from "../../hub/receipts.ts";
import { funnel, receipts as receiptPage } from "./device-schemas.ts";
import { receiptTimes } from "./device-view.ts";
import { json, notFound, pageOf, type Route, route } from "./route.ts";
import { pageQuery } from "./schemas.ts";

const params = z.strictObject({ message: z.string().max(100) });
const NO_MESSAGE = { description: "nothing is known of one of this id" };

export function receiptRoutes(receipts: Pick<Receipts, "funnel" | "of">): Route[] {
  /** One that is not this token's business is as if it were not there. */
  const find = async (access: Access, id: string) => {
    const found = await receipts.funnel(id);
    if (found !== undefined && access.may("publish", found.channel)) return found;
    throw notFound(`nothing is known of a message ${id}`);
  };
  const look = route(
    {
      method: "get",
      path: "/v1/messages/{message}",
      needs: "token",
      summary: "Count who has a message",
      description:
        "How many devices it is for, and how far it has come with them; kept for 30 days. A token sees those of the channels that it may publish in.",
      params,
      answers: { 200: { description: "its funnel", schema: funnel }, 404: NO_MESSAGE },
    },
    async ({ access, params: { message } }) => {
      const { timeMs, ...counts } = await find(access, message);
      return json(200, { ...counts, time: new Date(timeMs).toISOString() });
    },
  );
  const list = route(
    {
      method: "get",
      path: "/v1/messages/{message}/receipts",
      needs: "admin",
      summary: "List who has a message",
      description:
        "By device; kept of what went to a device or a user, and where the publisher asked by `receipts: true`.",
      params,
      query: pageQuery,
      answers: { 200: { description: "a page, by device", schema: receiptPage }, 404: NO_MESSAGE },
    },
    async ({ access, params: { message }, query: { after = "", limit = 100 } }) => {
      await find(access, message);
      const found = await receipts.of(message, after, limit + 1);
      const { page, next } = pageOf(found, limit, ({ device }) => device);
      const told = page.map(({ device, ...times }) => ({ device, ...receiptTimes(times) }));
      return json(200, { receipts: told, next });
    },
  );
  return [look, list];
}
