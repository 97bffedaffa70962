/** How late everybody else's deliveries are: a channel with one subscriber, published to every few milliseconds. */
import { KEY } from "./connecting.ts";

export interface Probe {
  /** The latest of those that were due between two moments, in milliseconds since 1970; all have to be there. */
  worstMs(fromMs: number, toMs: number): number;
  stop(): void;
}

const EVERY_MS = 5;
const CHANNEL = "bench/probe";

export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Publications that are under way at a time: when the server stalls, those that are due meanwhile still leave. */
export async function startProbe(base: string): Promise<Probe> {
  const seen: { readonly dueMs: number; readonly lateMs: number }[] = [];
  const socket = new WebSocket(`ws://${base}/ws?channel=${CHANNEL}&token=${KEY}`);
  socket.onmessage = ({ data }) => {
    const dueMs = Number(data);
    seen.push({ dueMs, lateMs: nowMs() - dueMs });
  };
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onclose = () => reject(new Error("the probe was not let in"));
  });
  const timer = setInterval(() => {
    void fetch(`http://${base}/v1/channels/${CHANNEL}/messages`, {
      method: "POST",
      headers: { authorization: `Bearer ${KEY}`, ttl: "0" },
      body: String(nowMs()),
    }).then((response) => response.arrayBuffer());
  }, EVERY_MS);
  return {
    worstMs: (fromMs, toMs) =>
      Math.max(...seen.filter(({ dueMs }) => dueMs >= fromMs && dueMs < toMs).map(({ lateMs }) => lateMs)),
    stop() {
      clearInterval(timer);
      socket.onclose = null;
      socket.close();
    },
  };
}
