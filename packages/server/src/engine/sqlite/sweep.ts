/**
 * Removing in the background, one slice at a time; between two slices the writer takes what has come meanwhile, so no
 * publish waits longer than a slice takes.
 */
import { type Clock, systemClock } from "../../lib/clock.ts";
import { IDEMPOTENCY_MS } from "../engine.ts";
import type { ChannelRow } from "./channel-rows.ts";
import type { Connection } from "./connection.ts";
import type { ChannelRetention, Sliced } from "./messages.ts";
import type { Store } from "./store.ts";

/** How long a slice works: some 5,000 rows. */
const SLICE_MS = 2;
/** Rows looked at in one statement. */
const CHUNK = 128;

type Expired = [channel: string, channelId: number, offset: number, size: number];
type Oldest = [offset: number, lane: 0 | 1 | 2, timeMs: number, size: number];

export class Sweep {
  readonly #store: Store;
  readonly #db: Connection;
  readonly #clock: Clock;
  readonly #selectExpired;
  readonly #deleteOne;
  readonly #selectKeys;
  readonly #deleteKeys;
  readonly #selectOldest;
  readonly #deleteUpTo;

  constructor(db: Connection, store: Store, clock: Clock = systemClock) {
    this.#db = db;
    this.#store = store;
    this.#clock = clock;
    this.#selectExpired = db.prepare(
      `SELECT channel.name, channel_id, offset, size FROM publication JOIN channel ON channel.id = channel_id
       WHERE expires_at_ms <= ? LIMIT ${CHUNK}`,
    );
    this.#deleteOne = db.prepare("DELETE FROM publication WHERE channel_id = ? AND offset = ?");
    this.#selectKeys = db.prepare(`SELECT rowid, time_ms FROM idempotency ORDER BY rowid LIMIT ${CHUNK}`);
    this.#deleteKeys = db.prepare("DELETE FROM idempotency WHERE rowid <= ?");
    this.#selectOldest = db.prepare(
      `SELECT offset, lane, time_ms, size FROM publication WHERE channel_id = ? ORDER BY offset LIMIT ${CHUNK}`,
    );
    this.#deleteUpTo = db.prepare("DELETE FROM publication WHERE channel_id = ? AND offset <= ?");
  }

  expire(nowMs: number): Sliced {
    return this.#slice((isOver) => {
      for (;;) {
        const removed = this.#removeExpired(nowMs) + this.#forgetKeys(nowMs);
        if (removed === 0) return { done: 1 };
        if (isOver()) return { done: 0 };
      }
    });
  }

  trim(channels: readonly ChannelRetention[], nowMs: number): Sliced {
    return this.#slice((isOver) => {
      let done = 0;
      for (const retention of channels) {
        const row = this.#store.rows.find(retention.channel);
        while (row !== undefined && this.#trimChunk(row, retention, nowMs)) if (isOver()) return { done };
        done += 1;
        if (isOver()) break;
      }
      return { done };
    });
  }

  /**
   * One slice, one transaction. What it removes need not be on disk when it ends, so it asks for no fsync: the next
   * publish's takes it along, and after a power failure it is removed again.
   */
  #slice(work: (isOver: () => boolean) => Sliced): Sliced {
    const endMs = this.#clock.monotonicMs() + SLICE_MS;
    this.#db.run("PRAGMA synchronous = NORMAL");
    try {
      return this.#store.transaction(() => work(() => this.#clock.monotonicMs() >= endMs));
    } finally {
      this.#db.run("PRAGMA synchronous = FULL");
    }
  }

  #removeExpired(nowMs: number): number {
    const expired = this.#selectExpired.values(nowMs) as Expired[];
    for (const [channel, channelId, offset, size] of expired) {
      this.#deleteOne.run(channelId, offset);
      const row = this.#store.rows.findOrMake(channel);
      row.count -= 1;
      row.bytes -= size;
      this.#store.rows.change(row);
    }
    return expired.length;
  }

  #forgetKeys(nowMs: number): number {
    const keys = this.#selectKeys.values() as [rowid: number, timeMs: number][];
    const still = keys.findIndex(([, timeMs]) => nowMs - timeMs < IDEMPOTENCY_MS);
    const forgotten = still === -1 ? keys : keys.slice(0, still);
    const last = forgotten.at(-1);
    if (last !== undefined) this.#deleteKeys.run(last[0]);
    return forgotten.length;
  }

  /** Drops at most a chunk of the oldest; false when nothing more is beyond the retention. */
  #trimChunk(row: ChannelRow, retention: ChannelRetention, nowMs: number): boolean {
    const { maxAgeMs = Infinity, maxCount = Infinity, maxBytes = Infinity } = retention;
    const isBeyond = (timeMs: number) =>
      row.count > maxCount || row.bytes > maxBytes || nowMs - timeMs >= maxAgeMs;
    if (row.count === 0 || !isBeyond(row.oldestMs)) return false;
    let last = 0;
    let rest: Oldest | undefined;
    for (const oldest of this.#selectOldest.values(row.id) as Oldest[]) {
      const [offset, lane, timeMs, size] = oldest;
      rest = oldest;
      if (!isBeyond(timeMs)) break;
      rest = undefined;
      row.dropped[lane] = offset;
      row.count -= 1;
      row.bytes -= size;
      last = offset;
    }
    if (last > 0) this.#deleteUpTo.run(row.id, last);
    // Known exactly once the end of what is dropped has been seen.
    if (rest !== undefined) row.oldestMs = rest[2];
    this.#store.rows.change(row);
    return rest === undefined && row.count > 0;
  }
}
