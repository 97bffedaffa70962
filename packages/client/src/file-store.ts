/** A store in a file, for Node and Bun; not part of the browser's bundle. */
import { readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import type { Store } from "./stores.ts";

/**
 * Keeps everything in one JSON file. It is replaced as a whole, so a crash in the middle leaves the one before.
 * @throws {Error} with a system `code`, or a `SyntaxError`, if there is a file that cannot be read.
 */
export function fileStore(path: string): Store {
  const kept = new Map<string, string>(Object.entries(read(path)));
  let writing: Promise<void> | undefined;
  let stale = false;
  const write = async () => {
    do {
      stale = false;
      await writeFile(`${path}.new`, JSON.stringify(Object.fromEntries(kept)));
      await rename(`${path}.new`, path);
    } while (stale);
  };
  return {
    load: (key) => kept.get(key),
    save(key, value) {
      if (value === undefined) kept.delete(key);
      else kept.set(key, value);
      stale = true;
      writing ??= write().finally(() => {
        writing = undefined;
      });
      return writing;
    },
  };
}

function read(path: string): Record<string, string> {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
}
