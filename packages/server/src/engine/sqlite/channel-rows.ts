/** The writer's channel rows: those in use stay in memory, a million others cost disk alone. */

import type { Connection } from "./connection.ts";

export interface ChannelRow {
  readonly id: number;
  readonly name: string;
  readonly lanes: [number, number, number];
  readonly dropped: [number, number, number];
  count: number;
  bytes: number;
  /** When the oldest kept was written, or earlier. */
  oldestMs: number;
}

/** A row takes about 300 bytes with its name; two generations of this many, 5 MB. */
const GENERATION = 8_192;

type Columns = [number, number, number, number, number, number, number, number, number, number];

export class ChannelRows {
  readonly #select;
  readonly #insert;
  readonly #update;
  /** Rows used since the last change of generations, and those of the one before. */
  #young = new Map<string, ChannelRow>();
  #old = new Map<string, ChannelRow>();
  #changed = new Map<string, ChannelRow>();

  constructor(db: Connection) {
    this.#select = db.prepare<Columns, [string]>(
      `SELECT id, high, normal, low, dropped_high, dropped_normal, dropped_low, count, bytes, oldest_ms
       FROM channel WHERE name = ?`,
    );
    this.#insert = db.prepare<[number], [string]>(
      "INSERT INTO channel VALUES (NULL, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0) RETURNING id",
    );
    this.#update = db.prepare(
      `UPDATE channel SET high = ?, normal = ?, low = ?, dropped_high = ?, dropped_normal = ?, dropped_low = ?,
       count = ?, bytes = ?, oldest_ms = ? WHERE id = ?`,
    );
  }

  find(name: string): ChannelRow | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const row = this.#old.get(name) ?? this.#changed.get(name) ?? this.#load(name);
    if (row !== undefined) this.#remember(row);
    return row;
  }

  findOrMake(name: string): ChannelRow {
    const found = this.find(name);
    if (found !== undefined) return found;
    const [[id] = [0]] = this.#insert.values(name) as [number][];
    const row: ChannelRow = {
      ...{ id, name, count: 0, bytes: 0, oldestMs: 0 },
      ...{ lanes: [0, 0, 0] as ChannelRow["lanes"], dropped: [0, 0, 0] as ChannelRow["dropped"] },
    };
    this.#remember(row);
    return row;
  }

  /** Has the row written at the next `flush`. */
  change(row: ChannelRow): void {
    this.#changed.set(row.name, row);
  }

  /** Writes what has changed, each row once per transaction. */
  flush(): void {
    for (const { id, lanes, dropped, count, bytes, oldestMs } of this.#changed.values()) {
      this.#update.run(...lanes, ...dropped, count, bytes, oldestMs, id);
    }
    this.#changed.clear();
  }

  /** Its channel is there no more. */
  drop({ name }: ChannelRow): void {
    this.#young.delete(name);
    this.#old.delete(name);
    this.#changed.delete(name);
  }

  /** After a rollback the rows in memory are ahead of those on disk. */
  forget(): void {
    this.#young.clear();
    this.#old.clear();
    this.#changed.clear();
  }

  #remember(row: ChannelRow): void {
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(row.name, row);
  }

  #load(name: string): ChannelRow | undefined {
    const [columns] = this.#select.values(name) as Columns[];
    if (columns === undefined) return undefined;
    const [id, high, normal, low, droppedHigh, droppedNormal, droppedLow, count, bytes, oldestMs] = columns;
    const lanes: ChannelRow["lanes"] = [high, normal, low];
    return { id, name, lanes, dropped: [droppedHigh, droppedNormal, droppedLow], count, bytes, oldestMs };
  }
}
