import type { Accepted, NewPublication } from "./engine.ts";

/** `item` as it is announced and read. */
export function accepted(item: NewPublication, offset: number, prev: number): Accepted {
  const { id, channel, timeMs, lane, data, meta, expiresAtMs, target } = item;
  if (target !== undefined) {
    const expiry = expiresAtMs === undefined ? {} : { expiresAtMs };
    return { id, channel, timeMs, lane, data, meta, offset, prev, ...expiry, target };
  }
  if (expiresAtMs === undefined) return { id, channel, timeMs, lane, data, meta, offset, prev };
  return { id, channel, timeMs, lane, data, meta, offset, prev, expiresAtMs };
}
