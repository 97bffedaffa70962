/**
 * Putting a backup in the place of the data, in two halves. `stageRestore` puts it beside the data, also while a server
 * runs; the next start finishes, step by step, and goes on from wherever it was cut off.
 *
 * The names in the data directory, which are a contract with operators:
 *
 *     restore.db                  staged: the next start begins with it
 *     carillon.db.restoring       taken by a start; nothing stops the restore any more
 *     carillon.db.before-restore  what carillon.db was before the last restore, with its log, if there was any
 */
import { closeSync, existsSync, openSync, readSync, realpathSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "../engine.ts";
import { checkBackup } from "./check.ts";
import { Connection } from "./connection.ts";
import { copyDatabase } from "./copy.ts";
import { syncDirectoryOf, syncFile } from "./durable.ts";
import { makeDirectory } from "./lock.ts";
import { problemOf } from "./problem.ts";

/**
 * Has the next start in `dir` begin with what `file` holds, in place of what was staged before. Blocks: 2.5 s for 1 GB in
 * memory, 1 s with `move`.
 * @param move whether the file itself is taken where that can be done: on the same file system, and of one piece.
 * @throws {EngineError} that names the file if it is damaged, none of ours or of a newer Carillon, or the directory if it
 *   cannot be written; then nothing has changed.
 */
export function stageRestore(dir: string, file: string, { move = false } = {}): void {
  checkBackup(file, { thorough: true });
  if (isSame(file, join(dir, "carillon.db"))) {
    throw new EngineError("unavailable", `${file}: it is the data file itself`);
  }
  makeDirectory(dir);
  const staged = join(dir, "restore.db");
  try {
    if (!move || !isOfOnePiece(file) || !canTake(file, staged)) copyAndTake(file, staged);
    syncDirectoryOf(staged);
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError("unavailable", problemOf(staged, error), { cause: error });
  }
}

/**
 * Finishes what was staged. For the process that has the directory, before it opens the data file.
 * @returns whether anything was restored.
 * @throws {EngineError} if what was staged must not be used; then nothing has changed. Or if a step fails; the next call
 *   goes on there.
 */
export function finishRestore(dir: string, newEpoch: string): boolean {
  let steps = 0;
  try {
    for (const _ of restoreSteps(dir, newEpoch)) steps += 1;
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw new EngineError("unavailable", problemOf(join(dir, "restore.db"), error), { cause: error });
  }
  return steps > 0;
}

/**
 * The steps of a restore, none if there is nothing to restore. A kill can come between any two, and none can be halved.
 * Until the last one the data file is the old one with its log, or is not there; from it on it is the restored one, which
 * has had its new epoch since long before.
 */
export function* restoreSteps(dir: string, newEpoch: string): Generator<void, void> {
  const [staged, file] = [join(dir, "restore.db"), join(dir, "carillon.db")];
  const [taken, before] = [`${file}.restoring`, `${file}.before-restore`];
  if (existsSync(staged)) {
    checkBackup(staged, { thorough: false });
    makeOnePiece(staged);
    yield;
    // SQLite would roll the new file back by what the end of an earlier start has left.
    yield rmSync(`${taken}-journal`, { force: true });
    // Out of reach of `stageRestore`, which would bring its epoch with it.
    yield renameSync(staged, taken);
  }
  if (!existsSync(taken)) return;
  yield writeEpoch(taken, newEpoch);
  if (existsSync(file)) {
    for (const log of ["-wal", "-shm"]) yield rmSync(before + log, { force: true });
    renameSync(file, before);
    yield syncDirectoryOf(file);
  }
  // After its file: beside the restored one it would be played into that.
  if (existsSync(`${file}-wal`)) yield renameSync(`${file}-wal`, `${before}-wal`);
  rmSync(`${file}-shm`, { force: true });
  yield syncDirectoryOf(file);
  renameSync(taken, file);
  yield syncDirectoryOf(file);
}

/** Has what is only in the log beside `file` in `file` itself. */
function makeOnePiece(file: string): void {
  withWriter(file, (db) => db.value("PRAGMA journal_mode = DELETE"));
}

function writeEpoch(file: string, epoch: string): void {
  withWriter(file, (db) => {
    // Also the end of the journal, which would take the epoch back, is on disk when this returns.
    db.run("PRAGMA synchronous = EXTRA");
    db.prepare("UPDATE meta SET value = ? WHERE key = 'epoch'").run(epoch);
  });
}

function withWriter(file: string, use: (db: Connection) => void): void {
  const db = new Connection(file, { create: true, readwrite: true });
  try {
    use(db);
  } finally {
    db.close();
  }
}

function isSame(one: string, other: string): boolean {
  return existsSync(one) && existsSync(other) && realpathSync(one) === realpathSync(other);
}

/** Where its header says how SQLite keeps its log: 1 for a journal that ends with each transaction, 2 for WAL. */
const LOG_KIND_AT = 18;

function isOfOnePiece(file: string): boolean {
  const descriptor = openSync(file, "r");
  try {
    const kind = Buffer.alloc(1);
    readSync(descriptor, kind, 0, 1, LOG_KIND_AT);
    return kind[0] === 1;
  } finally {
    closeSync(descriptor);
  }
}

function copyAndTake(file: string, staged: string): void {
  const copy = `${staged}.new`;
  // Of a call that was cut off.
  rmSync(copy, { force: true });
  copyDatabase(file, copy);
  take(copy, staged);
}

/** The log of one that was put there by hand would be played into the new one. */
function take(file: string, staged: string): void {
  for (const log of ["-wal", "-shm"]) rmSync(staged + log, { force: true });
  renameSync(file, staged);
}

function canTake(file: string, staged: string): boolean {
  try {
    syncFile(file);
    take(file, staged);
    return true;
  } catch {
    // On another file system, or not ours to take; a copy may do, and says what is wrong if not.
    return false;
  }
}
