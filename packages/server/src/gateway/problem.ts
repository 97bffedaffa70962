/** Errors over HTTP: RFC 9457 problem documents with a stable `code`. */

import { printable } from "../lib/printable.ts";

export interface Problem {
  readonly status: number;
  /** Stable; programs may compare it. */
  readonly code: string;
  /** One line for people. */
  readonly detail: string;
}

/** A name that somebody made up may be in it. */
const MAX_DETAIL_LENGTH = 300;

function oneLine(detail: string): string {
  const line = printable(detail);
  return line.length > MAX_DETAIL_LENGTH ? `${line.slice(0, MAX_DETAIL_LENGTH)}…` : line;
}

/** The answer to a request that failed. `headers` are added to it. */
export function problemResponse(problem: Problem, headers: Record<string, string> = {}): Response {
  const { status, code } = problem;
  const detail = oneLine(problem.detail);
  return new Response(JSON.stringify({ type: "about:blank", status, code, detail }), {
    status,
    headers: { ...headers, "content-type": "application/problem+json" },
  });
}
