/** `/healthz`: the process answers. `/readyz`: a publish would be kept, found out by a real round trip. */

/** A durable round trip through the engine; rejects when that cannot be had. */
export type Probe = () => Promise<void>;

/** The answer to a health check. */
export function healthResponse(status: 200 | 503, state: string): Response {
  return Response.json({ status: state }, { status, headers: { "cache-control": "no-store" } });
}

export async function readyResponse(probe: Probe): Promise<Response> {
  try {
    await probe();
    return healthResponse(200, "ready");
  } catch {
    return healthResponse(503, "unavailable");
  }
}

/** Questions that come while one is under way share its answer: each is an fsync, and anybody may ask. */
export function sharedProbe(probe: Probe): Probe {
  let running: Promise<void> | undefined;
  return () => {
    running ??= probe().finally(() => {
      running = undefined;
    });
    return running;
  };
}
