/**
 * Access that ends: a connection whose token expires is closed, unless a newer token came before. One sweep a second over
 * those that expire at all.
 */
import { CloseCode } from "@carillon/protocol/codes";
import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { Session } from "./session.ts";

const SWEEP_MS = 1_000;

export class Expiry {
  readonly #clock: Clock;
  readonly #watched = new Set<Session>();
  #cancel: CancelTimer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Closes `session` when its access ends. To be called again when it has another. */
  watch(session: Session): void {
    this.#watched.delete(session);
    if (session.access?.expiresAtMs === undefined) return;
    this.#watched.add(session);
    this.#cancel ??= this.#clock.setTimer(SWEEP_MS, () => this.#sweep());
  }

  forget(session: Session): void {
    this.#watched.delete(session);
  }

  #sweep(): void {
    this.#cancel = undefined;
    const nowMs = this.#clock.wallMs();
    for (const session of this.#watched) {
      if ((session.access?.expiresAtMs ?? Number.POSITIVE_INFINITY) > nowMs) continue;
      this.#watched.delete(session);
      session.close(CloseCode.tokenExpired, "the token has expired");
    }
    if (this.#watched.size > 0) this.#cancel = this.#clock.setTimer(SWEEP_MS, () => this.#sweep());
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
