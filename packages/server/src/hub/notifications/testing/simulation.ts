/**
 * Devices that come and go, change their minds and are in their quiet hours; publications for all sorts of them; push
 * services that fail; and a process that dies at any step. `Simulation.run` throws if somebody is told who must not be, or
 * is not told who must be.
 */

import type { Urgency } from "@carillon/protocol/position";
import { together } from "@carillon/protocol/position";
import type { Device } from "../../devices/device.ts";
import { blankDevice, keepDevice } from "../../devices/stored.ts";
import { randomOf } from "../../testing/simulation.ts";
import { type Script, settled, setUpNotifications, type Told } from "./notifications-set-up.ts";

const USERS = ["ann", "bob"];
const TAGS = ["beta", "old"];
const CHANNELS = ["news", "chat"];
const MINUTE_MS = 60_000;
/** In a row, of one device: its pauses end long before the simulation does. */
const MAX_FAILURES = 4;

interface Published {
  readonly id: string;
  readonly urgency: Urgency;
  readonly expiresAtMs: number;
  readonly isStored: boolean;
  readonly isMeant: (device: Model) => boolean;
  /** Those who have to be told, unless something happens. */
  readonly mustTell: Set<string>;
}

/** What is known of a device without asking what is tested. */
interface Model {
  readonly id: string;
  readonly user: string | undefined;
  readonly tags: readonly string[];
  hasEndpoint: boolean;
  goneAtMs: number;
  isConnected: boolean;
  /** By the name of the switch. */
  readonly off: Set<string>;
  readonly channels: ReadonlySet<string>;
  /** Minutes of the hour from 09:30 on; in all channels. */
  readonly quiet: { readonly from: number; readonly to: number } | undefined;
  failures: number;
}

export class Simulation {
  readonly #world = setUpNotifications();
  readonly #random: () => number;
  readonly #models = new Map<string, Model>();
  readonly #published = new Map<string, Published>();
  /** Taken by a service, by device and publication. */
  readonly #taken = new Map<string, number>();
  #problem: string | undefined;
  #crashes = 0;
  #isOver = false;

  constructor(seed: number) {
    this.#random = randomOf(seed);
    this.#world.state.page = 1 + this.#upTo(4);
    this.#world.state.script = (told) => this.#answer(told);
  }

