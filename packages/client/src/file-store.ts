/** A store in a file, for Node and Bun; not part of the browser's bundle. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Store } from "./stores.ts";

/**
 * Keeps everything in one JSON file. It is replaced as a whole, so a crash in the middle leaves the one before; and at
 * once, not later, so that an app which closes its client and exits has kept everything. A save takes well under a
 * millisecond and comes about once a second.
 * @throws {Error} with a system `code`, or a `SyntaxError`, if there is a file that cannot be read.
 */
export function fileStore(path: string): Store {
  const kept = new Map<string, string>(Object.entries(read(path)));
  return {
    load: (key) => kept.get(key),
    save(key, value) {
      if (value === undefined) kept.delete(key);
      else kept.set(key, value);
      writeFileSync(`${path}.new`, JSON.stringify(Object.fromEntries(kept)));
      renameSync(`${path}.new`, path);
    },
  };
}

function read(path: string): Record<string, string> {
  try {
    const text = readFileSync(path, "utf8");
    // What some file systems leave of a new file when the power fails.
    return text === "" ? {} : JSON.parse(text);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
}
