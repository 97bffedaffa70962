/** The records of the memory engine. */
import type { KeptRecord, RecordChange } from "./engine.ts";

export class MemoryRecords {
  /** By kind, then by id. */
  readonly #kinds = new Map<string, Map<string, string>>();

  list(kind: string, after: string, limit: number): KeptRecord[] {
    const records = [...(this.#kinds.get(kind) ?? [])].filter(([id]) => id > after);
    records.sort(([one], [other]) => (one < other ? -1 : 1));
    return records.slice(0, limit).map(([id, data]) => ({ kind, id, data }));
  }

  save({ kind, id, data }: RecordChange): void {
    const records = this.#kinds.get(kind) ?? new Map<string, string>();
    if (data === undefined) records.delete(id);
    else records.set(id, data);
    this.#kinds.set(kind, records);
  }
}
