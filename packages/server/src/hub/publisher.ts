/** Publishing: from what a publisher said, already validated, to a publication in the engine. */
import type { Json, PublishOptions } from "@carillon/protocol/frames";
import { laneOf } from "@carillon/protocol/position";
import type { Engine, NewPublication, PublishResult } from "../engine/engine.ts";
import type { Clock } from "../lib/clock.ts";
import type { NextId } from "../lib/ids.ts";

export interface PublishItem extends PublishOptions {
  readonly channel: string;
  readonly data: Json;
}

export class Publisher {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #nextId: NextId;

  /** `nextId` makes ids that are ordered by time. */
  constructor(engine: Engine, clock: Clock, nextId: NextId) {
    this.#engine = engine;
    this.#clock = clock;
    this.#nextId = nextId;
  }

  /**
   * Resolves when all items are durable and have been fanned out here; those of one channel stay in order.
   * @throws {EngineError} by rejection; then nothing was published.
   */
  publish(items: readonly PublishItem[]): Promise<readonly PublishResult[]> {
    const timeMs = this.#clock.wallMs();
    return this.#engine.publish(items.map((item) => this.#stamp(item, timeMs)));
  }

  #stamp(item: PublishItem, timeMs: number): NewPublication {
    const { channel, data, ttl, urgency = "normal", collapseKey, idempotencyKey, tags } = item;
    const meta = {
      ...(ttl !== undefined && { ttl }),
      ...(urgency !== "normal" && { urgency }),
      ...(collapseKey !== undefined && { collapseKey }),
      ...(tags !== undefined && tags.length > 0 && { tags }),
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
