/**
 * Reads on the main thread, on a handle of its own that cannot write. A page of 100 small publications takes about
 * 0.1 ms, less than a trip to another thread and back costs when that thread is in an fsync.
 */
import { type Offsets, START } from "@carillon/protocol/position";
import type { Accepted, ChannelInfo, KeptPosition, KeptRecord, ReadPage, ReadRequest } from "../engine.ts";
import { gapOf } from "../gap.ts";
import { ById } from "./by-id.ts";
import type { Connection } from "./connection.ts";
import { connectReader } from "./schema.ts";

/**
 * Rows looked at for one page, so that a page of which little is wanted (the one lane in which a reader is far behind)
 * blocks for a millisecond at most. The page then says how far it looked.
 */
const MOST_LOOKED_AT = 1_000;

interface Row extends Omit<Accepted, "channel" | "expiresAtMs" | "target"> {
  readonly size: number;
  readonly expiresAtMs: number | null;
  readonly target: string | null;
}
type Dropped = [id: number, high: number, normal: number, low: number];
type Info = [channel: string, offset: number, count: number, bytes: number];
type RecordRow = [kind: string, id: string, data: string, dueMs: number | null, labels: string | null];
type Scan = Omit<ReadPage, "epoch" | "gap">;

const RECORD = "SELECT kind, id, data, due_ms, labels FROM record WHERE kind = ?";
const PUBLICATION = `offset, prev, lane, time_ms AS timeMs, publication.id, data, meta, size,
  expires_at_ms AS expiresAtMs, target`;

/** Of a million records the first takes 7 µs and 128 of them 0.3 ms, as long as the index has them in this order. */
export const DUE = `${RECORD} AND due_ms <= ? ORDER BY due_ms, id LIMIT ?`;

/**
 * Beginning with the labels: SQLite, left to itself, may as well look through all records of the kind. Of a million 256 take
 * 0.5 ms, the first as the last.
 */
export const LABELLED = `SELECT record.kind, record.id, data, due_ms, labels
  FROM record_label CROSS JOIN record ON record.kind = record_label.kind AND record.id = record_label.id
  WHERE record_label.kind = ? AND label = ? AND record_label.id > ? ORDER BY record_label.id LIMIT ?`;

export class Reader {
  readonly #db: Connection;
  readonly #top;
  readonly #dropped;
  readonly #publications;
  readonly #channels;
  readonly #channel;
  readonly #positions;
  readonly #record;
  readonly #records;
  readonly #due;
  readonly #labelled;
  readonly #labelCount;
  readonly #byId;
  readonly #atRow;
  readonly #scan;

