/** A place for schedules in memory, with the promises of the real one, that can be made to fail. */
import type { KeptRecord, RecordChange, ScheduledPublication, SchedulePorts } from "../ports.ts";

export class FakeStore implements SchedulePorts {
  readonly published: ScheduledPublication[] = [];
  readonly #records = new Map<string, KeptRecord>();
  /** Asked before each commit; throwing is a disk that does not work. */
  beforeCommit: (items: readonly ScheduledPublication[]) => void | Promise<void> = () => {};
  /** Asked after each commit that was made; throwing is an answer that is lost. */
  afterCommit: () => void | Promise<void> = () => {};

  async record(kind: string, id: string): Promise<KeptRecord | undefined> {
    return this.#records.get(`${kind} ${id}`);
  }

  readonly records = async (kind: string, after: string, limit: number): Promise<readonly KeptRecord[]> => {
    const found = this.#of(kind).filter(({ id }) => id > after);
    return found.sort((one, other) => (one.id < other.id ? -1 : 1)).slice(0, limit);
  };

  async due(kind: string, untilMs: number, limit: number): Promise<readonly KeptRecord[]> {
    const timeOf = ({ dueMs = Number.POSITIVE_INFINITY }: KeptRecord) => dueMs;
    const found = this.#of(kind).filter((record) => timeOf(record) <= untilMs);
    return found.sort((one, other) => timeOf(one) - timeOf(other)).slice(0, limit);
  }

  readonly commit = async (
    items: readonly ScheduledPublication[],
    changes: readonly RecordChange[],
  ): Promise<boolean> => {
    await this.beforeCommit(items);
    for (const { kind, id, expect } of changes) {
      if (expect === undefined) continue;
      if ((this.#records.get(`${kind} ${id}`)?.data ?? null) !== expect) return false;
    }
    for (const { expect: _, ...change } of changes) {
      const key = `${change.kind} ${change.id}`;
      if (change.data === undefined) this.#records.delete(key);
      else this.#records.set(key, { ...change, data: change.data });
    }
    this.published.push(...items);
    await this.afterCommit();
    return true;
  };

  #of(kind: string): KeptRecord[] {
    return [...this.#records.values()].filter((record) => record.kind === kind);
  }
}
