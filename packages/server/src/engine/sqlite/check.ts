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

/** @throws {EngineError} if the file must not be written. */
export function checkFile(file: string): void {
  if (!existsSync(file) || statSync(file).size === 0) return;
  if (!beginsAsSqlite(file)) throw refuse(file, "it is not a Carillon database; it has been left as it is");
  try {
    checkContent(file);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError("unavailable", problemOf(file, error), { cause: error });
  }
}

function refuse(file: string, why: string): EngineError {
  return new EngineError("unavailable", `${file}: ${why}`);
}

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

function checkContent(file: string): void {
  const crashed = existsSync(`${file}-wal`) && statSync(`${file}-wal`).size > 0;
  const { size } = statSync(file);
  const db = connectReader(file);
  try {
    const version = Number(db.value("PRAGMA user_version"));
    const application = Number(db.value("PRAGMA application_id"));
    // A crash between the making of the file and its first commit leaves it empty, which is fine.
    if (application === 0 && version === 0 && Number(db.value("SELECT count(*) FROM sqlite_schema")) === 0)
      return;
    if (application !== APPLICATION_ID) throw refuse(file, "it is the database of another program");
    if (version > SCHEMA_VERSION) {
      throw refuse(
        file,
        `it was written by a newer Carillon (schema ${version}, known is ${SCHEMA_VERSION})`,
      );
    }
    const bound = crashed ? CHECKED_AFTER_CRASH_BYTES : ALWAYS_CHECKED_BYTES;
    const damage = size <= bound ? damageIn(db, "quick_check") : undefined;
    if (damage !== undefined) throw refuse(file, `it is damaged; it has been left as it is: ${damage}`);
    if (epochOf(db) === undefined) throw refuse(file, "it is damaged: it has no epoch");
  } finally {
    db.close();
  }
}

/** The first damage that is found, in SQLite's words. `integrity_check` compares the indexes with the tables, too. */
export function damageIn(db: Connection, check: "quick_check" | "integrity_check"): string | undefined {
  const verdict = String(db.value(`PRAGMA ${check}(1)`));
  return verdict === "ok" ? undefined : verdict.split("\n").at(-1);
}
