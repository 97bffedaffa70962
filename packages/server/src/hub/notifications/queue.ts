/**
 * Looks for records of a kind that are due, and has some of them dealt with at a time. It remembers nothing but what is under
 * way: whoever deals with one removes it or moves its time.
 */
import type { Engine, KeptRecord } from "../../engine/engine.ts";
import type { CancelTimer, Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";

/** Looked at least this often; it costs 20 µs. */
const LOOK_EVERY_MS = 1_000;
/** What has failed is left alone for so long. */
const RETRY_MS = 1_000;

export interface QueuePorts {
  readonly engine: Pick<Engine, "due">;
  readonly clock: Clock;
  readonly log: Log;
  readonly kind: string;
  readonly atOnce: number;
  /** Deals with one; rejects if it could not. */
  readonly act: (record: KeptRecord) => Promise<void>;
}

export class Queue {
  readonly #ports: QueuePorts;
  readonly #underWay = new Map<string, Promise<void>>();
  #cancel: CancelTimer = () => {};
  #looking: Promise<void> | undefined;
  #lookAgain = false;
  #stopped = false;
  #failing = false;

  constructor(ports: QueuePorts) {
    this.#ports = ports;
  }

  /** Starts, or looks again at once. */
  wake(): void {
    if (this.#stopped) return;
    this.#lookAgain = true;
    if (this.#looking !== undefined) return;
    this.#cancel();
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
      if (this.#stopped) return;
      if (this.#lookAgain && this.#underWay.size < this.#ports.atOnce) this.wake();
      else this.#cancel = this.#ports.clock.setTimer(LOOK_EVERY_MS, () => this.wake());
    });
  }

  /** Resolves when nothing of it is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#looking;
    await Promise.all(this.#underWay.values());
  }

  async #look(): Promise<void> {
    const { engine, clock, kind, atOnce } = this.#ports;
    while (this.#lookAgain && !this.#stopped) {
      this.#lookAgain = false;
      if (this.#underWay.size >= atOnce) return;
      try {
        // Those under way may be the first of them.
        const found = await engine.due(kind, clock.wallMs(), 2 * atOnce);
        for (const record of found) {
          if (this.#stopped || this.#underWay.size >= atOnce) return;
          if (!this.#underWay.has(record.id)) this.#begin(record);
        }
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  #begin(record: KeptRecord): void {
    const acted = this.#ports.act(record).then(
      () => this.#ended(record, 0),
      (error: unknown) => {
        this.#failed(error);
        return this.#ended(record, RETRY_MS);
      },
    );
    this.#underWay.set(record.id, acted);
  }

  /** It is not looked at before so many milliseconds have passed. */
  async #ended({ id }: KeptRecord, restMs: number): Promise<void> {
    const end = () => {
      this.#underWay.delete(id);
      this.wake();
    };
    if (restMs > 0 && !this.#stopped) this.#ports.clock.setTimer(restMs, end);
    else end();
    if (restMs === 0) this.#failing = false;
  }

  #failed(error: unknown): void {
    if (!this.#failing) {
      this.#ports.log.error(`Notifications wait: ${error instanceof Error ? error.message : error}`);
    }
    this.#failing = true;
  }
}
