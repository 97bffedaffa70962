/** Errors over HTTP: RFC 9457 problem documents with a stable `code`. */

export interface Problem {
  readonly status: number;
  /** Stable; programs may compare it. */
  readonly code: string;
  /** One line for people. */
  readonly detail: string;
}

/** The answer to a request that failed. `headers` are added to it. */
export function problemResponse(problem: Problem, headers: Record<string, string> = {}): Response {
  const { status, code, detail } = problem;
  return new Response(JSON.stringify({ type: "about:blank", status, code, detail }), {
    status,
    headers: { ...headers, "content-type": "application/problem+json" },
  });
}
