/**
 * An hour in the life of a few apps, in a few milliseconds: the real SDK, the real hub and an engine on one virtual clock,
 * over links that are slow and get cut. Everything that happens follows from the seed.
 */
import { Carillon, type Channel, type Gap, type Store } from "@carillon/client";
import type { Platform } from "@carillon/client/platform";
import type { Publication, PublishOptions } from "@carillon/protocol/frames";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import type { Accepted, Engine } from "../../engine/engine.ts";
import { openMemoryEngine } from "../../engine/memory.ts";
import { timeOrderedIds } from "../../lib/ids.ts";
import { silentLog } from "../../lib/log.ts";
import type { Hub } from "../hub.ts";
import { ADMIN_KEY, admin, openHub, testPorts } from "./defaults.ts";
import { override } from "./hub-set-up.ts";
import { SimulatedLink } from "./simulated-link.ts";

export const CHANNELS = ["news", "rooms/1"] as const;

/** Numbers from 0 up to 1 that all follow from the seed (Steele and Vigna's SplitMix32 with Stafford's mixer). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** What one app has seen of one channel. */
export interface Record {
  readonly channel: string;
  /** Where its very first subscription started; `undefined` until then. */
  start: number | undefined;
  /** Every publication that was handed to it, by life of the app. */
  readonly lives: { readonly from: number; readonly seen: Publication[] }[];
  readonly gaps: Gap[];
}

/** One app on one device. */
export class App {
  readonly records: readonly Record[] = CHANNELS.map((channel) => ({
    channel,
    start: undefined,
    lives: [],
    gaps: [],
  }));
  readonly #world: World;
  readonly #device: string | undefined;
  readonly #kept = new Map<string, string>();
  #life = 0;
  #link: SimulatedLink | undefined;
  #client: Carillon | undefined;

  constructor(world: World, device: string | undefined) {
    this.#world = world;
    this.#device = device;
    this.start();
  }

