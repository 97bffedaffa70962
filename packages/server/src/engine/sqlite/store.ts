/** What the writer writes. Knows no threads: `writer.ts` hands it one request at a time. */
import { IDEMPOTENCY_MS, type NewPublication } from "../engine.ts";
import { areMet } from "../expectations.ts";
import { Breaks } from "./breaks.ts";
import { type ChannelRow, ChannelRows } from "./channel-rows.ts";
import type { Connection } from "./connection.ts";
import type { Commit, Committed, Deed, Repeat } from "./messages.ts";
import { PositionRows } from "./position-rows.ts";
import { RecordRows } from "./record-rows.ts";
import { Removals } from "./removals.ts";

type First = [rowid: number, id: string, offset: number, timeMs: number];

interface Done {
  readonly offsets: number[];
  readonly repeats: Repeat[];
  readonly conflicts: number[];
  readonly missing: number[];
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
  readonly #breaks;
  readonly #positions;
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
    this.#breaks = new Breaks(db);
    this.#positions = new PositionRows(db);
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
      this.#breaks.forget();
      // A full disk may have ended the transaction already.
      if (this.#db.inTransaction) this.#db.run("ROLLBACK");
      throw error;
    }
  }

  commit({ items, deeds, probe }: Commit): Omit<Committed, "tops" | "failure"> {
    const done: Done = { offsets: [], repeats: [], conflicts: [], missing: [] };
    this.transaction(() => {
      let next = 0;
      deeds.forEach((deed, place) => {
        const { at, count, changes } = deed;
        this.#publishAll(items, next, at, done);
        next = at + count;
        if (areMet(changes, (kind, id) => this.#records.dataOf(kind, id))) {
          this.#publishAll(items, at, next, done);
          for (const each of changes) this.#records.save(each);
          if (!this.#do(deed)) done.missing.push(place);
        } else {
          done.conflicts.push(place);
          for (let left = 0; left < count; left++) done.offsets.push(0, 0);
        }
      });
      this.#publishAll(items, next, items.length, done);
      if (probe) this.#probe.run();
    });
    return done;
  }

  /** What is neither publications nor records of it; `false` if it was to withdraw what is not there. */
  #do({ positions = [], removal, withdrawal }: Deed): boolean {
    for (const each of positions) this.#positions.save(each);
    if (removal !== undefined) this.#removals.remove(removal);
    return withdrawal === undefined || this.#removals.withdraw(withdrawal);
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
    const head = [row.id, offset, prev, lane, timeMs] as const;
    const { lastInsertRowid } = this.#insert.run(...head, id, data, meta, size, ...ends);
    this.#breaks.note(id, Number(lastInsertRowid));
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
}
