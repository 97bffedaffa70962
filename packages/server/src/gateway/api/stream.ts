/** What `/openapi.json` says of streams; they are answered by `gateway/sse.ts`, which needs Bun's server. */
import { z } from "zod";
import type { Described } from "./openapi.ts";
import { channelName } from "./schemas.ts";

const position = z.string().regex(/^(?:[A-Za-z0-9_-]{1,64}:)?\d{1,15}$/);

export const streamRoute: Described = {
  description: {
    method: "get",
    path: "/v1/channels/{channel}/stream",
    needs: "subscribe",
    summary: "Stream",
    description:
      "Server-Sent Events (WHATWG HTML): what is published, from now or after a position, as its text or its JSON. An event's id is its `epoch:offset`; `EventSource` sends the last one by itself when it comes back. An event `gap` tells what cannot be had any more; an event `close` with a code and a reason comes before the server ends the stream. `?token=` is for clients that cannot set a header.",
    params: z.strictObject({ channel: channelName }),
    query: z.strictObject({
      since: position.optional().meta({
        description: "start after this offset or epoch:offset; 0 is everything kept",
        example: "42",
      }),
    }),
    headers: z.object({
      "last-event-id": position.optional().meta({ description: "as `since`, which it overrides" }),
    }),
    answers: {
      200: { description: "events, without end", contentType: "text/event-stream" },
      429: {
        description:
          "`too_many_streams`, `too_many_connections`, or `too_many_handshakes` a second; see Retry-After",
      },
    },
  },
};
