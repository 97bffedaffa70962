/** When devices were last seen, noted when they come and go and written in batches. */
import { type Engine, EngineError, type RecordChange } from "../../engine/engine.ts";
import type { CancelTimer, Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { turnOfOthers } from "./recipients.ts";
import { DEVICE, seenAt } from "./stored.ts";

const WRITE_AFTER_MS = 1_000;
/** Of a device that stays, it is written again when it is older than this. */
const OLD_MS = 3_600_000;
/** Bounds what waits while the engine cannot write; a device that is not noted is remembered for a little less long. */
const MAX_WAITING = 100_000;
/** Records read and written together. */
const SLICE = 100;
const MAX_TRIES = 5;

export interface LastSeenPorts {
  readonly engine: Pick<Engine, "record" | "saveRecords">;
  readonly clock: Clock;
  readonly log: Log;
}

interface Noted {
  readonly atMs: number;
  readonly hasLeft: boolean;
}

export class LastSeen {
  readonly #ports: LastSeenPorts;
  #waiting = new Map<string, Noted>();
  #cancel: CancelTimer | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(ports: LastSeenPorts) {
    this.#ports = ports;
  }

  /** It is there now; it has just left, if `hasLeft`. */
  note(id: string, hasLeft: boolean): void {
    if (this.#waiting.size >= MAX_WAITING && !this.#waiting.has(id)) return;
    const before = this.#waiting.get(id);
    this.#waiting.set(id, {
      atMs: this.#ports.clock.wallMs(),
      hasLeft: hasLeft || before?.hasLeft === true,
    });
    this.#cancel ??= this.#ports.clock.setTimer(WRITE_AFTER_MS, () => void this.flush());
  }

  /** Writes what waits. Never rejects: what could not be written is tried with the next batch. */
  flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    const waiting = [...this.#waiting];
    this.#waiting = new Map();
    this.#writing = this.#writing.then(() => this.#write(waiting));
    return this.#writing;
  }

  async #write(waiting: readonly (readonly [id: string, noted: Noted])[]): Promise<void> {
    for (let from = 0; from < waiting.length; from += SLICE) {
      if (from > 0) await turnOfOthers(this.#ports.clock);
      const slice = waiting.slice(from, from + SLICE);
      try {
        await this.#writeSlice(slice);
      } catch (error) {
        this.#ports.log.warn(`When devices were last seen could not be written: ${error}`);
        for (const [id, { hasLeft }] of slice) this.note(id, hasLeft);
      }
    }
  }

  async #writeSlice(slice: readonly (readonly [id: string, noted: Noted])[]): Promise<void> {
    for (let tries = 1; ; tries++) {
      const changes: RecordChange[] = [];
      for (const [id, noted] of slice) {
        const change = await this.#changeOf(id, noted);
        if (change !== undefined) changes.push(change);
      }
      if (changes.length === 0) return;
      try {
        return await this.#ports.engine.saveRecords(changes);
      } catch (error) {
        const isConflict = error instanceof EngineError && error.code === "conflict";
        if (!isConflict || tries >= MAX_TRIES) throw error;
      }
    }
  }

  async #changeOf(id: string, { atMs, hasLeft }: Noted): Promise<RecordChange | undefined> {
    const record = await this.#ports.engine.record(DEVICE, id);
    if (record === undefined) return undefined;
    const lastSeenMs = record.dueMs ?? 0;
    const isOld = atMs - lastSeenMs >= OLD_MS;
    if (!isOld && (!hasLeft || atMs <= lastSeenMs)) return undefined;
    return seenAt(record, atMs);
  }
}
