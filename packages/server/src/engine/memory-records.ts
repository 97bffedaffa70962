/** The records of the memory engine. */
import type { KeptRecord, RecordChange } from "./engine.ts";
import { Sorted } from "./sorted.ts";

type Id = Pick<KeptRecord, "id">;
type Due = Id & { readonly dueMs: number };

const byId = ({ id: one }: Id, { id: other }: Id) => (one < other ? -1 : one > other ? 1 : 0);

/** The records of one kind. */
class Kind {
  readonly #records = new Map<string, KeptRecord>();
  readonly #byId = new Sorted<Id>(byId);
  readonly #byLabel = new Map<string, { readonly ids: Sorted<Id>; count: number }>();
  readonly #byTime = new Sorted<Due>((one, other) => one.dueMs - other.dueMs || byId(one, other));

  get(id: string): KeptRecord | undefined {
    return this.#records.get(id);
  }

  put(record: KeptRecord): void {
    const { id, dueMs } = record;
    const old = this.#records.get(id);
    if (old === undefined) this.#byId.add({ id });
    if (old?.dueMs !== dueMs) {
      this.#forgetTime(old);
      if (dueMs !== undefined) this.#byTime.add({ id, dueMs });
    }
    this.#label(id, old?.labels, record.labels);
    this.#records.set(id, record);
  }

  remove(id: string): void {
    this.#forgetTime(this.#records.get(id));
    this.#label(id, this.#records.get(id)?.labels, []);
    if (this.#records.delete(id)) this.#byId.delete({ id });
  }

  list(after: string, limit: number): KeptRecord[] {
    const ids: Id[] = [];
    for (const each of this.#byId.after({ id: after })) {
      if (ids.length >= limit) break;
      ids.push(each);
    }
    return this.#of(ids);
  }

  due(untilMs: number, limit: number): KeptRecord[] {
    const ids: Id[] = [];
    for (const each of this.#byTime.after()) {
      if (each.dueMs > untilMs || ids.length >= limit) break;
      ids.push(each);
    }
    return this.#of(ids);
  }

  labelled(label: string, after: string, limit: number): KeptRecord[] {
    const ids: Id[] = [];
    for (const each of this.#byLabel.get(label)?.ids.after({ id: after }) ?? []) {
      if (ids.length >= limit) break;
      ids.push(each);
    }
    return this.#of(ids);
  }

  countLabelled(label: string): number {
    return this.#byLabel.get(label)?.count ?? 0;
  }

  #label(id: string, before: readonly string[] = [], after: readonly string[] = []): void {
    for (const label of new Set(before)) {
      const carriers = this.#byLabel.get(label);
      if (carriers === undefined || after.includes(label)) continue;
      carriers.ids.delete({ id });
      carriers.count -= 1;
      if (carriers.count === 0) this.#byLabel.delete(label);
    }
    for (const label of new Set(after)) {
      if (before.includes(label)) continue;
      const carriers = this.#byLabel.get(label) ?? { ids: new Sorted<Id>(byId), count: 0 };
      carriers.ids.add({ id });
      carriers.count += 1;
      this.#byLabel.set(label, carriers);
    }
  }

  #of(ids: readonly Id[]): KeptRecord[] {
    return ids.map(({ id }) => this.#records.get(id) as KeptRecord);
  }

  #forgetTime(record: KeptRecord | undefined): void {
    if (record?.dueMs !== undefined) this.#byTime.delete({ id: record.id, dueMs: record.dueMs });
  }
}

export class MemoryRecords {
  readonly #kinds = new Map<string, Kind>();

  get(kind: string, id: string): KeptRecord | undefined {
    return this.#kinds.get(kind)?.get(id);
  }

  list(kind: string, after: string, limit: number): KeptRecord[] {
    return this.#kinds.get(kind)?.list(after, limit) ?? [];
  }

  due(kind: string, untilMs: number, limit: number): KeptRecord[] {
    return this.#kinds.get(kind)?.due(untilMs, limit) ?? [];
  }

  labelled(kind: string, label: string, after: string, limit: number): KeptRecord[] {
    return this.#kinds.get(kind)?.labelled(label, after, limit) ?? [];
  }

  countLabelled(kind: string, label: string): number {
    return this.#kinds.get(kind)?.countLabelled(label) ?? 0;
  }

  save({ kind, id, data, dueMs, labels }: RecordChange): void {
    let records = this.#kinds.get(kind);
    if (records === undefined) {
      records = new Kind();
      this.#kinds.set(kind, records);
    }
    if (data === undefined) records.remove(id);
    else {
      const time = dueMs === undefined ? {} : { dueMs };
      records.put({ kind, id, data, ...time, ...(labels !== undefined && labels.length > 0 && { labels }) });
    }
  }
}
