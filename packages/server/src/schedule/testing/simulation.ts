/**
 * Days in the life of some schedules, in milliseconds: two nodes with the real scheduler, each with a clock of its own, over
 * one store that is slow, fails and loses answers. Everything that happens follows from the seed.
 */
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import type { Engine } from "../../engine/engine.ts";
import { openMemoryEngine } from "../../engine/memory.ts";
import type { Hub } from "../../hub/hub.ts";
import { openHub, testPorts } from "../../hub/testing/defaults.ts";
import { FakeFanOut } from "../../hub/testing/fake-outbound.ts";
import { override } from "../../hub/testing/hub-set-up.ts";
import { randomOf } from "../../hub/testing/simulation.ts";
import type { Clock } from "../../lib/clock.ts";
import { timeOrderedIds } from "../../lib/ids.ts";
import { silentLog } from "../../lib/log.ts";
import { schedulePorts } from "../../schedule-ports.ts";
import type { RecordChange, ScheduledPublication, SchedulePorts } from "../ports.ts";
import { Scheduler } from "../scheduler.ts";
import { Schedules } from "../schedules.ts";
import { FakeStore } from "./fake-store.ts";
import { Model, type Op } from "./model.ts";
import { AFTER_MS, BEFORE_MS, PLACES, type Place } from "./slow-rules.ts";

const never = new Promise<never>(() => {});

/** A machine whose clock is a little off, and on which the server runs or not. */
export class Node {
  /** Against the world's clock. */
  offsetMs: number;
  readonly clock: Clock;
  readonly #world: World;
  #life = 0;
  #scheduler: Scheduler | undefined;

