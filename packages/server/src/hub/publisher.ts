/** Publishing: from what a publisher said, already validated, to a publication in the engine. */
import type { Json, PublishOptions } from "@carillon/protocol/frames";
import { laneOf } from "@carillon/protocol/position";
import {
  type Engine,
  EngineError,
  type NewPublication,
  type PublishResult,
  type RecordChange,
} from "../engine/engine.ts";
import type { Clock } from "../lib/clock.ts";
import type { NextId } from "../lib/ids.ts";
import type { Metrics } from "../lib/metrics.ts";

export interface PublishItem extends PublishOptions {
  readonly channel: string;
  readonly data: Json;
  /** The schedule that publishes it, and when that was due (RFC 3339). */
  readonly schedule?: string;
  readonly dueAt?: string;
}

/**
 * What may wait for the disk, in characters with the surroundings of each publication. A disk that hangs would otherwise
 * fill the memory: 10,000 connections may each have a thousand publishes of 60 KB under way.
 */
const MAX_WAITING = 64 * 1024 * 1024;
const SURROUNDINGS = 256;

export class Publisher {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #nextId: NextId;
  readonly #metrics: Pick<Metrics, "refused">;
  #waiting = 0;

  /** `nextId` makes ids that are ordered by time. */
  constructor(engine: Engine, clock: Clock, nextId: NextId, metrics: Pick<Metrics, "refused">) {
    this.#engine = engine;
    this.#clock = clock;
    this.#nextId = nextId;
    this.#metrics = metrics;
  }

  /**
   * Publishes what clients say; see `commit`. A frame may hold fields that are none of its command's, and only the server
   * says which schedule something is of.
   */
  publish(items: readonly PublishItem[]): Promise<readonly PublishResult[]> {
    return this.commit(items.map(({ schedule: _, dueAt: _dueAt, ...said }) => said));
  }

  /**
   * Resolves when all items are durable and have been fanned out here; those of one channel stay in order. `changes` are made
   * in the same commit.
   * @throws {EngineError} by rejection, `conflict` if a record is not as expected; then nothing was published. Also when
   *   too much waits already.
   */
  async commit(
    items: readonly PublishItem[],
    changes?: readonly RecordChange[],
  ): Promise<readonly PublishResult[]> {
    const timeMs = this.#clock.wallMs();
    const stamped = items.map((item) => this.#stamp(item, timeMs));
    const size = sizeOf(stamped, changes);
    try {
      return await this.#write(stamped, size, changes);
    } catch (error) {
      const isUnavailable = error instanceof EngineError && error.code === "unavailable";
      if (isUnavailable) this.#metrics.refused.inc({ code: "storage_unavailable" });
      throw error;
    }
  }

  async #write(
    stamped: readonly NewPublication[],
    size: number,
    changes: readonly RecordChange[] | undefined,
  ): Promise<readonly PublishResult[]> {
    if (this.#waiting + size > MAX_WAITING) {
      throw new EngineError("unavailable", "too much waits to be written");
    }
    this.#waiting += size;
    try {
      return await this.#engine.publish(stamped, changes);
    } finally {
      this.#waiting -= size;
    }
  }

  #stamp(item: PublishItem, timeMs: number): NewPublication {
    const {
      channel,
      data,
      ttl,
      urgency = "normal",
      collapseKey,
      idempotencyKey,
      tags,
      schedule,
      dueAt,
    } = item;
    const meta = {
      ...(ttl !== undefined && { ttl }),
      ...(urgency !== "normal" && { urgency }),
      ...(collapseKey !== undefined && { collapseKey }),
      ...(tags !== undefined && tags.length > 0 && { tags }),
      ...(schedule !== undefined && { schedule }),
      ...(dueAt !== undefined && { dueAt }),
    };
    return {
      id: this.#nextId(),
      channel,
      timeMs,
      lane: laneOf(urgency),
      data: JSON.stringify(data),
      meta: Object.keys(meta).length === 0 ? "" : JSON.stringify(meta),
      stored: ttl !== 0,
      ...(ttl !== undefined && ttl > 0 && { expiresAtMs: timeMs + ttl * 1_000 }),
      ...(collapseKey !== undefined && { collapseKey }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    };
  }
}

function sizeOf(items: readonly NewPublication[], changes: readonly RecordChange[] = []): number {
  const ofItems = items.reduce((sum, { data }) => sum + data.length + SURROUNDINGS, 0);
  const ofChange = ({ data, expect }: RecordChange) => (data?.length ?? 0) + (expect?.length ?? 0);
  return changes.reduce((sum, change) => sum + ofChange(change) + SURROUNDINGS, ofItems);
}
