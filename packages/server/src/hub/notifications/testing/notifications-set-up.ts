/** Devices, a publisher and notifications on a virtual clock with the memory engine, and push services that are scripted. */
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { type Engine, EngineError } from "../../../engine/engine.ts";
import { openMemoryEngine } from "../../../engine/memory.ts";
import { timeOrderedIds } from "../../../lib/ids.ts";
import { createLog } from "../../../lib/log.ts";
import { createMetrics } from "../../../lib/metrics.ts";
import { timestampFormat } from "../../../lib/timestamp.ts";
import type { Device } from "../../devices/device.ts";
import { Devices, type NewDevice } from "../../devices/devices.ts";
import { zones } from "../../devices/zones.ts";
import { Publisher, type PublishItem } from "../../publisher.ts";
import { Notifications, type NotificationsPorts } from "../notifications.ts";
import type { EndpointName, Notifier, Outcome } from "../notifier.ts";

export interface Told {
  readonly device: string;
  readonly id: string;
  readonly by: EndpointName;
  /** Since the start. */
  readonly atMs: number;
  readonly ttlSeconds: number;
  readonly urgency: string;
}

/** What a push service does: an outcome, or no answer until the sender gives up. */
export type Script = (told: Told) => Outcome | "mute" | Promise<Outcome>;

export function setUpNotifications() {
  const clock = new VirtualClock();
  const startMs = clock.wallMs();
  const memory = openMemoryEngine({ clock, retentionOf: () => ({}) });
  const metrics = createMetrics();
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.slice("[2026-11-24 09:30:00] ".length));
  const log = createLog({ format: "pretty", level: "info", clock, timestamp: timestampFormat("UTC"), write });
  const state = {
    /** Why writing fails, if it does. */
    fails: undefined as EngineError["code"] | undefined,
    script: ((): Outcome => "sent") as Script,
    commits: 0,
    underWay: 0,
    mostUnderWay: 0,
  };
  const connected = new Set<string>();
  const told: Told[] = [];
  const engine: NotificationsPorts["engine"] = {
    countLabelled: (...given) => memory.countLabelled(...given),
    due: (...given) => memory.due(...given),
    positionsOf: (...given) => memory.positionsOf(...given),
    publication: (...given) => memory.publication(...given),
    record: (...given) => memory.record(...given),
    top: (...given) => memory.top(...given),
    async saveRecords(changes: Parameters<Engine["saveRecords"]>[0]) {
      state.commits += 1;
      if (state.fails !== undefined) throw new EngineError(state.fails, "the disk is full");
      await memory.saveRecords(changes);
    },
  };
  const devices = new Devices({
    engine: memory,
    clock,
    log,
    forgetAfterMs: () => Number.POSITIVE_INFINITY,
    mayAnybody: () => true,
    isConnected: (id) => connected.has(id),
    changed: (change) => notifications.deviceChanged(change),
    receiptsOf: async () => [],
  });
  const notifier = (name: EndpointName): Notifier => ({
    name,
    reaches: (device) => device[name] !== undefined,
    async send(device, { publication, ttlSeconds, urgency }, signal) {
      const each = { device: device.id, id: publication.id, by: name, ttlSeconds, urgency };
      const attempt = { ...each, atMs: clock.wallMs() - startMs };
      told.push(attempt);
      state.underWay += 1;
      state.mostUnderWay = Math.max(state.mostUnderWay, state.underWay);
      try {
        const outcome = await state.script(attempt);
        return outcome === "mute" ? await mute(signal) : outcome;
      } finally {
        state.underWay -= 1;
      }
    },
  });
  function mute(signal: AbortSignal): Promise<Outcome> {
    return new Promise((resolve) => {
      const cancel = clock.setTimer(10_000, () => resolve({ retryAfterMs: 0 }));
      signal.addEventListener("abort", () => {
        cancel();
        resolve({ retryAfterMs: 0 });
      });
    });
  }
  const begin = () =>
    new Notifications({
      engine,
      clock,
      log,
      metrics,
      chance: () => 1,
      notifiers: [notifier("webPush"), notifier("unifiedPush")],
      zone: zones("UTC"),
      isConnected: (id) => connected.has(id),
      audience: (channel, target, after, limit) => devices.audience(channel, target, after, limit, true),
      device: (id) => devices.get(id),
      async endpointGone(id, name, endpoint) {
        await devices.change(id, { [name]: undefined }, (device) => device[name]?.endpoint === endpoint);
      },
    });
  let notifications = begin();
  const publisher = new Publisher({
    engine: memory,
    clock,
    nextId: timeOrderedIds(clock),
    metrics,
    changesFor: (publications) => notifications.changesFor(publications),
  });
  let registered = 0;
  return {
    clock,
    engine: memory,
    devices,
    state,
    connected,
    lines,
    told,
    get notifications() {
      return notifications;
    },
    /** The process has died, and another one begins on what was kept. */
    restart() {
      notifications = begin();
      notifications.start();
    },
    /** A device that a push service reaches; it wants these channels. */
    async device(said: NewDevice = {}, channels: readonly string[] = ["news"]): Promise<Device> {
      registered += 1;
      const webPush = { endpoint: `https://push.example/${registered}`, keys: { p256dh: "", auth: "" } };
      const { device } = await devices.register({ webPush, ...said }, "admin");
      for (const channel of channels) await devices.setSwitch(device.id, channel, { push: true });
      return device;
    },
    /** Publishes something; resolves to its id. */
    async publish(item: Partial<PublishItem> = {}): Promise<string> {
      const destination = item.to === undefined ? { channel: item.channel ?? "news" } : { to: item.to };
      const [result] = await publisher.commit([{ data: "hello", ...item, ...destination } as PublishItem]);
      notifications.wake();
      return result?.id ?? "";
    },
    /** Lets time pass; what happens on the way has its effects at its own time. */
    async pass(ms: number) {
      const untilMs = clock.monotonicMs() + ms;
      await settled();
      while (clock.step(untilMs - clock.monotonicMs())) await settled();
    },
    /** Who was told of what, in order, without those who were asked again. */
    toldOf: (id: string) => told.filter((each) => each.id === id).map(({ device }) => device),
    /** What waits to be told. */
    async waiting() {
      const all = Number.MAX_SAFE_INTEGER;
      const kinds = ["notify", "notify-quiet", "notify-again"];
      const found = await Promise.all(kinds.map((kind) => memory.due(kind, all, 1_000)));
      return found
        .flat()
        .map(({ kind, id, data, dueMs = 0 }) => ({ kind, id, data, inMs: dueMs - clock.wallMs() }));
    },
    /** What was counted, by outcome. */
    async counts(): Promise<Record<string, number>> {
      const { values } = await metrics.notifications.get();
      const sums: Record<string, number> = {};
      for (const { labels, value } of values) {
        const { outcome = "" } = labels;
        sums[outcome] = (sums[outcome] ?? 0) + value;
      }
      return sums;
    },
  };
}

/** Lets promises that are fulfilled go all their way: a turn of the loop begins when none has anything to do. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
