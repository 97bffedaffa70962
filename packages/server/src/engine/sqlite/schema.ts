/** The one file: its tables, how a connection is set up, and how another Carillon's file is told apart. */
import { Connection } from "./connection.ts";

/** "CRLN" in the file's header: `file carillon.db` and we ourselves know it by that. */
export const APPLICATION_ID = 0x43524c4e;

/** Of the tables below. A file of a newer schema is refused: writing it could break what is not understood. */
export const SCHEMA_VERSION = 2;

const RECORDS = `
  -- labels: in lines; NULL for none.
  CREATE TABLE record (
    kind TEXT NOT NULL, id TEXT NOT NULL, data TEXT NOT NULL, due_ms INTEGER, labels TEXT,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
  -- Ends with the id, as every index of such a table does: what is due at one time is in order already.
  CREATE INDEX record_due ON record (kind, due_ms) WHERE due_ms IS NOT NULL;

  CREATE TABLE record_label (
    kind TEXT NOT NULL, label TEXT NOT NULL, id TEXT NOT NULL,
    PRIMARY KEY (kind, label, id)
  ) STRICT, WITHOUT ROWID;
  -- How many rows of record_label there are; none where there are none.
  CREATE TABLE record_label_count (
    kind TEXT NOT NULL, label TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (kind, label)
  ) STRICT, WITHOUT ROWID;
`;

const BREAKS = `
  -- first: the rowid of a publication whose id sorts before that of the one before.
  CREATE TABLE publication_break (first INTEGER PRIMARY KEY) STRICT;
`;

const SENT = ["high", "normal", "low"].map((lane) => `sent_${lane} INTEGER NOT NULL DEFAULT 0`);

/** Of what a device was sent no more was known than what it has handled. */
const ADD_SENT = `
  ${SENT.map((column) => `ALTER TABLE device_position ADD COLUMN ${column};`).join("\n")}
  UPDATE device_position SET sent_high = high, sent_normal = normal, sent_low = low;
`;

/** By the version that a file has: what makes it one of the next. */
const MIGRATIONS: Readonly<Record<number, string>> = {
  1: `${RECORDS} ${ADD_SENT} ${BREAKS} ALTER TABLE publication ADD COLUMN target TEXT;`,
};

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
    expires_at_ms INTEGER, collapse_key TEXT, target TEXT,
    UNIQUE (channel_id, offset)
  ) STRICT;
  CREATE INDEX publication_expiry ON publication (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
  CREATE INDEX publication_collapse ON publication (channel_id, collapse_key) WHERE collapse_key IS NOT NULL;
  ${BREAKS}

  -- By rowid the oldest come first, so that no index on the time is needed to forget them.
  CREATE TABLE idempotency (
    channel_id INTEGER NOT NULL, key TEXT NOT NULL,
    id TEXT NOT NULL, offset INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    UNIQUE (channel_id, key)
  ) STRICT;

  CREATE TABLE device_position (
    device TEXT NOT NULL, channel TEXT NOT NULL, epoch TEXT NOT NULL,
    high INTEGER NOT NULL, normal INTEGER NOT NULL, low INTEGER NOT NULL, ${SENT.join(", ")},
    PRIMARY KEY (device, channel)
  ) STRICT, WITHOUT ROWID;
  ${RECORDS}
`;

/** The writer has no rival; it waits only for a backup tool that holds the file for a moment. */
const WRITER_BUSY_MS = 5_000;

export function connectWriter(file: string): Connection {
  const db = new Connection(file, { create: true, readwrite: true });
  db.run(`PRAGMA busy_timeout = ${WRITER_BUSY_MS}`);
  // Set before anything is written. Rows of 1 KB cost 3 µs each, with 4 KiB pages 9.
  db.run("PRAGMA page_size = 8192");
  db.run("PRAGMA journal_mode = WAL");
  // NORMAL would lose the last commits when the machine loses power, and those were answered.
  db.run("PRAGMA synchronous = FULL");
  db.run("PRAGMA cache_size = -16384");
  // After a burst the log beside the file gives its space back.
  db.run("PRAGMA journal_size_limit = 67108864");
  return db;
}

/** In WAL a reader waits for nobody, save for a moment when the log is recovered; the event loop waits with it. */
const READER_BUSY_MS = 50;

export function connectReader(file: string): Connection {
  const db = new Connection(file, { readonly: true });
  db.run(`PRAGMA busy_timeout = ${READER_BUSY_MS}`);
  return db;
}

/**
 * Makes the tables if the file is new, brings an older file up to date, all in one transaction, and says the log's
 * epoch. `check.ts` has looked before whose file it is.
 */
export function prepareSchema(db: Connection, newEpoch: string): string {
  db.run("BEGIN IMMEDIATE");
  const version = Number(db.value("PRAGMA user_version"));
  if (version === 0) {
    db.run(TABLES);
    db.run(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.prepare("INSERT INTO meta VALUES ('epoch', ?)").run(newEpoch);
  } else {
    for (let from = version; from < SCHEMA_VERSION; from++) db.run(MIGRATIONS[from] ?? "");
  }
  if (version !== SCHEMA_VERSION) db.run(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  // SQLite opens a read-only file without a word, and begins a transaction on it; the first write fails.
  db.run("UPDATE meta SET value = value WHERE key = 'epoch'");
  db.run("COMMIT");
  return epochOf(db) ?? "";
}

export function epochOf(db: Connection): string | undefined {
  return db.value("SELECT value FROM meta WHERE key = 'epoch'") as string | undefined;
}