  constructor(file: string) {
    const db = connectReader(file);
    this.#db = db;
    this.#top = db.prepare("SELECT high, normal, low FROM channel WHERE name = ?");
    this.#dropped = db.prepare(
      "SELECT id, dropped_high, dropped_normal, dropped_low FROM channel WHERE name = ?",
    );
    this.#publications = db.prepare<Row, [number, number, number]>(
      `SELECT ${PUBLICATION} FROM publication WHERE channel_id = ? AND offset > ? AND offset <= ? ORDER BY offset`,
    );
    this.#channels = db.prepare(
      `SELECT name, max(high, normal, low), count, bytes FROM channel
       WHERE name > ? AND (high > 0 OR normal > 0 OR low > 0) ORDER BY name LIMIT ?`,
    );
    // An idempotency key of what was not stored makes a row, too.
    this.#channel = db.prepare(
      `SELECT name, max(high, normal, low), count, bytes FROM channel
       WHERE name = ? AND (high > 0 OR normal > 0 OR low > 0)`,
    );
    this.#positions = db.prepare(
      `SELECT channel, epoch, high, normal, low, sent_high, sent_normal, sent_low
       FROM device_position WHERE device = ?`,
    );
    this.#record = db.prepare(`${RECORD} AND id = ?`);
    this.#records = db.prepare(`${RECORD} AND id > ? ORDER BY id LIMIT ?`);
    this.#due = db.prepare(DUE);
    this.#labelled = db.prepare(LABELLED);
    this.#labelCount = db.prepare("SELECT count FROM record_label_count WHERE kind = ? AND label = ?");
    this.#byId = new ById(db);
    this.#atRow = db.prepare<Row & { readonly channel: string }, [number]>(
      `SELECT name AS channel, ${PUBLICATION} FROM publication JOIN channel ON channel.id = channel_id
       WHERE publication.rowid = ?`,
    );
    this.#scan = db.prepare(
      "SELECT id, name, count, bytes, oldest_ms FROM channel WHERE id > ? ORDER BY id LIMIT ?",
    );
  }

  top(channel: string): Offsets {
    const [lanes = START] = this.#top.values(channel) as [number, number, number][];
    return lanes;
  }

  /** One snapshot: what retention drops between two statements would be neither in the page nor in its gap. */
  read(channel: string, request: ReadRequest): Omit<ReadPage, "epoch"> {
    this.#db.run("BEGIN");
    try {
      const [dropped] = this.#dropped.values(channel) as Dropped[];
      if (dropped === undefined) return { publications: [], to: request.upTo };
      const [id, ...lanes] = dropped;
      const gap = gapOf(lanes, request);
      const scan = this.#page(channel, id, request);
      return gap === undefined ? scan : { ...scan, gap };
    } finally {
      this.#db.run("COMMIT");
    }
  }

  channels(after: string, limit: number): Omit<ChannelInfo, "epoch">[] {
    return (this.#channels.values(after, limit) as Info[]).map(infoOf);
  }

  channel(name: string): Omit<ChannelInfo, "epoch"> | undefined {
    return (this.#channel.values(name) as Info[]).map(infoOf)[0];
  }

  /** One snapshot: a row that is looked at may be removed meanwhile, and another take its place. */
  publication(id: string): Accepted | undefined {
    this.#db.run("BEGIN");
    try {
      const rowid = this.#byId.find(id);
      const row = rowid === undefined ? null : this.#atRow.get(rowid);
      return row === null ? undefined : publicationOf(row.channel, row);
    } finally {
      this.#db.run("COMMIT");
    }
  }

  positionsOf(device: string): Map<string, KeptPosition> {
    type Columns = [channel: string, epoch: string, ...offsets: [...Offsets, ...Offsets]];
    const rows = this.#positions.values(device) as Columns[];
    return new Map(
      rows.map(([channel, epoch, high, normal, low, ...sent]) => {
        return [channel, { epoch, offsets: [high, normal, low], sent }];
      }),
    );
  }

  record(kind: string, id: string): KeptRecord | undefined {
    return (this.#record.values(kind, id) as RecordRow[]).map(recordOf)[0];
  }

  records(kind: string, after: string, limit: number): KeptRecord[] {
    return (this.#records.values(kind, after, limit) as RecordRow[]).map(recordOf);
  }

  labelled(kind: string, label: string, after: string, limit: number): KeptRecord[] {
    return (this.#labelled.values(kind, label, after, limit) as RecordRow[]).map(recordOf);
  }

  countLabelled(kind: string, label: string): number {
    return (this.#labelCount.values(kind, label) as [number][])[0]?.[0] ?? 0;
  }

  due(kind: string, untilMs: number, limit: number): KeptRecord[] {
    return (this.#due.values(kind, untilMs, limit) as RecordRow[]).map(recordOf);
  }

  /** The next `limit` channels by number, for retention. */
  scan(after: number, limit: number): Scanned[] {
    const rows = this.#scan.values(after, limit) as [number, string, number, number, number][];
    return rows.map(([id, channel, count, bytes, oldestMs]) => ({ id, channel, count, bytes, oldestMs }));
  }

  close(): void {
    this.#db.close();
  }

  #page(channel: string, id: number, { after, upTo, limit, maxBytes, nowMs }: ReadRequest): Scan {
    const publications: Accepted[] = [];
    let bytes = 0;
    let looked = 0;
    let to = Math.min(...after);
    // Row by row, and no further than the page goes: what is too big for it is never fetched.
    for (const row of this.#publications.iterate(id, to, upTo)) {
      if (looked === MOST_LOOKED_AT) return { publications, to };
      looked += 1;
      if (row.offset > after[row.lane] && (row.expiresAtMs === null || row.expiresAtMs > nowMs)) {
        bytes += row.size;
        const isFull = publications.length === limit || (bytes > maxBytes && publications.length > 0);
        if (isFull) return { publications, to };
        publications.push(publicationOf(channel, row));
      }
      to = row.offset;
    }
    return { publications, to: upTo };
  }
}

export interface Scanned {
  readonly id: number;
  readonly channel: string;
  readonly count: number;
  readonly bytes: number;
  readonly oldestMs: number;
}

function infoOf([channel, offset, count, bytes]: Info): Omit<ChannelInfo, "epoch"> {
  return { channel, offset, count, bytes };
}

function recordOf([kind, id, data, dueMs, labels]: RecordRow): KeptRecord {
  const record = dueMs === null ? { kind, id, data } : { kind, id, data, dueMs };
  return labels === null ? record : { ...record, labels: labels.split("\n") };
}

function publicationOf(channel: string, row: Row): Accepted {
  const { id, timeMs, lane, data, meta, offset, prev, expiresAtMs, target } = row;
  const publication = { id, channel, timeMs, lane, data, meta, offset, prev };
  if (expiresAtMs === null && target === null) return publication;
  return {
    ...publication,
    ...(expiresAtMs !== null && { expiresAtMs }),
    ...(target !== null && { target }),
  };
}
