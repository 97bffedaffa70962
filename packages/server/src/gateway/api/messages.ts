/** Publishing and history. */
import { z } from "zod";
import {
  optionsOf,
  type PublishingPorts,
  publish,
  publishedOf,
  saidIn,
  takePublishes,
} from "./publishing.ts";
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

export function messageRoutes(ports: PublishingPorts): Route[] {
  const { hub } = ports;
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
    ({ access, params: { channel }, headers, body, raw }) => {
      return publish(ports, access, { kind: "channel", channel }, saidIn(headers, body, raw));
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
      const items = messages.map(({ channel, ...said }, index) => ({
        channel,
        ...optionsOf(said, `messages.${index}.data`),
      }));
      takePublishes(hub, access.who, items.length);
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
