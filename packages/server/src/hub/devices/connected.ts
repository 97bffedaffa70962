/**
 * The devices that are connected now: what is known of each, where it stands in its channels, and its sessions. A change by
 * a backend, by the device or by the clock reaches the open connections from here.
 */
import type { Position } from "@carillon/protocol/position";
import type { KeptPosition } from "../../engine/engine.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { TimeZone } from "../../lib/zones.ts";
import type { Channel } from "../channels.ts";
import type { Session } from "../session.ts";
import { Standing, type StandingPorts } from "../standing.ts";
import type { Wanted } from "../subscription.ts";
import { NO_TAGS, type TagSet, TagSets } from "../tag-sets.ts";
import { type Device, type Switch, switchName, switchOf } from "./device.ts";
import type { DeviceChange } from "./devices.ts";
import { type KnownDevice, KnownDevices } from "./known.ts";
import { isQuiet, nextChange } from "./quiet-hours.ts";
import { QuietTimer } from "./quiet-timer.ts";
import { isSameSwitch, switchedChannel } from "./switches.ts";

export interface ConnectedPorts extends StandingPorts {
  readonly clock: Clock;
  /** What is kept of a device. */
  load(
    id: string,
  ): Promise<{ readonly device: Device; readonly positions: ReadonlyMap<string, KeptPosition> }>;
  /** Keeps what the device wants of a channel; see `Devices.setSwitch`. */
  keepPush(id: string, channel: string, push: boolean): Promise<unknown>;
  /** See `Devices.noteChannels`. */
  noteChannels(id: string, begun: ReadonlyMap<string, Position>): Promise<unknown>;
  readonly log: Log;
  /** The zone of this name; `undefined` for none, or for one that is not known here. */
  zone(name: string | undefined): TimeZone;
}

/** What devices have in common. */
interface Shared {
  readonly tagSets: TagSets;
  readonly known: KnownDevices;
}

/** Replaced, never written to. */
const NOWHERE: Standing[] = [];
/** The promise of one's own would keep what it was made with. */
const READY = Promise.resolve();

export class ConnectedDevice {
  readonly id: string;
  readonly sessions: Session[] = [];
  #ready: Promise<void>;
  #device: KnownDevice | undefined;
  #tags: TagSet = NO_TAGS;
  /** Few: a `Map` takes 330 bytes for its first. */
  #standings: Standing[] = NOWHERE;
  /** What its client has said and is not kept yet, by the switch's name. */
  #wishes: Map<string, boolean> | undefined;
  #isKeeping = false;
  readonly #ports: ConnectedPorts;
  readonly #shared: Shared;

  constructor(id: string, ports: ConnectedPorts, shared: Shared) {
    this.id = id;
    this.#ports = ports;
    this.#shared = shared;
    this.#ready = this.#load();
  }

  /** Resolves when what is kept of it has been read. */
  get ready(): Promise<void> {
    return this.#ready;
  }

