/**
 * How far a channel has come: which publications are new, which were seen, and where something is missing. Pure; the
 * rules are PROTOCOL.md's, "What a client does".
 */
import type { Publication } from "@carillon/protocol/frames";
import {
  decodePosition,
  furthest,
  laneOf,
  type Offsets,
  type Position,
  type WirePosition,
} from "@carillon/protocol/position";
import { RecentIds } from "./recent-ids.ts";

export type Verdict = "new" | "seen" | "missing";

export class Progress {
  /** Everything up to here has been received; `undefined` before the channel was ever subscribed to. */
  position: Position | undefined;
  #ids = new RecentIds();

  /** Decides on a publication and, if it is new, moves on. In a page a jump is no loss. */
  take({ id, offset, prev = 0, urgency = "normal" }: Publication, inPage: boolean): Verdict {
    const lane = laneOf(urgency);
    const position = this.position;
    if (offset !== undefined && position !== undefined) {
      if (offset <= position.offsets[lane]) return "seen";
      if (!inPage && prev > position.offsets[lane]) return "missing";
      const moved: [number, number, number] = [...position.offsets];
      moved[lane] = offset;
      this.position = { ...position, offsets: moved };
    }
    if (this.#ids.has(id)) return "seen";
    this.#ids.add(id);
    return "new";
  }

  /** A page covered everything up to `to`, in each lane or in all. */
  cover(to: WirePosition["offset"]): void {
    const { position } = this;
    if (position !== undefined)
      this.position = further(position, decodePosition({ ...position, offset: to }));
  }

  /** The position and ids of before mean nothing any more. */
  forget(): void {
    this.position = undefined;
    this.#ids = new RecentIds();
  }
}

/** In one log the further of the two, lane by lane; else `later`. */
export function further(earlier: Position | undefined, later: Position): Position {
  return earlier?.epoch === later.epoch
    ? { ...later, offsets: furthest(earlier.offsets, later.offsets) }
    : later;
}

/** Whether `one` stands at or beyond `other` in every lane. */
export function reaches(one: Offsets, other: Offsets): boolean {
  return one.every((offset, lane) => offset >= (other[lane] ?? 0));
}
