/** Tokens of requests, and what those without a good one are told (RFC 6750). */
import type { AccessProblem } from "../hub/access.ts";
import type { Problem } from "./problem.ts";

const BEARER = /^Bearer +(\S+) *$/i;

/**
 * The token in `Authorization: Bearer` or, for browsers' `EventSource` and `WebSocket`, which cannot set a header, in the
 * query's `token`. Both only read: elsewhere the query's is as if it were not there, as addresses get into logs and links.
 * An `Authorization` of another kind is a token that is not valid.
 */
export function tokenOf(request: Request, url: URL): string | undefined {
  const authorization = request.headers.get("authorization");
  if (authorization !== null) return BEARER.exec(authorization)?.[1] ?? "";
  if (request.method !== "GET" && request.method !== "HEAD") return undefined;
  return url.searchParams.get("token") ?? undefined;
}

export interface Unauthorized {
  readonly problem: Problem;
  readonly headers: Record<string, string>;
}

/** The answer to a token that gives no access; `undefined` where there was none and more is needed than everybody may. */
export function unauthorized(why: AccessProblem | undefined): Unauthorized {
  if (why === undefined || why === "missing") {
    const detail = "a token is needed: Authorization: Bearer, or ?token= to read where no header can be set";
    return { problem: { status: 401, code: "token_required", detail }, headers: challenge() };
  }
  if (why === "unavailable") {
    const detail = "the token cannot be looked at now";
    return { problem: { status: 503, code: "token_unchecked", detail }, headers: { "retry-after": "5" } };
  }
  const expired = why === "expired";
  const problem = {
    status: 401,
    code: expired ? "token_expired" : "invalid_token",
    detail: expired ? "the token has expired" : "the token is not valid",
  };
  return { problem, headers: challenge(`error="invalid_token", error_description="${problem.detail}"`) };
}

function challenge(more = ""): Record<string, string> {
  return { "www-authenticate": `Bearer realm="carillon"${more === "" ? "" : `, ${more}`}` };
}
