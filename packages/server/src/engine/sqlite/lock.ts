/** The data directory: made if need be, and of one process, for two writers would each count offsets of their own. */
import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "../engine.ts";
import { problemOf } from "./problem.ts";

/** @throws {EngineError} if it is not there and cannot be made. */
export function makeDirectory(dir: string): void {
  try {
    // What is kept is of no concern to other users of the machine.
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new EngineError("unavailable", problemOf(dir, error), { cause: error });
  }
}

/**
 * Takes the directory for this process. The lock is the kernel's, held by SQLite on a file of its own, so it ends with
 * the process, also with `kill -9`, and never has to be cleaned up. Returns what lets go of it.
 * @throws {EngineError} if another process has it, or the directory cannot be written.
 */
export function lockDirectory(dir: string): () => void {
  const file = join(dir, "lock.db");
  let db: Database | undefined;
  try {
    db = new Database(file, { create: true, readwrite: true });
    db.run("PRAGMA busy_timeout = 0");
    db.run("BEGIN EXCLUSIVE");
    const held = db;
    return () => held.close();
  } catch (error) {
    db?.close();
    const busy = (error as { code?: string }).code === "SQLITE_BUSY";
    const problem = busy ? `${dir}: another process uses this data directory` : problemOf(file, error);
    throw new EngineError("unavailable", problem, { cause: error });
  }
}
