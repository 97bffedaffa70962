/** What the writer writes. Knows no threads: `writer.ts` hands it one request at a time. */
import { furthest } from "@carillon/protocol/position";
import { type DevicePosition, IDEMPOTENCY_MS, type NewPublication } from "../engine.ts";
import { areMet } from "../expectations.ts";
import { type ChannelRow, ChannelRows } from "./channel-rows.ts";
import type { Connection } from "./connection.ts";
import type { Commit, Committed, Repeat } from "./messages.ts";
import { RecordRows } from "./record-rows.ts";
import { Removals } from "./removals.ts";

type First = [rowid: number, id: string, offset: number, timeMs: number];

interface Done {
  readonly offsets: number[];
  readonly repeats: Repeat[];
  readonly conflicts: number[];
  readonly withdrawn: boolean[];
}

export class Store {
  readonly rows: ChannelRows;
  readonly #db: Connection;
  readonly #begin;
  readonly #commit;
  readonly #insert;
  readonly #supersede;
  readonly #selectFirst;
  readonly #deleteFirst;
  readonly #insertFirst;
  readonly #savePosition;
  readonly #records;
  readonly #removals;
  readonly #probe;

  constructor(db: Connection) {
    this.#db = db;
    this.rows = new ChannelRows(db);
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#commit = db.prepare("COMMIT");
    this.#insert = db.prepare("INSERT INTO publication VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    this.#supersede = db.prepare(
      "DELETE FROM publication WHERE channel_id = ? AND collapse_key = ? RETURNING size",
    );
    this.#selectFirst = db.prepare(
      "SELECT rowid, id, offset, time_ms FROM idempotency WHERE channel_id = ? AND key = ?",
    );
    this.#deleteFirst = db.prepare("DELETE FROM idempotency WHERE rowid = ?");
    this.#insertFirst = db.prepare("INSERT INTO idempotency VALUES (?, ?, ?, ?, ?)");
    this.#savePosition = db.prepare(
      `INSERT INTO device_position VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (device, channel) DO UPDATE SET
         high = iif(epoch = excluded.epoch, max(high, excluded.high), excluded.high),
         normal = iif(epoch = excluded.epoch, max(normal, excluded.normal), excluded.normal),
         low = iif(epoch = excluded.epoch, max(low, excluded.low), excluded.low),
         sent_high = iif(epoch = excluded.epoch, max(sent_high, excluded.sent_high), excluded.sent_high),
         sent_normal = iif(epoch = excluded.epoch, max(sent_normal, excluded.sent_normal), excluded.sent_normal),
         sent_low = iif(epoch = excluded.epoch, max(sent_low, excluded.sent_low), excluded.sent_low),
         epoch = excluded.epoch`,
    );
    this.#records = new RecordRows(db);
    this.#removals = new Removals(db, this.rows);
    this.#probe = db.prepare(
      "INSERT INTO meta VALUES ('probe', 1) ON CONFLICT (key) DO UPDATE SET value = value + 1",
    );
  }

  /** Runs `work` in a transaction. If it fails, nothing of it was done, in memory neither. */
  transaction<Result>(work: () => Result): Result {
    try {
      this.#begin.run();
      const result = work();
      this.rows.flush();
      this.#commit.run();
      return result;
    } catch (error) {
      this.rows.forget();
      // A full disk may have ended the transaction already.
      if (this.#db.inTransaction) this.#db.run("ROLLBACK");
      throw error;
    }
  }

  commit({ items, guarded, positions, withdrawals, probe }: Commit): Omit<Committed, "tops" | "failure"> {
    const done: Done = { offsets: [], repeats: [], conflicts: [], withdrawn: [] };
    this.transaction(() => {
      let next = 0;
      guarded.forEach(({ at, count, changes, positions: moved = [], removal }, place) => {
        this.#publishAll(items, next, at, done);
        next = at + count;
        if (areMet(changes, (kind, id) => this.#records.dataOf(kind, id))) {
          this.#publishAll(items, at, next, done);
          for (const each of changes) this.#records.save(each);
          for (const each of moved) this.#save(each);
          if (removal !== undefined) this.#removals.remove(removal);
        } else {
          done.conflicts.push(place);
          for (let left = 0; left < count; left++) done.offsets.push(0, 0);
        }
      });
      this.#publishAll(items, next, items.length, done);
      for (const each of positions) this.#save(each);
      for (const each of withdrawals) done.withdrawn.push(this.#removals.withdraw(each));
      if (probe) this.#probe.run();
    });
    return done;
  }

  #publishAll(items: readonly NewPublication[], from: number, to: number, { offsets, repeats }: Done): void {
    for (let index = from; index < to; index++) {
      const item = items[index] as NewPublication;
      const first = item.idempotencyKey === undefined ? undefined : this.#firstOf(item, item.idempotencyKey);
      if (first === undefined) this.#publish(item, offsets);
      else {
        const [, id, offset, timeMs] = first;
        offsets.push(0, 0);
        repeats.push({ index, id, offset, timeMs });
      }
    }
  }

  #publish(item: NewPublication, offsets: number[]): void {
    if (!item.stored && item.idempotencyKey === undefined) {
      offsets.push(0, 0);
      return;
    }
    const row = this.rows.findOrMake(item.channel);
    let offset = 0;
    let prev = 0;
    if (item.stored) {
      prev = row.lanes[item.lane];
      offset = Math.max(...row.lanes) + 1;
      this.#append(row, item, offset, prev);
    }
    if (item.idempotencyKey !== undefined) {
      this.#insertFirst.run(row.id, item.idempotencyKey, item.id, offset, item.timeMs);
    }
    offsets.push(offset, prev);
  }

  #append(row: ChannelRow, item: NewPublication, offset: number, prev: number): void {
    const { lane, timeMs, id, data, meta, expiresAtMs = null, collapseKey = null, target = null } = item;
    if (collapseKey !== null) {
      for (const [size] of this.#supersede.values(row.id, collapseKey) as [number][]) {
        row.count -= 1;
        row.bytes -= size;
      }
    }
    const size = Buffer.byteLength(data) + Buffer.byteLength(meta);
    const ends = [expiresAtMs, collapseKey, target] as const;
    this.#insert.run(row.id, offset, prev, lane, timeMs, id, data, meta, size, ...ends);
    if (row.count === 0) row.oldestMs = timeMs;
    row.lanes[lane] = offset;
    row.count += 1;
    row.bytes += size;
    this.rows.change(row);
  }

  /** The first use of the key, if it still counts. */
  #firstOf({ channel, timeMs }: NewPublication, key: string): First | undefined {
    const row = this.rows.find(channel);
    if (row === undefined) return undefined;
    const [first] = this.#selectFirst.values(row.id, key) as First[];
    if (first === undefined || timeMs - first[3] < IDEMPOTENCY_MS) return first;
    this.#deleteFirst.run(first[0]);
    return undefined;
  }

  #save({ device, channel, position: { epoch, offsets }, sent = offsets }: DevicePosition): void {
    this.#savePosition.run(device, channel, epoch, ...offsets, ...furthest(offsets, sent));
  }
}