  get channels(): readonly Channel[] {
    return CHANNELS.flatMap((name) => this.#client?.channel(name) ?? []);
  }

  /** The process is killed, and started again: what it had not stored is gone. */
  start(): void {
    this.#life += 1;
    this.#link?.cut();
    const client = new Carillon("ws://simulated/ws", {
      token: ADMIN_KEY,
      platform: this.#platform(this.#life),
      store: this.#store(this.#life),
      heartbeatMs: 20_000,
      ...(this.#device !== undefined && { device: this.#device }),
    });
    this.#client = client;
    for (const record of this.records) this.#listen(client.channel(record.channel), record);
  }

  cut(): void {
    this.#link?.cut();
  }

  #listen(channel: Channel, record: Record): void {
    const life = this.#life;
    const seen: Publication[] = [];
    record.lives.push({ from: this.#storedOffset(record.channel), seen });
    channel.on("state", () => {
      if (channel.position !== undefined) record.start ??= Math.min(...channel.position.offsets);
    });
    channel.on("gap", (gap) => {
      if (life === this.#life) record.gaps.push(gap);
    });
    channel.on("publication", (publication) => {
      if (life === this.#life) seen.push(publication);
      // Some handlers take their time.
      if (this.#world.random() < 0.7) return undefined;
      return new Promise<void>((done) => this.#world.clock.setTimer(this.#world.random() * 300, done));
    });
  }

  #storedOffset(channel: string): number {
    const kept = this.#kept.get(channel);
    if (kept === undefined) return 0;
    const { offset } = JSON.parse(kept);
    return typeof offset === "number" ? offset : Math.min(...offset);
  }

  #store(life: number): Store {
    return {
      load: (key) => this.#kept.get(key),
      save: (key, value) => {
        if (life === this.#life && value !== undefined) this.#kept.set(key, value);
      },
    };
  }

  /** A machine that stops with the life of its app. */
  #platform(life: number): Platform {
    const { clock, random } = this.#world;
    const inLife = (run: () => void) => () => {
      if (life === this.#life) run();
    };
    return {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      setTimer: (delayMs, fire) => clock.setTimer(delayMs, inLife(fire)),
      random,
      onWake: () => () => {},
      openSocket: () => {
        const link = this.#world.connect();
        this.#link = link;
        return {
          addEventListener: (type: string, listener: (event: never) => void) =>
            link.client.addEventListener(type as "message", (event) => {
              if (life === this.#life) listener(event as never);
            }),
          send: (frame) => link.client.send(frame),
          close: () => link.client.close(),
        };
      },
    };
  }
}

/**
 * A plain-text client, which drops nothing itself: what the server sends twice, it has twice. It asks for everything
 * kept on every connection.
 */
export class PlainApp {
  /** What came, by connection. */
  readonly connections: number[][] = [];
  readonly #world: World;
  #link: SimulatedLink | undefined;

  constructor(world: World) {
    this.#world = world;
    this.#connect();
  }

  cut(): void {
    this.#link?.cut();
  }

  #connect(): void {
    const link = this.#world.connect("news");
    this.#link = link;
    const received: number[] = [];
    this.connections.push(received);
    link.client.addEventListener("message", ({ data }) => received.push(Number(data)));
    link.client.addEventListener("close", () => {
      this.#world.clock.setTimer(500, () => this.#connect());
    });
  }
}

export class World {
  readonly clock = new VirtualClock();
  readonly random: () => number;
  readonly engine: Engine;
  /** Everything that was ever committed and stored. */
  readonly committed: Accepted[] = [];
  readonly #links = new Set<SimulatedLink>();
  #hub: Hub | undefined;
  #connections = 0;

  constructor(seed: number) {
    this.random = randomOf(seed);
    const maxCount = this.random() < 0.5 ? 12 : 10_000;
    const memory = openMemoryEngine({ clock: this.clock, retentionOf: () => ({ maxCount }) });
    this.engine = hesitant(memory, this.clock, this.random, (commit) => {
      this.committed.push(...commit.filter(({ offset }) => offset > 0));
    });
    this.startServer();
  }

  /** The process is killed, and started again on the same data. */
  startServer(): void {
    for (const link of this.#links) link.serverDied();
    this.#links.clear();
    const { hub } = openHub({
      engine: this.engine,
      clock: this.clock,
      log: silentLog,
      fanOut: {
        publish: (topic, frame) => {
          for (const link of this.#links) if (link.topics.has(topic)) link.deliver(frame);
        },
      },
      ...testPorts(),
      nextPublicationId: timeOrderedIds(this.clock),
      idleTimeoutMs: 60_000,
      defaultChannel: "push",
      announcesPresence: (channel) => channel.startsWith("rooms/"),
    });
    this.#hub = hub;
  }

  /** With `plainChannel`, a plain-text client that wants everything kept of it. */
  connect(plainChannel?: string): SimulatedLink {
    const hub = this.#hub;
    const link = new SimulatedLink({
      clock: this.clock,
      random: this.random,
      accept: (outbound) => {
        if (hub !== this.#hub) return undefined;
        const info = { id: `s${++this.#connections}`, address: "::1" };
        if (plainChannel === undefined) return hub?.connectV1(info, outbound);
        return hub?.connectText(
          { ...info, access: admin, channels: [plainChannel], since: { offset: 0 } },
          outbound,
        );
      },
      hangUp: (session, code) => {
        this.#links.delete(link);
        hub?.disconnect(session, code, "");
      },
    });
    this.#links.add(link);
    return link;
  }

  async publish(channel: string, data: number, options: PublishOptions): Promise<void> {
    await this.#hub?.publish([{ channel, data, ...options }]);
  }

  /** Time goes on by `deltaMs`; after each thing that happens, everything that waited for it runs. */
  async pass(deltaMs: number): Promise<void> {
    const untilMs = this.clock.monotonicMs() + deltaMs;
    do {
      for (let turn = 0; turn < 25; turn++) await Promise.resolve();
    } while (this.clock.step(untilMs - this.clock.monotonicMs()));
  }
}

/** An engine that announces a while after it has committed, as one with a disk or a network does. */
function hesitant(
  engine: Engine,
  clock: VirtualClock,
  random: () => number,
  note: (commit: readonly Accepted[]) => void,
): Engine {
  let listener: (commit: readonly Accepted[]) => void = () => {};
  let lastMs = 0;
  const announced = () =>
    new Promise<void>((done) => {
      lastMs = Math.max(lastMs, clock.monotonicMs());
      clock.setTimer(lastMs - clock.monotonicMs(), done);
    });
  engine.onPublication((commit) => {
    note(commit);
    lastMs = Math.max(lastMs, clock.monotonicMs() + (random() < 0.5 ? 0 : random() * 40));
    clock.setTimer(lastMs - clock.monotonicMs(), () => listener(commit));
  });
  return override(engine, {
    onPublication: (next) => {
      listener = next;
    },
    publish: async (items) => {
      const results = await engine.publish(items);
      await announced();
      return results;
    },
    top: async (channel) => {
      const top = await engine.top(channel);
      await announced();
      return top;
    },
  });
}