  async #load(): Promise<void> {
    const { device, positions } = await this.#ports.load(this.id);
    this.#standings = Array.from(positions, ([channel, kept]) => {
      return new Standing(channel, this, this.#ports, kept);
    });
    // What was changed meanwhile is newer.
    if (this.#device === undefined) this.know(device);
    this.#ready = READY;
  }

  /** What is known of it; `undefined` before it is ready. */
  get device(): KnownDevice | undefined {
    return this.#device;
  }

  get tags(): TagSet {
    return this.#tags;
  }

  know(device: Device): void {
    const before = this.#tags;
    const { tagSets, known } = this.#shared;
    this.#device = known.of(this.id, device);
    this.#tags = tagSets.hold(device.isRegistered ? device.tags : []);
    tagSets.release(before);
  }

  forget(): void {
    this.#shared.tagSets.release(this.#tags);
    this.#tags = NO_TAGS;
  }

  /** Where it stands in a channel, if it has ever been in it. */
  standingIn(channel: string): Standing | undefined {
    return this.#standings.find(({ name }) => name === channel);
  }

  /** Where it stands in a channel from now on. */
  stand(channel: string): Standing {
    const known = this.standingIn(channel);
    if (known !== undefined) return known;
    const standing = new Standing(channel, this, this.#ports);
    this.#standings = [...this.#standings, standing];
    return standing;
  }

  /** It is not in this channel any more: when it comes back, it begins from then. */
  leave(channel: string): void {
    this.#standings = this.#standings.filter(({ name }) => name !== channel);
  }

  /** What it wants of a channel at this moment. */
  wants(channel: string): Wanted {
    const { push, quietHours } = this.switchOf(channel);
    if (!push) return "none";
    if (quietHours === undefined) return "all";
    const { clock, zone } = this.#ports;
    return isQuiet(quietHours, zone(this.#device?.timeZone), clock.wallMs()) ? "urgent" : "all";
  }

  /** Its switch for a channel, with what its client has just said. */
  switchOf(channel: string): Switch {
    const kept = this.#device === undefined ? { push: true } : switchOf(this.#device, channel);
    const push = this.#wishes?.get(switchName(channel)) ?? kept.push;
    return push === kept.push ? kept : { ...kept, push };
  }

  /** Its client switches push in these channels: in force at once, on all its connections, and kept soon. */
  switchPush(channels: readonly string[], push: boolean): void {
    this.#wishes ??= new Map();
    for (const channel of channels) {
      if (this.switchOf(channel).push !== push) this.#wishes.set(switchName(channel), push);
    }
    for (const session of this.sessions) session.applySwitches();
    void this.#keepWishes();
  }

  /** One after the other, the latest word on each. What cannot be kept is in force until the device leaves. */
  async #keepWishes(): Promise<void> {
    if (this.#isKeeping) return;
    this.#isKeeping = true;
    try {
      for (let [wish] = this.#wishes ?? []; wish !== undefined; [wish] = this.#wishes ?? []) {
        const [name, push] = wish;
        await this.#ports.keepPush(this.id, name, push);
        if (this.#wishes?.get(name) === push) this.#wishes.delete(name);
      }
    } catch (error) {
      this.#ports.log.warn(`A push switch could not be kept: ${error}`, { device: this.id });
    } finally {
      this.#isKeeping = false;
    }
  }

  /**
   * It stands in these channels: the first time that is kept before it goes on, so that from then on it misses nothing,
   * whatever happens. Where it cannot be kept, it goes on all the same.
   */
  async begin(channels: readonly Channel[]): Promise<void> {
    const known = this.#device?.subscriptions ?? {};
    const begun = new Map<string, Position>();
    for (const { name } of channels) {
      const position = this.standingIn(name)?.position;
      const isKnown = name.startsWith("$") || Object.hasOwn(known, name);
      if (!isKnown && position !== undefined) begun.set(name, position);
    }
    if (begun.size === 0) return;
    try {
      await this.#ports.noteChannels(this.id, begun);
    } catch (error) {
      this.#ports.log.warn(`A device's channels could not be kept: ${error}`, { device: this.id });
    }
  }

  /** When its quiet hours next begin or end; `undefined` if it has none. */
  get nextChangeMs(): number | undefined {
    if (this.#device === undefined) return undefined;
    const { clock, zone } = this.#ports;
    const changes: number[] = [];
    for (const { quietHours } of Object.values(this.#device.subscriptions)) {
      if (quietHours === undefined) continue;
      changes.push(nextChange(quietHours, zone(this.#device.timeZone), clock.wallMs()));
    }
    return changes.length === 0 ? undefined : Math.min(...changes);
  }
}

export class ConnectedDevices {
  readonly #ports: ConnectedPorts;
  readonly #byId = new Map<string, ConnectedDevice>();
  readonly #shared: Shared = { tagSets: new TagSets(), known: new KnownDevices() };
  readonly #quiet: QuietTimer;

  constructor(ports: ConnectedPorts) {
    this.#ports = ports;
    this.#quiet = new QuietTimer(ports.clock, (device) => apply(device));
  }

  get size(): number {
    return this.#byId.size;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  get(id: string): ConnectedDevice | undefined {
    return this.#byId.get(id);
  }

  /** `session` is one of this device's from now on; what is kept of it is being read. */
  enter(id: string, session: Session): ConnectedDevice {
    let connected = this.#byId.get(id);
    if (connected === undefined) {
      connected = new ConnectedDevice(id, this.#ports, this.#shared);
      this.#byId.set(id, connected);
      const entered = connected;
      connected.ready.then(
        () => this.#watch(entered),
        // Whoever waits for it is told; the next session asks again.
        () => this.#forget(entered),
      );
    }
    connected.sessions.push(session);
    return connected;
  }

  /** Resolves to whether it was its last session. */
  leave(connected: ConnectedDevice, session: Session): boolean {
    const at = connected.sessions.indexOf(session);
    if (at >= 0) connected.sessions.splice(at, 1);
    if (connected.sessions.length > 0) return false;
    this.#forget(connected);
    return true;
  }

  #watch(connected: ConnectedDevice): void {
    if (this.#byId.get(connected.id) === connected) this.#quiet.watch(connected);
  }

  #forget(connected: ConnectedDevice): void {
    if (this.#byId.get(connected.id) !== connected) return;
    this.#byId.delete(connected.id);
    this.#quiet.forget(connected);
    connected.forget();
  }

  /** What is kept of a device has changed: open connections follow at once. */
  changed({ id, device }: DeviceChange): void {
    const connected = this.#byId.get(id);
    if (connected === undefined || device === undefined) return;
    const before = connected.device;
    connected.know(device);
    if (before !== undefined && connected.device !== undefined)
      tellSwitches(connected, before, connected.device);
    this.#watch(connected);
    if (before !== undefined && before.user !== device.user) {
      // A copy: those that are closed leave.
      for (const session of [...connected.sessions]) session.inboxChanged();
      return;
    }
    apply(connected);
    for (const session of connected.sessions) session.retag();
  }

  stop(): void {
    this.#quiet.stop();
  }
}

/** Tells its sessions which switches are others now. */
function tellSwitches({ sessions }: ConnectedDevice, before: KnownDevice, now: KnownDevice): void {
  const names = new Set([...Object.keys(before.subscriptions), ...Object.keys(now.subscriptions)]);
  for (const name of names) {
    const is = switchOf(now, name);
    if (isSameSwitch(switchOf(before, name), is)) continue;
    const channel = switchedChannel(now, name);
    if (channel !== undefined) for (const session of sessions) session.switchChanged(channel, is);
  }
}

function apply(connected: ConnectedDevice): void {
  for (const session of connected.sessions) session.applySwitches();
}
