/** What calls that change records expect of them. */
import { EngineError, type RecordChange } from "./engine.ts";

/**
 * Whether each change of a call finds what it expects, with those before it made. Looked through before any is made, so
 * that nothing has ever to be taken back.
 * @param dataOf what is kept now, `undefined` if nothing is.
 */
export function areMet(
  changes: readonly RecordChange[],
  dataOf: (kind: string, id: string) => string | undefined,
): boolean {
  if (changes.every(({ expect }) => expect === undefined)) return true;
  const made = new Map<string, string | undefined>();
  for (const { kind, id, data, expect } of changes) {
    // Neither has a line break, so the two cannot be mixed up.
    const key = `${kind}\n${id}`;
    if (expect !== undefined) {
      const now = made.has(key) ? made.get(key) : dataOf(kind, id);
      if ((now ?? null) !== expect) return false;
    }
    made.set(key, data);
  }
  return true;
}

export function conflict(): EngineError {
  return new EngineError(
    "conflict",
    "a record is not as expected; nothing was published and nothing changed",
  );
}
