/** Tells when quiet hours begin and end, of those devices that have any: one timer for all. */
import type { CancelTimer, Clock } from "../../lib/clock.ts";
import type { ConnectedDevice } from "./connected.ts";

/** A wall clock that is set is noticed within this time; edges stand on whole minutes, and are kept to the millisecond. */
const LOOK_EVERY_MS = 60_000;

export class QuietTimer {
  readonly #clock: Clock;
  readonly #tell: (device: ConnectedDevice) => void;
  /** When each is next to be told. */
  readonly #nextMs = new Map<ConnectedDevice, number>();
  #dueMs = Number.POSITIVE_INFINITY;
  #cancel: CancelTimer | undefined;

  constructor(clock: Clock, tell: (device: ConnectedDevice) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** To be called again when its switches have changed. */
  watch(device: ConnectedDevice): void {
    const nextMs = device.nextChangeMs;
    if (nextMs === undefined) this.forget(device);
    else {
      this.#nextMs.set(device, nextMs);
      this.#wakeBy(nextMs);
    }
  }

  forget(device: ConnectedDevice): void {
    this.#nextMs.delete(device);
    if (this.#nextMs.size === 0) this.stop();
  }

  #wakeBy(dueMs: number): void {
    const byMs = Math.min(dueMs, this.#clock.wallMs() + LOOK_EVERY_MS);
    if (this.#cancel !== undefined && byMs >= this.#dueMs) return;
    this.#cancel?.();
    this.#dueMs = byMs;
    this.#cancel = this.#clock.setTimer(Math.max(0, byMs - this.#clock.wallMs()), () => this.#look());
  }

  #look(): void {
    this.#cancel = undefined;
    const nowMs = this.#clock.wallMs();
    let soonestMs = Number.POSITIVE_INFINITY;
    for (const [device, dueMs] of this.#nextMs) {
      let nextMs = dueMs;
      // One that is much further off than it was: the clock was set back.
      if (dueMs <= nowMs || dueMs > nowMs + 2 * 86_400_000) {
        nextMs = device.nextChangeMs ?? Number.POSITIVE_INFINITY;
        this.#nextMs.set(device, nextMs);
        this.#tell(device);
      }
      soonestMs = Math.min(soonestMs, nextMs);
    }
    if (soonestMs < Number.POSITIVE_INFINITY) this.#wakeBy(soonestMs);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
