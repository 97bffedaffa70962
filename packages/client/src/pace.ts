/**
 * Frames in line, no more a second than the server takes: a thousand publishes at once would otherwise count as a flood,
 * and the connection be closed with 1008.
 */
import { MAX_FRAMES_PER_SECOND } from "@carillon/protocol/limits";
import type { CancelTimer, Platform } from "./platform.ts";

const WINDOW_MS = 1_000;
/** The server's second may begin in the middle of one here and see most of two; what is left over is for acks. */
const MOST_IN_WINDOW = MAX_FRAMES_PER_SECOND * 0.45;

export class Pace {
  readonly #platform: Platform;
  #line: (() => void)[] = [];
  #left = MOST_IN_WINDOW;
  #cancel: CancelTimer | undefined;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** Calls `send` when its turn has come: at once, unless much has been sent just now. */
  run(send: () => void): void {
    this.#line.push(send);
    this.#advance();
  }

  /** The connection is gone: who is in line has nothing to send any more, and the next one starts afresh. */
  clear(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#line = [];
    this.#left = MOST_IN_WINDOW;
  }

  #advance(): void {
    const next = this.#line.splice(0, this.#left);
    this.#left -= next.length;
    for (const send of next) send();
    this.#cancel ??= this.#platform.setTimer(WINDOW_MS, () => {
      this.#cancel = undefined;
      this.#left = MOST_IN_WINDOW;
      if (this.#line.length > 0) this.#advance();
    });
  }
}
