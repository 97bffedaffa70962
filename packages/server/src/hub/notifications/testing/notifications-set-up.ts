/** Devices, a publisher and notifications on a virtual clock with the memory engine, and push services that are scripted. */
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { EngineError } from "../../../engine/engine.ts";
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
    /** Devices of a page, at most. */
    page: 100,
    commits: 0,
    underWay: 0,
    mostUnderWay: 0,
  };
  const connected = new Set<string>();
  const told: Told[] = [];
  /** The process that runs now. */
  let life = new Life();
  const engineOf = (mine: Life): NotificationsPorts["engine"] => ({
    countLabelled: (...given) => mine.step(() => memory.countLabelled(...given)),
    due: (...given) => mine.step(() => memory.due(...given)),
    publication: (...given) => mine.step(() => memory.publication(...given)),
    record: (...given) => mine.step(() => memory.record(...given)),
    top: (...given) => mine.step(() => memory.top(...given)),
    saveRecords: (changes) =>
      mine.step(async () => {
        state.commits += 1;
        if (state.fails !== undefined) throw new EngineError(state.fails, "the disk is full");
        await memory.saveRecords(changes);
      }),
  });
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
  const notifier = (name: EndpointName, mine: Life): Notifier => ({
    name,
    reaches: (device) => device[name] !== undefined,
    send: (device, { publication, ttlSeconds, urgency }, signal) =>
      mine.step(async () => {
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
      }),
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
  const begin = (mine: Life) =>
    new Notifications({
      engine: engineOf(mine),
      clock,
      log,
      metrics,
      chance: () => 1,
      notifiers: [notifier("webPush", mine), notifier("unifiedPush", mine)],
      zone: zones("UTC"),
      isConnected: (id) => connected.has(id),
      positionsOf: (id) => mine.step(() => memory.positionsOf(id)),
      audience: (channel, target, after, limit) =>
        mine.step(() => devices.audience(channel, target, after, Math.min(limit, state.page), true)),
      device: (id) => mine.step(() => devices.get(id)),
      endpointGone: (id, name, endpoint) =>
        mine.step(async () => {
          await devices.change(id, { [name]: undefined }, (device) => device[name]?.endpoint === endpoint);
        }),
    });
  let notifications = begin(life);
  const publisher = new Publisher({
    engine: memory,
    clock,
    nextId: timeOrderedIds(clock),
    metrics,
    followers: {
      changesFor: (publications) => notifications.changesFor(publications),
      wake: () => notifications.wake(),
    },
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
    get life() {
      return life;
    },
    get notifications() {
      return notifications;
    },
    /** The process has died, and another one begins on what was kept. */
    restart() {
      life.die();
      life = new Life();
      notifications = begin(life);
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

/** A process: after its death nothing that it has asked for is answered. */
export class Life {
  #isDead = false;
  /** At which of its next steps it dies, and whether before or after what it does there. */
  end: { inSteps: number; readonly isDone: boolean } | undefined;

  get isDead(): boolean {
    return this.#isDead;
  }

  die(): void {
    this.#isDead = true;
  }

  async step<Result>(act: () => Promise<Result>): Promise<Result> {
    const never = new Promise<Result>(() => {});
    if (this.#isDead) return never;
    if (this.end !== undefined && --this.end.inSteps <= 0) {
      this.#isDead = true;
      if (this.end.isDone) await act();
      return never;
    }
    const result = await act();
    return this.#isDead ? never : result;
  }
}

/** Lets promises that are fulfilled go all their way: a turn of the loop begins when none has anything to do. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
