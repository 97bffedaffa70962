/** A data file of schema version 1, made by the text that made it then: nothing here follows `schema.ts`. */
import { Database } from "bun:sqlite";

const TABLES = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;

  -- count, bytes: what is kept now. oldest_ms: when the oldest kept was written, or earlier.
  CREATE TABLE channel (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    high INTEGER NOT NULL, normal INTEGER NOT NULL, low INTEGER NOT NULL,
    dropped_high INTEGER NOT NULL, dropped_normal INTEGER NOT NULL, dropped_low INTEGER NOT NULL,
    count INTEGER NOT NULL, bytes INTEGER NOT NULL, oldest_ms INTEGER NOT NULL
  ) STRICT;

  -- By rowid, so that all channels append to one end: with 1,000 of them in a transaction a row costs 3 µs, where one
  -- clustered by channel costs 16 and a page of its own, and rows of 1 KB spill.
  CREATE TABLE publication (
    channel_id INTEGER NOT NULL, offset INTEGER NOT NULL, prev INTEGER NOT NULL, lane INTEGER NOT NULL,
    time_ms INTEGER NOT NULL, id TEXT NOT NULL, data TEXT NOT NULL, meta TEXT NOT NULL, size INTEGER NOT NULL,
    expires_at_ms INTEGER, collapse_key TEXT,
    UNIQUE (channel_id, offset)
  ) STRICT;
  CREATE INDEX publication_expiry ON publication (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
  CREATE INDEX publication_collapse ON publication (channel_id, collapse_key) WHERE collapse_key IS NOT NULL;

  -- By rowid the oldest come first, so that no index on the time is needed to forget them.
  CREATE TABLE idempotency (
    channel_id INTEGER NOT NULL, key TEXT NOT NULL,
    id TEXT NOT NULL, offset INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    UNIQUE (channel_id, key)
  ) STRICT;

  CREATE TABLE device_position (
    device TEXT NOT NULL, channel TEXT NOT NULL, epoch TEXT NOT NULL,
    high INTEGER NOT NULL, normal INTEGER NOT NULL, low INTEGER NOT NULL,
    PRIMARY KEY (device, channel)
  ) STRICT, WITHOUT ROWID;
`;

/** Makes `file` with one publication in `news`, its idempotency key `k` and the position of device `d`. */
export function makeSchema1(file: string, { epoch, timeMs }: { epoch: string; timeMs: number }): void {
  const db = new Database(file, { create: true, readwrite: true });
  db.run("PRAGMA page_size = 8192");
  db.run("PRAGMA journal_mode = WAL");
  db.run(TABLES);
  db.run("PRAGMA application_id = 1129466958");
  db.run("PRAGMA user_version = 1");
  db.run("INSERT INTO meta VALUES ('epoch', ?)", [epoch]);
  db.run("INSERT INTO channel VALUES (1, 'news', 0, 1, 0, 0, 0, 0, 1, 3, ?)", [timeMs]);
  db.run("INSERT INTO publication VALUES (1, 1, 0, 1, ?, 'old', '\"a\"', '', 3, NULL, NULL)", [timeMs]);
  db.run("INSERT INTO idempotency VALUES (1, 'k', 'old', 1, ?)", [timeMs]);
  db.run("INSERT INTO device_position VALUES ('d', 'news', ?, 0, 1, 0)", [epoch]);
  db.close();
}
