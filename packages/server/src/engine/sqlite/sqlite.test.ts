import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../lib/log.ts";
import { describeEngine } from "../testing/conformance.ts";
import { openSqliteEngine } from "./sqlite.ts";

describeEngine("SQLite", async (options) => {
  const dir = await mkdtemp(join(tmpdir(), "carillon-"));
  const engine = await openSqliteEngine({ ...options, dir, log: silentLog });
  const dispose = () => engine.close().then(() => rm(dir, { recursive: true }));
  return { engine, dispose };
});
