/** The writer's records, and the labels by which they are found. */
import type { RecordChange } from "../engine.ts";
import type { Connection } from "./connection.ts";

export class RecordRows {
  readonly #select;
  readonly #labels;
  readonly #put;
  readonly #remove;
  readonly #addLabel;
  readonly #removeLabel;
  readonly #count;
  readonly #forgetCount;

  constructor(db: Connection) {
    this.#select = db.prepare("SELECT data FROM record WHERE kind = ? AND id = ?");
    this.#labels = db.prepare("SELECT labels FROM record WHERE kind = ? AND id = ? AND labels IS NOT NULL");
    this.#put = db.prepare(
      `INSERT INTO record VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (kind, id) DO UPDATE SET data = excluded.data, due_ms = excluded.due_ms, labels = excluded.labels`,
    );
    this.#remove = db.prepare("DELETE FROM record WHERE kind = ? AND id = ?");
    this.#addLabel = db.prepare("INSERT INTO record_label VALUES (?, ?, ?)");
    this.#removeLabel = db.prepare("DELETE FROM record_label WHERE kind = ? AND label = ? AND id = ?");
    this.#count = db.prepare(
      `INSERT INTO record_label_count VALUES (?, ?, ?)
       ON CONFLICT (kind, label) DO UPDATE SET count = count + excluded.count`,
    );
    this.#forgetCount = db.prepare(
      "DELETE FROM record_label_count WHERE kind = ? AND label = ? AND count = 0",
    );
  }

  dataOf(kind: string, id: string): string | undefined {
    return (this.#select.values(kind, id) as [string][])[0]?.[0];
  }

  save({ kind, id, data, dueMs, labels = [] }: RecordChange): void {
    const now = data === undefined ? [] : [...new Set(labels)];
    this.#label(kind, id, now);
    if (data === undefined) this.#remove.run(kind, id);
    else this.#put.run(kind, id, data, dueMs ?? null, now.length === 0 ? null : now.join("\n"));
  }

  /** Writes the difference alone: most changes of a record leave its labels as they are. */
  #label(kind: string, id: string, now: readonly string[]): void {
    const [[text] = [""]] = this.#labels.values(kind, id) as [string][];
    const before = text === "" ? [] : text.split("\n");
    for (const label of before) {
      if (now.includes(label)) continue;
      this.#removeLabel.run(kind, label, id);
      this.#count.run(kind, label, -1);
      this.#forgetCount.run(kind, label);
    }
    for (const label of now) {
      if (before.includes(label)) continue;
      this.#addLabel.run(kind, label, id);
      this.#count.run(kind, label, 1);
    }
  }
}
