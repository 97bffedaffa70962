/**
 * Heartbeats: the app's own sign of life, sent when the app chooses, so that the server need not wake it. Each one has
 * to be answered within a window; one that is not proves the connection dead long before TCP would.
 */
import { nothing, type Platform } from "./platform.ts";

export interface HeartbeatOptions {
  readonly platform: Pick<Platform, "monotonicMs" | "setTimer">;
  /** Sends one heartbeat. */
  readonly send: () => void;
  /** A heartbeat was answered; `roundTripMs` after it was sent. */
  readonly onAnswer: (roundTripMs: number) => void;
  /** A heartbeat was not answered in time; `stop` is what has to follow. */
  readonly onMissed: () => void;
}

/** The slowest answer that is waited for; a phone on a bad network takes a few seconds. */
export const ANSWER_WITHIN_MS = 10_000;

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #intervalMs: number | undefined;
  #running = false;
  #sentAtMs: number | undefined;
  #cancelNext = nothing;
  #cancelMissed = nothing;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Milliseconds between two heartbeats; `undefined` sends none by itself. Takes effect at once. */
  set intervalMs(intervalMs: number | undefined) {
    this.#intervalMs = intervalMs;
    if (this.#running) this.#armNext();
  }

  /** The connection is open: heartbeats may go out, the first one an interval from now. */
  start(): void {
    this.#running = true;
    this.#armNext();
  }

  /** The connection is gone. */
  stop(): void {
    this.#running = false;
    this.#sentAtMs = undefined;
    this.#cancelNext();
    this.#cancelMissed();
  }

  /** Sends one now, unless one is still waiting for its answer. `false` if there is no connection. */
  beat(): boolean {
    if (!this.#running) return false;
    const { platform, send, onMissed } = this.#options;
    if (this.#sentAtMs === undefined) {
      this.#sentAtMs = platform.monotonicMs();
      this.#cancelMissed = platform.setTimer(ANSWER_WITHIN_MS, onMissed);
      send();
    }
    return true;
  }

  /** An answer came. */
  answered(): void {
    const { platform, onAnswer } = this.#options;
    const sentAtMs = this.#sentAtMs;
    this.#sentAtMs = undefined;
    this.#cancelMissed();
    if (sentAtMs !== undefined) onAnswer(platform.monotonicMs() - sentAtMs);
  }

  #armNext(): void {
    this.#cancelNext();
    if (this.#intervalMs === undefined) return;
    this.#cancelNext = this.#options.platform.setTimer(this.#intervalMs, () => {
      this.beat();
      if (this.#running) this.#armNext();
    });
  }
}