  async run(): Promise<void> {
    const { notifications } = this.#world;
    const count = 2 + this.#upTo(6);
    for (let index = 0; index < count; index++) await this.#register(`d_${index}`);
    notifications.start();
    await settled();
    for (let steps = 5 + this.#upTo(30); steps > 0; steps--) await this.#step();
    this.#isOver = true;
    this.#world.life.end = undefined;
    if (this.#world.life.isDead) this.#world.restart();
    await this.#world.pass(60 * MINUTE_MS);
    await this.#judge();
  }

  async #register(id: string): Promise<void> {
    const { devices, engine, notifications, clock } = this.#world;
    const model: Model = {
      id,
      user: this.#chance(0.5) ? this.#oneOf(USERS) : undefined,
      tags: TAGS.filter(() => this.#chance(0.5)),
      hasEndpoint: this.#chance(0.85),
      goneAtMs: 0,
      isConnected: false,
      off: new Set(),
      channels: new Set(CHANNELS.filter(() => this.#chance(0.7))),
      quiet: this.#chance(0.3) ? this.#quiet() : undefined,
      failures: 0,
    };
    const device: Device = {
      ...blankDevice(id, clock.wallMs()),
      isRegistered: true,
      tags: model.tags,
      ...(model.user !== undefined && { user: model.user }),
      ...(model.hasEndpoint && {
        webPush: { endpoint: `https://push.example/${id}`, keys: { p256dh: "", auth: "" } },
      }),
    };
    await engine.saveRecords([keepDevice(device, null)]);
    for (const channel of model.channels) await devices.setSwitch(id, channel, { push: true });
    if (model.quiet !== undefined) {
      const quietHours = { from: timeOf(model.quiet.from), to: timeOf(model.quiet.to) };
      for (const name of [...model.channels, "$device", "$user", "$all"]) {
        await devices.setSwitch(id, name, { quietHours });
      }
    }
    notifications.deviceChanged({ id, device, tokenWithdrawn: false });
    this.#models.set(id, model);
  }

  #quiet() {
    const from = this.#upTo(20);
    return { from, to: from + 1 + this.#upTo(15) };
  }

  async #step(): Promise<void> {
    const { life } = this.#world;
    if (life.isDead) {
      if (this.#chance(0.5)) this.#world.restart();
    } else if (life.end === undefined && this.#chance(0.1)) {
      this.#crashes += 1;
      life.end = { inSteps: this.#upTo(60), isDone: this.#chance(0.5) };
    }
    const device = this.#oneOf([...this.#models.values()]);
    const what = this.#random();
    if (what < 0.5) await this.#publish();
    else if (what < 0.6) await this.#connect(device);
    else if (what < 0.7) await this.#switch(device);
    else if (what < 0.95) await this.#world.pass(this.#upTo(this.#chance(0.8) ? 5_000 : 3 * MINUTE_MS));
    else await this.#stop();
    if (this.#chance(0.7)) await settled();
  }

  async #stop(): Promise<void> {
    const { life, notifications } = this.#world;
    if (life.isDead) return;
    let isStopped = false;
    void notifications.stop().then(() => {
      isStopped = true;
    });
    await this.#world.pass(3_000);
    if (!isStopped && !life.isDead) this.#problem ??= "it did not end in time";
    this.#world.restart();
  }

  async #publish(): Promise<void> {
    const { publish, clock } = this.#world;
    const urgency = this.#oneOf<Urgency>(["high", "normal", "normal", "normal", "low", "very-low"]);
    const ttl = this.#chance(0.7) ? undefined : this.#oneOf([0, 5, 60, 600]);
    const target = this.#target();
    const mustTell = new Set<string>();
    for (const model of this.#models.values()) {
      const isUrgent = urgency === "high" || urgency === "normal";
      if (isUrgent && ttl === undefined && target.isMeant(model) && !model.isConnected)
        mustTell.add(model.id);
    }
    const expiresAtMs = ttl === undefined ? Number.POSITIVE_INFINITY : clock.wallMs() + ttl * 1_000;
    // The answer comes after the first may have been told.
    const known = { urgency, expiresAtMs, isStored: ttl !== 0, isMeant: target.isMeant, mustTell };
    const id = await publish({ ...target.where, urgency, ...(ttl !== undefined && { ttl }) });
    this.#published.set(id, { id, ...known });
  }

  #target(): { readonly where: { channel: string } | { to: string }; isMeant(model: Model): boolean } {
    const reachable = (model: Model, name: string) => model.hasEndpoint && !model.off.has(name);
    const kind = this.#upTo(5);
    const { id } = this.#oneOf([...this.#models.values()]);
    const user = this.#oneOf(USERS);
    const channel = this.#oneOf(CHANNELS);
    switch (kind) {
      case 0:
        return {
          where: { to: `device:${id}` },
          isMeant: (one) => one.id === id && reachable(one, "$device"),
        };
      case 1:
        return {
          where: { to: `user:${user}` },
          isMeant: (one) => one.user === user && reachable(one, "$user"),
        };
      case 2:
        return { where: { to: "everyone" }, isMeant: (one) => reachable(one, "$all") };
      case 3:
        return {
          where: { to: "tag:beta & !tag:old" },
          isMeant: ({ tags, ...one }) =>
            tags.includes("beta") && !tags.includes("old") && reachable({ tags, ...one }, "$all"),
        };
      default:
        return {
          where: { channel },
          isMeant: (one) => one.channels.has(channel) && reachable(one, channel),
        };
    }
  }

  /** It comes, and is sent everything; or goes. */
  async #connect(model: Model): Promise<void> {
    const { connected, engine } = this.#world;
    // What is under way was decided before.
    await settled();
    model.isConnected = !model.isConnected;
    if (model.isConnected) {
      connected.add(model.id);
      this.#excuse(model);
      return;
    }
    const inbox = [
      `$device/${model.id}`,
      "$all",
      ...(model.user === undefined ? [] : [`$user/${model.user}`]),
    ];
    const positions = [...model.channels, ...inbox].map(async (channel) => {
      const { epoch, offset } = await engine.top(channel);
      return { device: model.id, channel, position: { epoch, offsets: together(offset) } };
    });
    await engine.savePositions(await Promise.all(positions));
    connected.delete(model.id);
  }

  async #switch(model: Model): Promise<void> {
    const name = this.#oneOf([...model.channels, "$device", "$all"]);
    await settled();
    const push = model.off.has(name);
    await this.#world.devices.setSwitch(model.id, name, { push });
    if (push) model.off.delete(name);
    else model.off.add(name);
    this.#excuse(model);
  }

  /** From now on it need not be told of what was before. */
  #excuse(model: Model): void {
    for (const { mustTell } of this.#published.values()) mustTell.delete(model.id);
  }

  #answer(told: Told): ReturnType<Script> {
    this.#problem ??= this.#wrongIn(told);
    const model = this.#models.get(told.device);
    if (model === undefined) return "refused";
    if (!this.#isOver && this.#chance(0.3) && model.failures < MAX_FAILURES) {
      model.failures += 1;
      return this.#chance(0.3) ? "mute" : { retryAfterMs: this.#chance(0.5) ? 0 : 30_000 };
    }
    model.failures = 0;
    if (this.#chance(0.02)) {
      model.hasEndpoint = false;
      model.goneAtMs = this.#world.clock.wallMs();
      this.#excuse(model);
      return "gone";
    }
    const key = `${told.device} ${told.id}`;
    this.#taken.set(key, (this.#taken.get(key) ?? 0) + 1);
    return "sent";
  }

