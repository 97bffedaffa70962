/**
 * Looks at a data file before anything writes to it: damaged, of another program or of a newer Carillon, it is named
 * and left as it is.
 */
import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { EngineError } from "../engine.ts";
import type { Connection } from "./connection.ts";
import { problemOf } from "./problem.ts";
import { APPLICATION_ID, connectReader, epochOf, SCHEMA_VERSION } from "./schema.ts";

/**
 * `quick_check` reads the whole file: 0.7 s for 1 GB in memory, 11 s from a cold disk. Small files are checked at every
 * start. After an unclean end (the log beside the file is still there) three seconds are worth it. Beyond that, start-up
 * would keep the apps waiting: SQLite itself reports a damaged page when it meets one.
 */
const ALWAYS_CHECKED_BYTES = 64e6;
const CHECKED_AFTER_CRASH_BYTES = 256e6;

/** @throws {EngineError} if the file must not be written. One that is not there, or holds nothing yet, is fine. */
export function checkFile(file: string): void {
  if (existsSync(file) && statSync(file).size > 0) checkContent(file, { isBackup: false, thorough: false });
}

/**
 * Looks at a file that is to take the data file's place, and so has to hold something.
 * @param thorough whether all of it is read and its indexes compared, whatever its size: 1 s for 1 GB in memory.
 * @throws {EngineError} if it must not.
 */
export function checkBackup(file: string, { thorough }: { readonly thorough: boolean }): void {
  checkContent(file, { isBackup: true, thorough });
}

function refuse(file: string, why: string): EngineError {
  return new EngineError("unavailable", `${file}: ${why}`);
}

const NOT_OURS = "it is not a Carillon database; it has been left as it is";
const MAGIC = "SQLite format 3\0";

function beginsAsSqlite(file: string): boolean {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, "r");
    const head = Buffer.alloc(MAGIC.length);
    readSync(descriptor, head);
    return head.toString("latin1") === MAGIC;
  } catch (error) {
    throw new EngineError("unavailable", problemOf(file, error), { cause: error });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

interface Closeness {
  readonly isBackup: boolean;
  readonly thorough: boolean;
}

function checkContent(file: string, closeness: Closeness): void {
  if (!beginsAsSqlite(file)) throw refuse(file, NOT_OURS);
  let db: Connection | undefined;
  try {
    const bound = isUnclean(file) ? CHECKED_AFTER_CRASH_BYTES : ALWAYS_CHECKED_BYTES;
    const { size } = statSync(file);
    db = connectReader(file);
    if (isEmpty(db)) {
      // A crash between the making of the file and its first commit leaves it empty, which is fine.
      if (closeness.isBackup) throw refuse(file, NOT_OURS);
      return;
    }
    checkVersion(file, db);
    const check = closeness.thorough ? "integrity_check" : "quick_check";
    const damage = closeness.thorough || size <= bound ? damageIn(db, check) : undefined;
    if (damage !== undefined) throw refuse(file, `it is damaged; it has been left as it is: ${damage}`);
    if (epochOf(db) === undefined) throw refuse(file, "it is damaged: it has no epoch");
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError("unavailable", problemOf(file, error), { cause: error });
  } finally {
    db?.close();
  }
}

function isUnclean(file: string): boolean {
  return existsSync(`${file}-wal`) && statSync(`${file}-wal`).size > 0;
}

function isEmpty(db: Connection): boolean {
  const counts = ["PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema"];
  return counts.every((sql) => Number(db.value(sql)) === 0);
}

function checkVersion(file: string, db: Connection): void {
  const version = Number(db.value("PRAGMA user_version"));
  const application = Number(db.value("PRAGMA application_id"));
  if (application !== APPLICATION_ID) throw refuse(file, "it is the database of another program");
  if (version <= SCHEMA_VERSION) return;
  throw refuse(file, `it was written by a newer Carillon (schema ${version}, known is ${SCHEMA_VERSION})`);
}

/** The first damage that is found, in SQLite's words. `integrity_check` compares the indexes with the tables, too. */
export function damageIn(db: Connection, check: "quick_check" | "integrity_check"): string | undefined {
  const verdict = String(db.value(`PRAGMA ${check}(1)`));
  return verdict === "ok" ? undefined : verdict.split("\n").at(-1);
}
