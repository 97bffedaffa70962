/**
 * A program that opens the SQLite engine on a directory, makes a backup and says how it ended, publishing all the while.
 *
 *     bun packages/server/src/engine/testing/back-up.ts DIR PATH
 */
import { systemClock as clock } from "../../lib/clock.ts";
import { silentLog as log } from "../../lib/log.ts";
import { openSqliteEngine } from "../sqlite/sqlite.ts";

const [dir = "", path = ""] = process.argv.slice(2);

const engine = await openSqliteEngine({ dir, clock, log, retentionOf: () => ({}) });
const ended = engine.backup(path).then(
  () => "made",
  ({ code, message }) => `${code}: ${message}`,
);
const fields = { id: "p", channel: "news", timeMs: 0, data: "1", meta: "", stored: true };
const published = await engine.publish([{ ...fields, lane: 1 }]);
process.stdout.write(`${await ended}\npublished at ${published[0]?.offset}\n`);
await engine.close();
