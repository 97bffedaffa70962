/** Where devices stand, in the memory engine. */
import { furthest } from "@carillon/protocol/position";
import type { DevicePosition, KeptPosition } from "./engine.ts";

export class MemoryPositions {
  readonly #byDevice = new Map<string, Map<string, KeptPosition>>();

  of(device: string): ReadonlyMap<string, KeptPosition> {
    return new Map(this.#byDevice.get(device));
  }

  save({ device, channel, position: { epoch, offsets }, sent = offsets }: DevicePosition): void {
    const known = this.#byDevice.get(device) ?? new Map<string, KeptPosition>();
    const old = known.get(channel);
    const now = { epoch, offsets, sent: furthest(offsets, sent) };
    const isMoved = old?.epoch === epoch;
    known.set(channel, isMoved ? { epoch, ...furtherOf(old, now) } : now);
    this.#byDevice.set(device, known);
  }

  remove(device: string): void {
    this.#byDevice.delete(device);
  }
}

function furtherOf(one: KeptPosition, other: KeptPosition): Omit<KeptPosition, "epoch"> {
  return { offsets: furthest(one.offsets, other.offsets), sent: furthest(one.sent, other.sent) };
}
