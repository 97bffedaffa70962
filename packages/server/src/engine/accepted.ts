import type { Accepted, NewPublication } from "./engine.ts";

/** `item` as it is announced and read. */
export function accepted(item: NewPublication, offset: number, prev: number): Accepted {
  const { id, channel, timeMs, lane, data, meta, expiresAtMs } = item;
  if (expiresAtMs === undefined) return { id, channel, timeMs, lane, data, meta, offset, prev };
  return { id, channel, timeMs, lane, data, meta, offset, prev, expiresAtMs };
}
