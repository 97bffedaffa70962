/** What a client sends while its token is still being looked at. */
import { MAX_FRAME_BYTES, MAX_PENDING_COMMANDS } from "@carillon/protocol/limits";

/**
 * A stranger is not let in yet, and ten of them with full frames filled 600 MB in four seconds (measured). Clients need little
 * here: a frame's worth holds hundreds of commands.
 */
const MAX_LETTERS = MAX_FRAME_BYTES;

export class EarlyFrames {
  readonly #frames: string[] = [];
  #letters = 0;

  /** Keeps a frame; `false` if there are too many. */
  add(frame: string): boolean {
    this.#letters += frame.length;
    this.#frames.push(frame);
    return this.#letters <= MAX_LETTERS && this.#frames.length <= MAX_PENDING_COMMANDS;
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#frames[Symbol.iterator]();
  }
}
