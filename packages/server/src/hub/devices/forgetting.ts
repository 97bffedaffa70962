/** Forgets devices that have not been seen for long, a few at a time. */
import type { Engine } from "../../engine/engine.ts";
import type { CancelTimer, Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { DEVICE } from "./stored.ts";

/** A minute more does not matter after days. */
const LOOK_EVERY_MS = 60_000;
/** While there are more: a million are gone in 42 minutes, and the disk is left to others between two slices. */
const NEXT_SLICE_MS = 250;
const SLICE = 100;

export interface ForgettingPorts {
  readonly engine: Pick<Engine, "due">;
  readonly clock: Clock;
  readonly log: Log;
  /** How long one may be unseen. Asked each time, so it may change. */
  forgetAfterMs(): number;
  isConnected(id: string): boolean;
  /** It is here: that is written, and it is put off. */
  seen(id: string): void;
  remove(id: string): Promise<unknown>;
}

export class Forgetting {
  readonly #ports: ForgettingPorts;
  #cancel: CancelTimer | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(ports: ForgettingPorts) {
    this.#ports = ports;
  }

  start(): void {
    this.#lookIn(LOOK_EVERY_MS);
  }

  /** Resolves when nothing is under way any more. */
  stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    return this.#sweeping;
  }

  #lookIn(delayMs: number): void {
    if (this.#isStopped) return;
    this.#cancel = this.#ports.clock.setTimer(delayMs, () => {
      this.#sweeping = this.#sweep().then((isMore) => this.#lookIn(isMore ? NEXT_SLICE_MS : LOOK_EVERY_MS));
    });
  }

  /** Resolves to whether there may be more. */
  async #sweep(): Promise<boolean> {
    const { engine, clock, log, isConnected, seen, remove, forgetAfterMs } = this.#ports;
    try {
      const unseen = await engine.due(DEVICE, clock.wallMs() - forgetAfterMs(), SLICE);
      const here = unseen.filter(({ id }) => isConnected(id));
      for (const { id } of here) seen(id);
      // All at once, so that they share commits.
      await Promise.all(unseen.filter((one) => !here.includes(one)).map(({ id }) => remove(id)));
      const forgotten = unseen.length - here.length;
      if (forgotten > 0) log.info(`Devices forgotten, as they were not seen for long: ${forgotten}`);
      return unseen.length === SLICE;
    } catch (error) {
      log.warn(`Devices that were not seen for long could not be forgotten: ${error}`);
      return false;
    }
  }
}
