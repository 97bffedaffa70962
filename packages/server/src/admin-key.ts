/** The admin key: given, or made at the first start and kept beside the data. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "./config.ts";
import { secret } from "./lib/ids.ts";

export interface NewAdminKey {
  readonly key: string;
  /** The file that holds it; none where nothing is kept on disk. */
  readonly keptIn?: string;
}

export interface AdminKey {
  readonly key: string;
  /** Set when the key was made just now. */
  readonly made?: NewAdminKey;
}

/**
 * The key of a server: `given` if it is not empty, else the one in `dir`, else a new one, kept there with mode 0600.
 * Without `dir` a new one is made at every start.
 * @throws {ConfigError} if the file holds no key.
 * @throws {Error} with a system `code` if it cannot be read or written.
 */
export function adminKey(given: string, dir: string | undefined): AdminKey {
  if (given !== "") return { key: given };
  const key = secret();
  if (dir === undefined) return { key, made: { key } };
  const keptIn = join(dir, "admin.key");
  try {
    const kept = readFileSync(keptIn, "utf8").trim();
    if (kept === "") throw new ConfigError(`${keptIn}: holds no key; delete the file to have one made`);
    return { key: kept };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
  // What is kept is of no concern to other users of the machine.
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(keptIn, `${key}\n`, { mode: 0o600, flag: "wx" });
  return { key, made: { key, keptIn } };
}
