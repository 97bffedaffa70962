/**
 * Pages of other origins. One that is not allowed is refused as on the WebSocket; one that is may read the answer (WHATWG
 * Fetch, section 3.3). There are no cookies: a page can only use a token that it has.
 */
import type { Metrics } from "../lib/metrics.ts";
import { isOriginAllowed } from "./handshake.ts";
import { problemResponse } from "./problem.ts";

const PREFLIGHT = {
  "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
  "access-control-allow-headers":
    "authorization, content-type, ttl, urgency, topic, idempotency-key, last-event-id",
  "access-control-max-age": "600",
};

/** Answers a request that names an origin by `answer`, if the origin is allowed. */
export async function acrossOrigins(
  request: Request,
  allowed: readonly string[],
  metrics: Pick<Metrics, "refused">,
  answer: () => Response | Promise<Response>,
): Promise<Response> {
  const origin = request.headers.get("origin");
  if (origin === null) return answer();
  if (!isOriginAllowed(request.headers, allowed)) {
    metrics.refused.inc({ code: "origin_not_allowed" });
    const detail = "pages of this origin may not ask; see --allowed-origins";
    return problemResponse({ status: 403, code: "origin_not_allowed", detail });
  }
  const isPreflight = request.method === "OPTIONS" && request.headers.has("access-control-request-method");
  const response = isPreflight ? new Response(null, { status: 204, headers: PREFLIGHT }) : await answer();
  response.headers.set("access-control-allow-origin", origin);
  response.headers.set("access-control-expose-headers", "retry-after");
  response.headers.append("vary", "origin");
  return response;
}
