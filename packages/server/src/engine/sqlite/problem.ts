import { printable } from "../../lib/printable.ts";

/** What operators can do something about, in their words; the rest in SQLite's. */
const WORDS: Readonly<Record<string, string>> = {
  SQLITE_FULL: "the disk is full",
  SQLITE_READONLY: "it cannot be written: check its owner and permissions, and those of its directory",
  SQLITE_CANTOPEN: "it cannot be opened: check its owner and permissions, and those of its directory",
  SQLITE_CORRUPT: "it is damaged; it has been left as it is: restore it from a backup, or move it away",
  SQLITE_NOTADB: "it is not a Carillon database; it has been left as it is",
};

/** One line about `file` for operators. */
export function problemOf(file: string, error: unknown): string {
  const { code = "", message = String(error) } = error as { code?: string; message?: string };
  // Extended codes (`SQLITE_IOERR_WRITE`) begin with the plain one.
  const plain = Object.keys(WORDS).find((each) => code.startsWith(each));
  const said = plain === undefined ? message : WORDS[plain];
  return printable(`${file}: ${said}${code === "" ? "" : ` (${code})`}`);
}
