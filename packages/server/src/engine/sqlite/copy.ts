/** Makes a copy of a data file that is consistent, also while the file is written. Knows no threads. */
import { lstatSync, renameSync, rmSync } from "node:fs";
import { EngineError } from "../engine.ts";
import { damageIn } from "./check.ts";
import type { Connection } from "./connection.ts";
import { syncDirectoryOf, syncFile } from "./durable.ts";
import { problemOf } from "./problem.ts";
import { connectReader } from "./schema.ts";

/**
 * Copies `file`, with what is only in the log beside it, to a new file at `path`, and has looked through the copy before
 * it gets its name: a complete data file, on disk when this returns. Publishes go on meanwhile, but what they write stays
 * in the log beside `file`, which grows until the copy is done. Blocks: 0.9 s for 500 MB in memory.
 * @throws {EngineError} if it cannot be made; then nothing is left at `path`.
 */
export function copyDatabase(file: string, path: string): void {
  const partial = partialOf(path);
  try {
    refuseExisting(path);
    // Of a copy that was cut off by the end of its process.
    removePartial(path);
    // No copy of the bytes: that would need the writer to stand still.
    withReader(file, (db) => db.prepare("VACUUM INTO ?").run(partial));
    const damage = withReader(partial, (db) => damageIn(db, "quick_check"));
    if (damage !== undefined) throw new EngineError("unavailable", `${path}: the copy is damaged: ${damage}`);
    syncFile(partial);
    refuseExisting(path);
    renameSync(partial, path);
    syncDirectoryOf(path);
  } catch (error) {
    removePartial(path);
    if (error instanceof EngineError) throw error;
    throw new EngineError("unavailable", problemOf(isAboutSource(error) ? file : path, error), {
      cause: error,
    });
  }
}

/** Removes what a copy that was cut off has left beside `path`. */
export function removePartial(path: string): void {
  for (const each of ["", "-journal"]) {
    try {
      rmSync(partialOf(path) + each, { force: true });
    } catch {
      // Where nothing can be removed, nothing could be made either.
    }
  }
}

function partialOf(path: string): string {
  return `${path}.carillon-partial`;
}

function refuseExisting(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
  throw new EngineError("unavailable", `${path}: it exists already; it has been left as it is`);
}

function withReader<Result>(file: string, use: (db: Connection) => Result): Result {
  const db = connectReader(file);
  try {
    return use(db);
  } finally {
    db.close();
  }
}

/** Nothing is damaged in a file that is just being written. */
function isAboutSource(error: unknown): boolean {
  return String((error as { code?: string }).code).startsWith("SQLITE_CORRUPT");
}
