/**
 * Which devices a publication is for, connected or not: found by the labels of their records, in pages. Those that have
 * switched push off are not among them.
 */
import type { Engine } from "../../engine/engine.ts";
import type { Clock } from "../../lib/clock.ts";
import { requiredTags, singleTag, tagTest } from "../tag-expressions.ts";
import { type Device, EVERYONE, inboxOf, switchName, switchOf } from "./device.ts";
import type { DeviceStore } from "./store.ts";
import {
  channelLabel,
  DEVICE,
  HAS_ENDPOINT,
  offLabel,
  publicPart,
  REGISTERED,
  tagLabel,
  userLabel,
} from "./stored.ts";

/** Devices looked at in one turn of the event loop. */
const PAGE = 100;

export interface RecipientsPorts {
  readonly engine: Pick<Engine, "labelled" | "countLabelled">;
  readonly clock: Clock;
}

/** Devices that carry a label, of which those count that pass. */
interface Search {
  readonly label: string;
  passes(device: Device): boolean;
}

export class Recipients {
  readonly #ports: RecipientsPorts;
  readonly #store: DeviceStore;

  constructor(ports: RecipientsPorts, store: DeviceStore) {
    this.#ports = ports;
    this.#store = store;
  }

  /**
   * Those of the next `limit` devices after the id `after` that a publication is for, at most 100; `next` is the `after` of
   * the next page, null when there is none. A page may be empty and not the last. `isReachable`: only those that a push
   * service may reach.
   * @throws {EngineError} by rejection.
   */
  async page(
    channel: string,
    target: string | undefined,
    after: string,
    limit = PAGE,
    isReachable = false,
  ): Promise<{ readonly devices: readonly Device[]; readonly next: string | null }> {
    const own = ownerOf(channel);
    if (own !== undefined) {
      const found = after < own ? await this.#alone(own, channel) : [];
      return { devices: isReachable ? found.filter(hasEndpoint) : found, next: null };
    }
    const search = await this.#searchFor(channel, target);
    const narrowed = isReachable ? await this.#reachable(search, channel, target) : search;
    return this.#page(narrowed, after, Math.min(limit, PAGE));
  }

  /**
   * How many devices a publication is for. At once for a channel, one tag or everyone; else all that may be meant are
   * looked at, in pages with others' turns between them.
   * @throws {EngineError} by rejection.
   */
  async count(channel: string, target: string | undefined): Promise<number> {
    const { engine } = this.#ports;
    const own = ownerOf(channel);
    if (own !== undefined) return (await this.#alone(own, channel)).length;
    if (channel !== EVERYONE) {
      if (!channel.startsWith("$")) return engine.countLabelled(DEVICE, channelLabel(channel));
      return this.#countBy(await this.#searchFor(channel, target));
    }
    const off = await engine.countLabelled(DEVICE, offLabel(EVERYONE));
    if (target === undefined) return (await engine.countLabelled(DEVICE, REGISTERED)) - off;
    const tag = singleTag(target);
    if (tag === undefined) return this.#countBy(await this.#searchFor(channel, target));
    const carry = await engine.countLabelled(DEVICE, tagLabel(tag));
    if (off === 0 || carry === 0) return carry;
    // The fewer of the two are looked at: those that carry the tag, or those that have switched off.
    if (carry <= off) return this.#countBy(await this.#searchFor(channel, target));
    const hasTag = ({ tags }: Device) => tags?.includes(tag) === true;
    return carry - (await this.#countBy({ label: offLabel(EVERYONE), passes: hasTag }));
  }

  async #alone(id: string, channel: string): Promise<readonly Device[]> {
    const device = await this.#store.read(id);
    return device?.isRegistered === true && switchOf(device, channel).push ? [publicPart(device)] : [];
  }

  async #searchFor(channel: string, target: string | undefined): Promise<Search> {
    const wants = (device: Device) => switchOf(device, channel).push;
    if (target !== undefined) {
      const test = tagTest(target);
      const passes = (device: Device) => wants(device) && test(new Set(device.tags));
      return { label: await this.#rarest(requiredTags(target)), passes };
    }
    if (channel === EVERYONE) return { label: REGISTERED, passes: wants };
    const isUsers = switchName(channel) === "$user";
    return {
      label: isUsers ? userLabel(channel.slice("$user/".length)) : channelLabel(channel),
      passes: wants,
    };
  }

  /** Looks at those that the fewest are: the ones that are meant, or the ones that can be reached. */
  async #reachable(search: Search, channel: string, target: string | undefined): Promise<Search> {
    const { engine } = this.#ports;
    const reachable = await engine.countLabelled(DEVICE, HAS_ENDPOINT);
    if (reachable < (await engine.countLabelled(DEVICE, search.label))) {
      return { label: HAS_ENDPOINT, passes: (device) => isRecipient(device, channel, target) };
    }
    return { ...search, passes: (device) => hasEndpoint(device) && search.passes(device) };
  }

  /** The label that the fewest carry of those that all who are meant carry. */
  async #rarest(tags: readonly string[]): Promise<string> {
    let rarest = REGISTERED;
    let fewest = Number.POSITIVE_INFINITY;
    for (const label of tags.map(tagLabel)) {
      const count = await this.#ports.engine.countLabelled(DEVICE, label);
      if (count < fewest) [rarest, fewest] = [label, count];
    }
    return rarest;
  }

  async #page({ label, passes }: Search, after: string, limit: number) {
    const records = await this.#ports.engine.labelled(DEVICE, label, after, limit);
    const devices = this.#store.readable(records).filter(passes).map(publicPart);
    return { devices, next: records.length === limit ? (records.at(-1)?.id ?? null) : null };
  }

  async #countBy(search: Search): Promise<number> {
    let count = 0;
    for (let after: string | null = ""; after !== null; ) {
      const { devices, next }: Awaited<ReturnType<Recipients["page"]>> = await this.#page(
        search,
        after,
        PAGE,
      );
      count += devices.length;
      after = next;
      if (next !== null) await turnOfOthers(this.#ports.clock);
    }
    return count;
  }
}

/** Whether a device is one of those that a publication is for. */
export function isRecipient(device: Device, channel: string, target: string | undefined): boolean {
  if (!switchOf(device, channel).push) return false;
  if (!channel.startsWith("$")) return Object.hasOwn(device.subscriptions, channel);
  if (!inboxOf(device).includes(channel)) return false;
  return target === undefined || tagTest(target)(new Set(device.tags));
}

/** Whether a push service may reach it. */
export function hasEndpoint({ webPush, unifiedPush }: Device): boolean {
  return webPush !== undefined || unifiedPush !== undefined;
}

/** The device whose own channel it is. */
function ownerOf(channel: string): string | undefined {
  return channel.startsWith("$device/") ? channel.slice("$device/".length) : undefined;
}

/** Lets everything else that waits go first. */
export function turnOfOthers(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.setTimer(0, resolve));
}
