/** Webhooks on a virtual clock, and a receiver that answers as the test says. */
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import type { HubEventType } from "../../../hub/events.ts";
import { sequentialIds } from "../../../lib/ids.ts";
import { createLog } from "../../../lib/log.ts";
import { createMetrics } from "../../../lib/metrics.ts";
import { timestampFormat } from "../../../lib/timestamp.ts";
import { signingKey } from "../signing.ts";
import { Webhooks } from "../webhooks.ts";

export const SECRET = "a-secret-for-the-tests";
export const KIND = { type: "device_offline", device: "phone" } as const;

export interface Posted {
  readonly id: string;
  readonly atMs: number;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly redirect: string | undefined;
}

/** What the receiver does: a status, an answer, an error, or nothing at all. */
export type Behaviour = number | Response | Error | "mute";

export interface Receiving {
  readonly answer?: (posted: Posted, count: number) => Behaviour;
  readonly events?: readonly HubEventType[];
  readonly authorization?: string;
  /** Milliseconds until it answers. */
  readonly takesMs?: number;
}

export function setUp({
  answer = () => 200,
  events = [KIND.type],
  authorization,
  takesMs = 0,
}: Receiving = {}) {
  const clock = new VirtualClock();
  const metrics = createMetrics();
  const lines: { message: string; level: string; [field: string]: unknown }[] = [];
  const posted: Posted[] = [];
  const load = { now: 0, most: 0 };
  const timestamp = timestampFormat("UTC");
  const write = (line: string) => void lines.push(JSON.parse(line));
  const log = createLog({ format: "json", level: "debug", clock, timestamp, write });
  const target = {
    url: "https://hooks.example/T0/B0?key=hidden",
    key: signingKey(SECRET),
    events,
    ...(authorization !== undefined && { authorization }),
  };

  const reply = (behaviour: Behaviour, signal: AbortSignal | null | undefined) => {
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    signal?.addEventListener("abort", () => reject(signal.reason));
    if (behaviour === "mute") return promise;
    const act = () => {
      if (behaviour instanceof Error) reject(behaviour);
      else resolve(typeof behaviour === "number" ? new Response(null, { status: behaviour }) : behaviour);
    };
    if (takesMs === 0) act();
    else signal?.addEventListener("abort", clock.setTimer(takesMs, act));
    return promise;
  };
  const webhooks = new Webhooks(target, {
    clock,
    log,
    metrics,
    nextId: sequentialIds(),
    chance: () => 1,
    async post(url, { headers, body, redirect, signal }) {
      const all = headers as Record<string, string>;
      const each = { url, headers: all, body: String(body), redirect, atMs: clock.monotonicMs() };
      const request = { id: all["webhook-id"] ?? "", ...each };
      posted.push(request);
      load.now += 1;
      load.most = Math.max(load.most, load.now);
      try {
        return await reply(answer(request, posted.length), signal);
      } finally {
        load.now -= 1;
      }
    },
  });

  return {
    clock,
    lines,
    posted,
    load,
    webhooks,
    /** Lets time pass; what is answered on the way is acted upon at its own time. */
    async pass(ms: number) {
      const untilMs = clock.monotonicMs() + ms;
      await settled();
      while (clock.step(untilMs - clock.monotonicMs())) await settled();
    },
    /** What was counted, by outcome. */
    async counts(): Promise<Record<string, number>> {
      const { values } = await metrics.webhooks.get();
      return Object.fromEntries(values.map(({ labels, value }) => [labels["outcome"], value]));
    },
  };
}

/** Lets promises that are fulfilled go all their way: a turn of the loop begins when none has anything to do. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
