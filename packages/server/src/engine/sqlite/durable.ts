/** What makes files and their names outlive a loss of power. */
import { closeSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";

/** Returns once what `file` holds is on disk. */
export function syncFile(file: string): void {
  sync(file, "r+");
}

/** Returns once the names beside `file`, and its own, are on disk. */
export function syncDirectoryOf(file: string): void {
  // Windows writes names down by itself, and opens no directory.
  if (process.platform !== "win32") sync(dirname(file), "r");
}

function sync(path: string, flags: "r" | "r+"): void {
  const descriptor = openSync(path, flags);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
