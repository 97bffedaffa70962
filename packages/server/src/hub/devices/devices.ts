/**
 * The devices that are known: who they are, what they want pushed, and their tokens.
 *
 *     const devices = new Devices({ engine, clock, log, … });
 *     const { device, token } = await devices.register({ platform: "android", tags: ["beta"] }, "admin");
 *     devices.kind(token); // Access, who: `device:${device.id}`
 *     await devices.setSwitch(device.id, "news", { push: false });
 *
 * Nothing of them is kept in memory: a million devices cost a file.
 */
import { type Position, together } from "@carillon/protocol/position";
import type { DevicePosition, Engine, KeptRecord } from "../../engine/engine.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Access, TokenKind } from "../access.ts";
import type { Grants } from "../grants.ts";
import { type Device, type DeviceFields, inboxOf, NO_EPOCH, switchName } from "./device.ts";
import { type DeviceExport, exportOf } from "./export.ts";
import { Forgetting } from "./forgetting.ts";
import { LastSeen } from "./last-seen.ts";
import { type DeviceFilter, listDevices } from "./listing.ts";
import { Recipients } from "./recipients.ts";
import { removeDevice } from "./removal.ts";
import { type DeviceChange, DeviceStore, type Edited } from "./store.ts";
import { blankDevice, publicPart, type StoredDevice } from "./stored.ts";
import {
  DeviceRefused,
  isSameSwitch,
  patched,
  type SwitchPatch,
  switchedChannel,
  withSwitches,
} from "./switches.ts";
import { deviceAccesses, isHashOf, isOurId, newDeviceId, newToken, parseToken } from "./tokens.ts";

export type { DeviceExport } from "./export.ts";
export type { DeviceChange } from "./store.ts";
export { DeviceRefused } from "./switches.ts";

export interface DevicesPorts {
  readonly engine: Pick<
    Engine,
    | "countLabelled"
    | "due"
    | "labelled"
    | "positionsOf"
    | "read"
    | "record"
    | "records"
    | "removeDevice"
    | "savePositions"
    | "saveRecords"
    | "top"
  >;
  readonly clock: Clock;
  readonly log: Log;
  /** How long a device is kept that is not seen. Asked each time, so it may change. */
  forgetAfterMs(): number;
  /** What a device may to which nobody has granted anything: what everybody may. */
  readonly mayAnybody: Access["may"];
  /** Whether it has a connection now. */
  isConnected(id: string): boolean;
  /** Hears of each change once it is durable, but for when it was last seen. It must not throw. */
  changed(change: DeviceChange): void;
  /** Records that are kept of a device and publications, by their ids, after `after`. */
  receiptsOf(id: string, after: string, limit: number): Promise<readonly KeptRecord[]>;
}

/** What is said of a new device. */
export interface NewDevice extends DeviceFields {
  /** What its token may. Absent: what everybody may. */
  readonly grants?: Grants;
}

/** Fields to change; `undefined` removes one. */
export type DevicePatch = { readonly [Name in keyof DeviceFields]?: DeviceFields[Name] | undefined };

export class Devices {
  readonly #ports: DevicesPorts;
  readonly #store: DeviceStore;
  readonly #recipients: Recipients;
  readonly #lastSeen: LastSeen;
  readonly #forgetting: Forgetting;
  readonly #accessOf: (device: StoredDevice) => Access;
  /** By which of its tokens somebody was let in, until it is known for whom the connection is. */
  readonly #letInBy = new WeakMap<Access, string>();

