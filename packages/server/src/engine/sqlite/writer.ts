/**
 * The writer: the Worker that holds the file's one writing handle, so that an fsync never blocks the event loop. A second
 * one makes backups.
 */
import type { Connection } from "./connection.ts";
import { copyDatabase } from "./copy.ts";
import type { Commit, Committed, Failed, Replies, WriterRequest } from "./messages.ts";
import { problemOf } from "./problem.ts";
import { connectWriter, prepareSchema } from "./schema.ts";
import { Store } from "./store.ts";
import { Sweep } from "./sweep.ts";

declare const self: Worker;

interface Medium {
  readonly file: string;
  readonly db: Connection;
  readonly store: Store;
  readonly sweep: Sweep;
}

let medium: Medium | undefined;

self.onmessage = ({ data }: MessageEvent<string>) => {
  self.postMessage(JSON.stringify(answer(JSON.parse(data))));
};

/** Never throws: an error that escaped would end the thread, and with it everything that waits. */
function answer(request: WriterRequest): Replies[keyof Replies] | Failed {
  try {
    if (request.kind === "open") return open(request);
    if (request.kind === "backup") return backup(request);
    if (medium === undefined) return { failure: "the data file is not open" };
    return answerOpen(medium, request);
  } catch (error) {
    return { failure: problemOf(medium?.file ?? "", error) };
  }
}

function open({
  file,
  newEpoch,
  maxPages,
}: Extract<WriterRequest, { kind: "open" }>): Replies["open"] | Failed {
  let db: Connection | undefined;
  try {
    db = connectWriter(file);
    if (maxPages !== undefined) db.run(`PRAGMA max_page_count = ${maxPages}`);
    const epoch = prepareSchema(db, newEpoch);
    const store = new Store(db);
    medium = { file, db, store, sweep: new Sweep(db, store) };
    return { epoch };
  } catch (error) {
    db?.close();
    return { failure: problemOf(file, error) };
  }
}

function answerOpen(
  { file, db, store, sweep }: Medium,
  request: Exclude<WriterRequest, { kind: "open" | "backup" }>,
): Replies[keyof Replies] {
  if (request.kind === "commit") return commit(file, store, request);
  if (request.kind === "expire") return sweep.expire(request.nowMs);
  if (request.kind === "trim") return sweep.trim(request.channels, request.nowMs);
  medium = undefined;
  // Leaves one file: the log beside it is worked in and removed.
  db.close();
  return {};
}

function backup({ file, path }: Extract<WriterRequest, { kind: "backup" }>): Replies["backup"] | Failed {
  try {
    copyDatabase(file, path);
    return {};
  } catch (error) {
    return { failure: (error as Error).message };
  }
}

function commit(file: string, store: Store, request: Commit): Committed {
  let committed: Omit<Committed, "tops">;
  try {
    committed = store.commit(request);
  } catch (error) {
    committed = { offsets: [], repeats: [], conflicts: [], missing: [], failure: problemOf(file, error) };
  }
  const tops = request.tops.flatMap((channel) => store.rows.find(channel)?.lanes ?? [0, 0, 0]);
  return { ...committed, tops };
}
