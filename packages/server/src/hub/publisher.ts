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
import { type Address, addressOf, parseTarget } from "./targets.ts";

/** Where it goes: a channel, or somebody, as `parseTarget` reads it. */
export type Destination =
  | { readonly channel: string; readonly to?: undefined }
  | { readonly to: string; readonly channel?: undefined };

export type PublishItem = Destination &
  PublishOptions & {
    readonly data: Json;
    /** The schedule that publishes it, and when that was due (RFC 3339). */
    readonly schedule?: string;
    readonly dueAt?: string;
    /** What one of a user's devices says, by which it is taken from the others. */
    readonly withdrawOn?: "ack" | "read";
    /** Keep who has it, and not only how many. */
    readonly receipts?: true;
    /** The id of an earlier one that is taken back; this one is no message. */
    readonly withdraws?: string;
  };

/**
 * What may wait for the disk, in characters with the surroundings of each publication. A disk that hangs would otherwise
 * fill the memory: 10,000 connections may each have a thousand publishes of 60 KB under way.
 */
const MAX_WAITING = 64 * 1024 * 1024;
const SURROUNDINGS = 256;

/** Those who act on publications, and lose none. */
export interface Followers {
  /** What they keep in the commit of publications. */
  changesFor(publications: readonly NewPublication[]): readonly RecordChange[];
  /** Something of that is kept. */
  wake(): void;
}

export interface PublisherPorts {
  readonly engine: Pick<Engine, "publish">;
  readonly clock: Clock;
  readonly nextId: NextId;
  readonly metrics: Pick<Metrics, "refused">;
  readonly followers?: Followers | undefined;
}

export class Publisher {
  readonly #engine: PublisherPorts["engine"];
  readonly #clock: Clock;
  readonly #nextId: NextId;
  readonly #metrics: Pick<Metrics, "refused">;
  readonly #followers: Followers | undefined;
  #waiting = 0;

  /** `nextId` makes ids that are ordered by time. */
  constructor({ engine, clock, nextId, metrics, followers }: PublisherPorts) {
    this.#engine = engine;
    this.#clock = clock;
    this.#nextId = nextId;
    this.#metrics = metrics;
    this.#followers = followers;
  }

  /**
   * Publishes what clients say; see `commit`. A frame may hold fields that are none of its command's, and only the server
   * says which schedule something is of, or whom it is for.
   */
  publish(items: readonly Said[]): Promise<readonly PublishResult[]> {
    return this.commit(items.map(said));
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
    const more = this.#followers?.changesFor(stamped) ?? [];
    const all = more.length === 0 ? changes : [...(changes ?? []), ...more];
    const size = sizeOf(stamped, all);
    try {
      const results = await this.#write(stamped, size, all);
      if (more.length > 0) this.#followers?.wake();
      return results;
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
    const { data, ttl, urgency = "normal", collapseKey, idempotencyKey, tags, schedule, dueAt } = item;
    const { withdraws, withdrawOn, receipts } = item;
    const { channel, target } = addressOfItem(item);
    // Nothing else stands in one that takes another back: that is how it is told.
    const meta =
      withdraws !== undefined
        ? { withdraws }
        : {
            ...(ttl !== undefined && { ttl }),
            ...(urgency !== "normal" && { urgency }),
            ...(collapseKey !== undefined && { collapseKey }),
            ...(tags !== undefined && tags.length > 0 && { tags }),
            ...(schedule !== undefined && { schedule }),
            ...(dueAt !== undefined && { dueAt }),
            ...(withdrawOn !== undefined && { withdrawOn }),
            ...(receipts !== undefined && { receipts }),
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
      // Keys count for their target: those with an expression share a channel.
      ...(collapseKey !== undefined && { collapseKey: keyFor(target, collapseKey) }),
      ...(idempotencyKey !== undefined && { idempotencyKey: keyFor(target, idempotencyKey) }),
      ...(target !== undefined && { target }),
    };
  }
}

/** What a client's frame may say. */
type Said = PublishOptions & { readonly channel: string; readonly data: Json };

function said({ channel, data, ttl, urgency, collapseKey, idempotencyKey, tags }: Said): PublishItem {
  return {
    channel,
    data,
    ...(ttl !== undefined && { ttl }),
    ...(urgency !== undefined && { urgency }),
    ...(collapseKey !== undefined && { collapseKey }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(tags !== undefined && { tags }),
  };
}

/** What is for some neither repeats nor takes the place of what is for others. */
function keyFor(target: string | undefined, key: string): string {
  return target === undefined ? key : `${key}\n${target}`;
}

/** @throws {TypeError} if it is to nobody: that was to be looked at before. */
function addressOfItem({ channel, to }: Destination): Address {
  if (channel !== undefined) return { channel };
  const parsed = parseTarget(to);
  if (!parsed.ok) throw new TypeError(`to: ${parsed.problem}`);
  return addressOf(parsed.target);
}

function sizeOf(items: readonly NewPublication[], changes: readonly RecordChange[] = []): number {
  const ofItems = items.reduce((sum, { data }) => sum + data.length + SURROUNDINGS, 0);
  const ofChange = ({ data, expect }: RecordChange) => (data?.length ?? 0) + (expect?.length ?? 0);
  return changes.reduce((sum, change) => sum + ofChange(change) + SURROUNDINGS, ofItems);
}