  constructor(ports: DevicesPorts) {
    this.#ports = ports;
    this.#store = new DeviceStore(ports);
    this.#recipients = new Recipients(ports, this.#store);
    this.#lastSeen = new LastSeen(ports);
    this.#accessOf = deviceAccesses(ports.mayAnybody);
    this.#forgetting = new Forgetting({
      ...ports,
      seen: (id) => this.seen(id),
      remove: (id) => this.remove(id),
    });
  }

  /** Tokens that are devices'. Reads the record each time, so that one that was withdrawn is none at once. */
  readonly kind: TokenKind = (token) => {
    const parsed = parseToken(token);
    return parsed && this.#letIn(parsed);
  };

  async #letIn({ id, secret }: { readonly id: string; readonly secret: string }) {
    try {
      const device = await this.#store.read(id);
      if (device?.hash === undefined || !isHashOf(device.hash, secret)) return "invalid";
      const access = this.#accessOf(device);
      this.#letInBy.set(access, device.hash);
      return access;
    } catch (error) {
      this.#ports.log.warn(`A device's token could not be looked at: ${error}`, { device: id });
      return "unavailable";
    }
  }

  /**
   * Makes a device for `by`, who has the right to say this of it; resolves when it is durable. Its inbox begins now. `token`
   * is kept nowhere.
   * @throws {EngineError} by rejection; then there is no such device.
   */
  async register(said: NewDevice, by: string): Promise<{ readonly device: Device; readonly token: string }> {
    const id = newDeviceId();
    const { token, hash } = newToken(id);
    const blank = blankDevice(id, this.#ports.clock.wallMs());
    const device: StoredDevice = { ...said, ...blank, isRegistered: true, hash, by };
    // What its own channel holds is for it in any case.
    const [, ...others] = inboxOf(device);
    const positions = await this.#now(id, others);
    await this.#store.edit(id, async () => ({ device, positions }));
    return { device: publicPart(device), token };
  }

  /**
   * What is known of a device.
   * @throws {EngineError} by rejection.
   */
  async get(id: string): Promise<Device | undefined> {
    const device = await this.#store.read(id);
    return device && publicPart(device);
  }

  /**
   * The device that a connection is for: its token's, or the one that it names; `undefined` if it is for none. One that is
   * registered is named by its own token and by admins alone. To be asked when the session is known by its access, so that a
   * token which is withdrawn meanwhile is noticed here or there.
   * @throws {EngineError} by rejection.
   */
  async enter(access: Access, named: string | undefined): Promise<Device | undefined | "forbidden"> {
    const id = access.device ?? named;
    if (id === undefined) return undefined;
    if (named !== undefined && named !== id) return "forbidden";
    const device = await this.#store.read(id);
    if (access.device !== undefined) {
      const isLetIn = device?.hash !== undefined && device.hash === this.#letInBy.get(access);
      return isLetIn ? publicPart(device) : "forbidden";
    }
    if (!access.isAdmin && (isOurId(id) || device?.isRegistered === true)) return "forbidden";
    return device === undefined ? blankDevice(id, this.#ports.clock.wallMs()) : publicPart(device);
  }

  /**
   * At most `limit` devices after the id `after`, by id: all, or those of a user or with a tag or both.
   * @throws {EngineError} by rejection.
   */
  async list(filter: DeviceFilter, after: string, limit: number): Promise<readonly Device[]> {
    return listDevices(filter, { after, limit }, this.#ports, this.#store);
  }

  /**
   * Changes what is said of a registered device, if `applies` to it as it is by then; `undefined` if there is none. Another
   * user's inbox begins now.
   * @throws {EngineError} by rejection.
   */
  async change(
    id: string,
    patch: DevicePatch,
    applies: (device: Device) => boolean = () => true,
  ): Promise<Device | undefined> {
    return this.#edit(id, async (device) => {
      if (!applies(device)) return { device };
      // JSON would leave out what is undefined; whoever hears of the change is to see the same.
      const { user, ...rest } = Object.fromEntries(
        Object.entries({ ...device, ...patch }).filter(([, value]) => value !== undefined),
      ) as unknown as StoredDevice;
      const changed = user === undefined ? rest : { ...rest, user };
      if (user === undefined || user === device.user) return { device: changed };
      return { device: changed, positions: await this.#now(id, [`$user/${user}`]) };
    });
  }

  /** Edits one that is registered. */
  async #edit(id: string, edit: (device: StoredDevice) => Promise<Edited>): Promise<Device | undefined> {
    const edited = await this.#store.edit(id, async (device) => {
      return device?.isRegistered === true ? edit(device) : undefined;
    });
    return edited?.isRegistered === true ? publicPart(edited) : undefined;
  }

  /**
   * Sets a push switch, of a device that is not registered, too. Switched on, or wanted for the first time, a channel begins
   * now. `channel` is a channel's name, or one of the device's inbox.
   * @throws {DeviceRefused} by rejection, if it has too many, or was removed.
   * @throws {EngineError} by rejection.
   */
  async setSwitch(id: string, channel: string, patch: SwitchPatch): Promise<Device> {
    const name = switchName(channel);
    return this.#upsert(id, async (device) => {
      const { subscriptions } = device;
      const before = Object.hasOwn(subscriptions, name) ? subscriptions[name] : undefined;
      const after = patched(before ?? { push: true }, patch);
      if (before !== undefined && isSameSwitch(before, after)) return undefined;
      const edited = { ...device, subscriptions: withSwitches(subscriptions, { [name]: after }) };
      const full = switchedChannel(device, name);
      if (!after.push || full === undefined || before?.push === true) return { device: edited };
      if (before?.push === false) return { device: edited, positions: await this.#now(id, [full]) };
      // Nobody has switched its inbox off: what waits there stays.
      if (name.startsWith("$")) return { device: edited };
      return { device: edited, positions: await this.#nowUnlessThere(id, [full]) };
    });
  }

  /**
   * Notes that the device has subscribed to these channels, and where it stands in them.
   * @throws {DeviceRefused} by rejection, if these are too many, or it was removed; then none is noted.
   * @throws {EngineError} by rejection.
   */
  async noteChannels(id: string, begun: ReadonlyMap<string, Position>): Promise<Device> {
    return this.#upsert(id, async (device) => {
      const { subscriptions } = device;
      const added = [...begun].filter(([name]) => !Object.hasOwn(subscriptions, name));
      if (added.length === 0) return undefined;
      const noted = Object.fromEntries(added.map(([name]) => [name, { push: true }]));
      const edited = { ...device, subscriptions: withSwitches(subscriptions, noted) };
      const positions = added.map(([channel, position]) => ({ device: id, channel, position }));
      return { device: edited, positions };
    });
  }

  /**
   * The device has left a channel: publications there are not for it any more. A switch that somebody has set stays.
   * @throws {EngineError} by rejection.
   */
  async leaveChannel(id: string, channel: string): Promise<void> {
    await this.#store.edit(id, async (device) => {
      const { [channel]: left, ...subscriptions } = device?.subscriptions ?? {};
      if (device === undefined || left === undefined || !isSameSwitch(left, { push: true })) return undefined;
      return { device: { ...device, subscriptions } };
    });
  }

  async #upsert(id: string, edit: (device: StoredDevice) => Promise<Edited | undefined>): Promise<Device> {
    const blank = blankDevice(id, this.#ports.clock.wallMs());
    const edited = await this.#store.edit(id, async (device) => {
      // One that was removed does not come back by what its app still says.
      if (device === undefined && isOurId(id)) {
        throw new DeviceRefused("unknown_device", `there is no device ${id}`);
      }
      return edit(device ?? blank);
    });
    return publicPart(edited ?? blank);
  }

  /** A new token, which is the only valid one from now on; `undefined` if it is not registered. */
  async rotate(id: string): Promise<string | undefined> {
    const { token, hash } = newToken(id);
    const device = await this.#edit(id, async (device) => ({ device: { ...device, hash } }));
    return device && token;
  }

  /** No token of it is valid from now on; `false` if it is not registered. */
  async revoke(id: string): Promise<boolean> {
    const device = await this.#edit(id, async ({ hash: _, ...device }) => ({ device }));
    return device !== undefined;
  }

  /**
   * Removes a device and all that is kept of it; `false` if there is none.
   * @throws {EngineError} by rejection.
   */
  async remove(id: string): Promise<boolean> {
    return this.#store.inTurn(id, async () => {
      const isRemoved = await removeDevice(id, this.#ports);
      if (isRemoved) this.#ports.changed({ id, device: undefined, tokenWithdrawn: true });
      return isRemoved;
    });
  }

  /** It is here now; or has just left. */
  seen(id: string, hasLeft = false): void {
    this.#lastSeen.note(id, hasLeft);
  }

  /**
   * All that is kept of a device.
   * @throws {EngineError} by rejection.
   */
  async export(id: string): Promise<DeviceExport | undefined> {
    const device = await this.#store.read(id);
    return device && exportOf(device, this.#ports);
  }

  /** See `Recipients.page`. */
  audience(...asked: Parameters<Recipients["page"]>): ReturnType<Recipients["page"]> {
    return this.#recipients.page(...asked);
  }

  /** See `Recipients.count`. */
  countAudience(channel: string, target: string | undefined): Promise<number> {
    return this.#recipients.count(channel, target);
  }

  /** Begins to forget devices that are not seen for long. */
  start(): void {
    this.#forgetting.start();
  }

  /** Ends that; resolves when nothing is under way. */
  stop(): Promise<void> {
    return this.#forgetting.stop();
  }

  /** Writes what is only in memory yet. */
  flush(): Promise<void> {
    return this.#lastSeen.flush();
  }

  /** Positions at the tops of channels as they are now. */
  #now(device: string, channels: readonly string[]): Promise<readonly DevicePosition[]> {
    const asked = channels.map(async (channel) => {
      const { epoch, offset } = await this.#ports.engine.top(channel);
      return { device, channel, position: { epoch, offsets: together(offset) } };
    });
    return Promise.all(asked);
  }

  async #nowUnlessThere(device: string, channels: readonly string[]): Promise<readonly DevicePosition[]> {
    const there = await this.#ports.engine.positionsOf(device);
    return this.#now(
      device,
      channels.filter((channel) => (there.get(channel)?.epoch ?? NO_EPOCH) === NO_EPOCH),
    );
  }
}
