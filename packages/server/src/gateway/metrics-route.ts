/** `/metrics`, for Prometheus: for everybody, for the admin key, or for nobody. */
import type { Authenticate, Authenticated } from "../hub/access.ts";
import type { Metrics } from "../lib/metrics.ts";
import { tokenOf, unauthorized } from "./bearer.ts";
import { problemResponse } from "./problem.ts";

export interface MetricsRoutePorts {
  readonly allowed: "open" | "key" | "off";
  readonly metrics: Pick<Metrics, "text" | "contentType">;
  readonly authenticate: Authenticate;
}

/** Answers a request to read `/metrics`; `undefined` for any other path, and where it is off. */
export type ServeMetrics = (request: Request, url: URL) => Response | Promise<Response> | undefined;

export function metricsRoute({ allowed, metrics, authenticate }: MetricsRoutePorts): ServeMetrics {
  const figures = async () => {
    const headers = { "content-type": metrics.contentType, "cache-control": "no-store" };
    return new Response(await metrics.text(), { headers });
  };
  const decide = (access: Authenticated, token: string | undefined) => {
    if (typeof access === "object" && access.isAdmin) return figures();
    if (typeof access === "object" && token !== undefined) return problemResponse(FORBIDDEN);
    const { problem, headers } = unauthorized(typeof access === "string" ? access : undefined);
    return problemResponse(problem, headers);
  };
  return (request, url) => {
    if (url.pathname !== "/metrics" || allowed === "off") return undefined;
    if (allowed === "open") return figures();
    const token = tokenOf(request, url);
    const access = authenticate(token);
    return access instanceof Promise ? access.then((later) => decide(later, token)) : decide(access, token);
  };
}

const FORBIDDEN = { status: 403, code: "forbidden", detail: "this needs the admin key" };
