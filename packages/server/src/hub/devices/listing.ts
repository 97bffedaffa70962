/** Lists of devices, for those who look after them. */
import type { Engine } from "../../engine/engine.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Device } from "./device.ts";
import { turnOfOthers } from "./recipients.ts";
import type { DeviceStore } from "./store.ts";
import { DEVICE, publicPart, tagLabel, userLabel } from "./stored.ts";

/** Which devices: all, or those of a user or with a tag or both. */
export interface DeviceFilter {
  readonly user?: string | undefined;
  readonly tag?: string | undefined;
}

export interface ListingPorts {
  readonly engine: Pick<Engine, "records" | "labelled">;
  readonly clock: Clock;
}

/**
 * At most `limit` devices after the id `after`, by id.
 * @throws {EngineError} by rejection.
 */
export async function listDevices(
  { user, tag }: DeviceFilter,
  { after, limit }: { readonly after: string; readonly limit: number },
  { engine, clock }: ListingPorts,
  store: DeviceStore,
): Promise<readonly Device[]> {
  const label = user !== undefined ? userLabel(user) : tag !== undefined ? tagLabel(tag) : undefined;
  if (label === undefined) {
    return store.readable(await engine.records(DEVICE, after, limit)).map(publicPart);
  }
  const found: Device[] = [];
  for (let from = after; ; ) {
    const records = await engine.labelled(DEVICE, label, from, limit);
    const fitting = store.readable(records).filter((one) => tag === undefined || one.tags?.includes(tag));
    found.push(...fitting.map(publicPart));
    from = records.at(-1)?.id ?? "";
    if (records.length < limit || found.length >= limit) return found.slice(0, limit);
    await turnOfOthers(clock);
  }
}