  #wrongIn({ device, id }: Told): string | undefined {
    const { clock } = this.#world;
    const model = this.#models.get(device);
    if (model === undefined) return `${device} is told and does not exist`;
    if (model.isConnected) return `${device} is told of ${id} and is connected`;
    if (!model.hasEndpoint) {
      // What was under way together comes together, and a process that dies has not removed it.
      const isLate = clock.wallMs() > model.goneAtMs && this.#crashes === 0;
      return isLate ? `${device} is told of ${id} and has no endpoint` : undefined;
    }
    const published = this.#published.get(id);
    // Its publisher has not been answered yet.
    if (published === undefined) return undefined;
    const { urgency, expiresAtMs, isStored, isMeant } = published;
    if (!isStored || urgency === "low" || urgency === "very-low") return `${device} is woken by ${id}`;
    if (expiresAtMs <= clock.wallMs()) return `${device} is told of ${id}, which has expired`;
    if (!isMeant(model)) return `${device} is told of ${id}, which is not for it`;
    const minute = Math.floor((clock.wallMs() - Date.UTC(2026, 10, 24, 9, 30)) / MINUTE_MS);
    const { quiet } = model;
    if (quiet !== undefined && urgency !== "high" && minute >= quiet.from && minute < quiet.to) {
      return `${device} is told of ${id} in its quiet hours`;
    }
    return undefined;
  }

  async #judge(): Promise<void> {
    if (this.#problem !== undefined) throw new Error(this.#problem);
    for (const { id, mustTell } of this.#published.values()) {
      for (const device of mustTell) {
        if (!this.#taken.has(`${device} ${id}`)) throw new Error(`${device} was not told of ${id}`);
      }
    }
    for (const [key, count] of this.#taken) {
      if (count > 1 + this.#crashes)
        throw new Error(`told ${count} times, with ${this.#crashes} crashes: ${key}`);
    }
    const waiting = await this.#world.waiting();
    if (waiting.length > 0) throw new Error(`still there: ${JSON.stringify(waiting)}`);
  }

  #upTo(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #oneOf<Item>(items: readonly Item[]): Item {
    return items[this.#upTo(items.length)] as Item;
  }
}

/** Minutes after 09:30. */
function timeOf(minutes: number): string {
  const all = 9 * 60 + 30 + minutes;
  return `${String(Math.floor(all / 60)).padStart(2, "0")}:${String(all % 60).padStart(2, "0")}`;
}
