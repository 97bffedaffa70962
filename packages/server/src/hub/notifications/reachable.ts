/**
 * Whether a publication may have to be told to anybody. Most servers have no device that names a push service, and most
 * channels of the others none: what nobody has to be told of costs nothing.
 */
import type { Engine } from "../../engine/engine.ts";
import type { CancelTimer, Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { DEVICE, HAS_ENDPOINT } from "../devices/stored.ts";

/** All is looked up anew: another node may have changed it. */
const RECOUNT_MS = 60_000;
const MAX_KNOWN = 10_000;

export interface ReachablePorts {
  readonly engine: Pick<Engine, "countLabelled">;
  readonly clock: Clock;
  readonly log: Log;
}

export class Reachable {
  readonly #ports: ReachablePorts;
  /** Channels without anybody. */
  readonly #none = new Set<string>();
  /** Until they are counted, there may be some. */
  #hasAny = true;
  #generation = 0;
  #isStopped = false;
  #cancel: CancelTimer = () => {};

  constructor(ports: ReachablePorts) {
    this.#ports = ports;
  }

  /** Grows when what was found out before may be wrong by now. */
  get generation(): number {
    return this.#generation;
  }

  mayHave(channel: string, target: string | undefined): boolean {
    return this.#hasAny && (target !== undefined || !this.#none.has(channel));
  }

  /** A device that can be reached is new, or has changed. */
  changed(): void {
    this.#generation += 1;
    this.#hasAny = true;
    this.#none.clear();
  }

  /** There was nobody in a channel, looked for from `generation` on. */
  noteNone(channel: string, generation: number): void {
    if (generation !== this.#generation) return;
    if (this.#none.size >= MAX_KNOWN) this.#none.clear();
    this.#none.add(channel);
  }

  start(): void {
    void this.#recount();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  async #recount(): Promise<void> {
    const { engine, clock, log } = this.#ports;
    const generation = this.#generation;
    try {
      const count = await engine.countLabelled(DEVICE, HAS_ENDPOINT);
      if (generation === this.#generation) this.#hasAny = count > 0;
      this.#none.clear();
    } catch (error) {
      log.warn(`Devices that can be reached could not be counted: ${error}`);
    }
    if (!this.#isStopped) this.#cancel = clock.setTimer(RECOUNT_MS, () => void this.#recount());
  }
}
