/** Where a subscription starts, from what the client says and what is kept for its device. */
import { furthest, type Offsets, type Position, START, together } from "@carillon/protocol/position";
import type { Channel } from "./channels.ts";

/** What comes after it is sent; without an epoch it is an offset of whatever log there is. */
export interface Since {
  readonly epoch?: string;
  readonly offset: number;
}

/** An offset, or `epoch:offset`. */
const SINCE = /^(?:([A-Za-z0-9_-]{1,64}):)?(\d{1,15})$/;

/** `undefined` when it is none. */
export function parseSince(text: string): Since | undefined {
  const [all, epoch, offset] = SINCE.exec(text) ?? [];
  if (all === undefined) return undefined;
  return { ...(epoch !== undefined && { epoch }), offset: Number(offset) };
}

/**
 * Where catch-up starts, `undefined` for from now: the further one of what the client says and the kept position, lane by
 * lane. A position of another log, or one ahead of this log, is answered with everything kept.
 */
export function startOf(
  channel: Channel,
  kept: Position | undefined,
  since: Since | undefined,
): Offsets | undefined {
  const starts: Offsets[] = [];
  if (kept !== undefined) starts.push(kept.epoch === channel.epoch ? kept.offsets : START);
  if (since !== undefined) {
    const { epoch = channel.epoch, offset } = since;
    const fits = epoch === channel.epoch && offset <= channel.delivered;
    starts.push(fits ? together(offset) : START);
  }
  return starts.length === 0 ? undefined : starts.reduce(furthest);
}

/** A kept position that is ahead of its log is of no use: the log has lost its end, and the client cannot mend that. */
export function withinLog({ epoch, delivered }: Channel, kept: Position | undefined): Position | undefined {
  return kept?.epoch === epoch && Math.max(...kept.offsets) > delivered ? undefined : kept;
}

/** The further one of two, lane by lane; one of this log counts more than one of another. */
export function further(epoch: string, one?: Position, other?: Position): Position | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  if (one.epoch !== epoch) return other;
  if (other.epoch !== epoch) return one;
  return { epoch, offsets: furthest(one.offsets, other.offsets) };
}
