/**
 * Positions: how far a reader has come in a channel.
 *
 * A channel is one totally ordered log; its publications are sorted into three lanes by urgency, and a reader may stand
 * further in one lane than in another. A position is therefore the log's epoch and one offset per lane. On the wire it
 * is written as one number while all lanes stand together.
 *
 *     const position = { epoch: "k3v9", offsets: [7, 7, 7] };
 *     encodePosition(position); // { epoch: "k3v9", offset: 7 }
 */

/** How much a publication wants to wake its receiver (RFC 8030 section 5.3). */
export const URGENCIES = ["very-low", "low", "normal", "high"] as const;
export type Urgency = (typeof URGENCIES)[number];

/** The lanes from the most urgent to the least. Order is promised within a lane. */
export const LANES = ["high", "normal", "low"] as const;
/** An index into `LANES` and `Offsets`. */
export type Lane = 0 | 1 | 2;

/** `low` and `very-low` share a lane. */
export function laneOf(urgency: Urgency): Lane {
  if (urgency === "high") return 0;
  return urgency === "normal" ? 1 : 2;
}

/** One offset per lane: what has been read up to it, inclusive; 0 is nothing. */
export type Offsets = readonly [high: number, normal: number, low: number];

export const START: Offsets = [0, 0, 0];

export interface Position {
  /** Which incarnation of the log the offsets belong to. */
  readonly epoch: string;
  readonly offsets: Offsets;
}

/** A position as it is written on the wire. */
export interface WirePosition {
  readonly epoch: string;
  readonly offset: number | Offsets;
}

/** All lanes at one offset. */
export function together(offset: number): Offsets {
  return [offset, offset, offset];
}

/** The further of two, lane by lane. */
export function furthest(one: Offsets, other: Offsets): Offsets {
  return [Math.max(one[0], other[0]), Math.max(one[1], other[1]), Math.max(one[2], other[2])];
}

/** `offsets` with one lane moved on to `offset`; a lane never moves back. */
export function advance(offsets: Offsets, lane: Lane, offset: number): Offsets {
  if (offset <= offsets[lane]) return offsets;
  const moved: [number, number, number] = [...offsets];
  moved[lane] = offset;
  return moved;
}

export function encodePosition({ epoch, offsets }: Position): WirePosition {
  const [high, normal, low] = offsets;
  return { epoch, offset: high === normal && normal === low ? high : offsets };
}

/** The other way round; a number is an offset of all lanes. */
export function decodePosition({ epoch, offset }: WirePosition): Position {
  return { epoch, offsets: typeof offset === "number" ? together(offset) : offset };
}