  constructor(world: World, offsetMs: number) {
    this.#world = world;
    this.offsetMs = offsetMs;
    const { clock } = world;
    this.clock = {
      wallMs: () => clock.wallMs() + this.offsetMs,
      monotonicMs: () => clock.monotonicMs(),
      setTimer: (delayMs, fire) => {
        const life = this.#life;
        return clock.setTimer(delayMs, () => {
          if (life === this.#life) fire();
        });
      },
    };
  }

  get isUp(): boolean {
    return this.#scheduler !== undefined;
  }

  start(): void {
    if (this.isUp) return;
    this.#life += 1;
    this.#scheduler = new Scheduler({ ...this.#ports(), clock: this.clock, log: silentLog });
    this.#scheduler.wake();
  }

  /** The process is gone, whatever it was about to do. */
  crash(): void {
    this.#life += 1;
    this.#scheduler = undefined;
  }

  /** An orderly end: what is under way is finished, and nothing follows. */
  async stop(): Promise<void> {
    const life = this.#life;
    await this.#scheduler?.stop();
    if (life === this.#life) this.crash();
  }

  /** Schedules as `op` sees them: what it commits is known to be its. */
  schedules(op?: Op, onCommit?: () => void): Schedules {
    const { clock } = this;
    const { zone: timeZone } = this.#world.place;
    const scheduler = { wake: () => this.#scheduler?.wake() };
    const nextId = () => op?.id ?? "";
    return new Schedules({ ...this.#ports(op, onCommit), clock, nextId, timeZone, scheduler });
  }

  #ports(op?: Op, onCommit?: () => void): SchedulePorts {
    const world = this.#world;
    const life = this.#life;
    /** A process that is gone hears no answer. */
    const inLife = async <T>(work: () => Promise<T>): Promise<T> => {
      await world.delay();
      // A request may have left before the process was killed.
      if (life !== this.#life && world.random() < 0.5) return never;
      const result = await work();
      await world.delay();
      return life === this.#life ? result : never;
    };
    const read = <T>(ask: (store: SchedulePorts) => Promise<T>) =>
      inLife(() => {
        if (world.cannotRead) throw new Error("the disk is gone");
        return ask(world.store);
      });
    return {
      record: (...asked) => read((store) => store.record(...asked)),
      records: (...asked) => read((store) => store.records(...asked)),
      due: async (...asked) => {
        const found = await read((store) => store.due(...asked));
        // The worst moment to set a clock back: something has been found to be due, and is no more.
        if (found.length > 0 && world.random() < 0.02) world.setClock(this, -world.between(1, 3_000));
        return found;
      },
      commit: (items, changes) => {
        const wallMs = this.clock.wallMs();
        return inLife(async () => {
          if (world.cannotWrite) throw new Error("the disk is full");
          const made = await world.commit(items, changes, () => {
            onCommit?.();
            world.model.note({ ...(op && { op }), wallMs, items, changes });
          });
          if (world.random() < world.lostAnswers) throw new Error("the answer was lost");
          return made;
        });
      },
    };
  }
}

export class World {
  readonly clock: VirtualClock;
  readonly random: () => number;
  readonly place: Place;
  readonly model: Model;
  readonly nodes: readonly Node[];
  readonly store: SchedulePorts;
  /** Set where the engine and the hub are the real ones; the fake store repeats no key. */
  readonly engine: Engine | undefined;
  cannotRead = false;
  cannotWrite = false;
  /** The share of commits whose answer is lost. */
  lostAnswers = 0;
  readonly #noted = new WeakMap<readonly RecordChange[], () => void>();
  readonly #isSlow: boolean;
  #oddSinceMs = 0;

  constructor(seed: number) {
    this.random = randomOf(seed);
    this.place = this.pick(PLACES);
    this.clock = new VirtualClock(this.place.changeMs - Math.floor(this.random() * 3_600_000 * 3));
    this.model = new Model(this.place);
    this.#isSlow = this.random() < 0.7;
    if (this.random() < 0.25) {
      this.engine = this.#openEngine();
      this.store = schedulePorts(this.engine, this.#openHub(this.engine));
    } else {
      const store = new FakeStore();
      this.store = {
        record: (kind, id) => store.record(kind, id),
        records: store.records,
        due: (kind, untilMs, limit) => store.due(kind, untilMs, limit),
        commit: async (items, changes) => {
          const made = await store.commit(items, changes);
          if (made) this.#noted.get(changes)?.();
          return made;
        },
      };
    }
    this.nodes = [0, 1].map(() => new Node(this, this.between(-400, 400)));
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)] as T;
  }

  between(least: number, most: number): number {
    return least + Math.floor(this.random() * (most - least + 1));
  }

  commit(
    items: readonly ScheduledPublication[],
    changes: readonly RecordChange[],
    note: () => void,
  ): Promise<boolean> {
    this.#noted.set(changes, note);
    return this.store.commit(items, changes);
  }

  /** What a request or an answer takes on its way. */
  async delay(): Promise<void> {
    if (!this.#isSlow || this.random() < 0.7) return;
    const delayMs = this.random() < 0.95 ? this.random() * 20 : this.random() * 400;
    await new Promise<void>((done) => this.clock.setTimer(delayMs, done));
  }

  /** Something happens that excuses a run that is late. */
  disturb(): void {
    this.#oddSinceMs = this.clock.monotonicMs();
  }

  /** For how long nothing has. */
  get quietMs(): number {
    const isOdd = this.cannotRead || this.cannotWrite || this.lostAnswers > 0;
    return isOdd ? 0 : this.clock.monotonicMs() - this.#oddSinceMs;
  }

  /** Sets one clock, or, as after a suspend of the machine that has both, the two; never far from the change. */
  setClock(node: Node | undefined, deltaMs: number): void {
    const { changeMs } = this.place;
    const wallMs = this.clock.wallMs() + (node?.offsetMs ?? 0) + deltaMs;
    if (wallMs < changeMs - BEFORE_MS || wallMs > changeMs + AFTER_MS) return;
    this.disturb();
    if (node === undefined) this.clock.jumpWall(deltaMs);
    else node.offsetMs += deltaMs;
  }

  /** Time goes on by `deltaMs`; after each thing that happens, everything that waited for it runs. */
  async pass(deltaMs: number): Promise<void> {
    const untilMs = this.clock.monotonicMs() + deltaMs;
    do {
      for (let turn = 0; turn < 60; turn++) await Promise.resolve();
    } while (this.clock.step(untilMs - this.clock.monotonicMs()));
  }

  #openEngine(): Engine {
    const engine = openMemoryEngine({ clock: this.clock, retentionOf: () => ({}) });
    // Noted at the same distance from the commit, whichever way it came: the model hears of them in their order.
    const publish: Engine["publish"] = async (items, changes = []) => {
      const results = await engine.publish(items, changes);
      this.#noted.get(changes)?.();
      if (results.some(({ duplicate }) => duplicate))
        this.model.problems.push("a run was taken for a repeat");
      return results;
    };
    return override(engine, {
      publish,
      saveRecords: async (changes) => void (await publish([], changes)),
    });
  }

  #openHub(engine: Engine): Hub {
    return openHub({
      ...testPorts(),
      engine,
      clock: this.clock,
      log: silentLog,
      fanOut: new FakeFanOut(),
      nextPublicationId: timeOrderedIds(this.clock),
      idleTimeoutMs: 3_600_000,
      defaultChannel: "push",
      announcesPresence: () => false,
    }).hub;
  }
}
