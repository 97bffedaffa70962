/**
 * The labels by which the writer's records are found. To add one of a million devices with four labels takes 0.2 ms: each
 * label has a page of its own to change.
 */
import type { Connection } from "./connection.ts";

export class LabelRows {
  readonly #select;
  readonly #add;
  readonly #remove;
  readonly #count;
  readonly #forgetCount;
  /** Kinds that have ever had labels: with the others nothing is looked up, so that they cost nothing. */
  readonly #kinds: Set<string>;

  constructor(db: Connection) {
    this.#select = db.prepare("SELECT labels FROM record WHERE kind = ? AND id = ? AND labels IS NOT NULL");
    this.#add = db.prepare("INSERT INTO record_label VALUES (?, ?, ?)");
    this.#remove = db.prepare("DELETE FROM record_label WHERE kind = ? AND label = ? AND id = ?");
    this.#count = db.prepare(
      `INSERT INTO record_label_count VALUES (?, ?, ?)
       ON CONFLICT (kind, label) DO UPDATE SET count = count + excluded.count`,
    );
    this.#forgetCount = db.prepare(
      "DELETE FROM record_label_count WHERE kind = ? AND label = ? AND count = 0",
    );
    this.#kinds = new Set(kindsIn(db));
  }

  /**
   * Before the record itself is saved, which still says what labels it had: only the difference is written, as most changes
   * of a record leave its labels as they are.
   */
  save(kind: string, id: string, now: readonly string[]): void {
    if (!this.#kinds.has(kind)) {
      if (now.length === 0) return;
      this.#kinds.add(kind);
    }
    const [[text] = [""]] = this.#select.values(kind, id) as [string][];
    const before = text === "" ? [] : text.split("\n");
    for (const label of before) {
      if (now.includes(label)) continue;
      this.#remove.run(kind, label, id);
      this.#count.run(kind, label, -1);
      this.#forgetCount.run(kind, label);
    }
    for (const label of now) {
      if (before.includes(label)) continue;
      this.#add.run(kind, label, id);
      this.#count.run(kind, label, 1);
    }
  }
}

/** One look for each kind: there may be a million labels. */
function kindsIn(db: Connection): string[] {
  const next = db.prepare("SELECT min(kind) FROM record_label_count WHERE kind > ?");
  const kinds: string[] = [];
  for (let kind = ""; ; kinds.push(kind)) {
    const [[found] = [null]] = next.values(kind) as [string | null][];
    if (found === null) return kinds;
    kind = found;
  }
}
