/** The writer's records. */
import type { RecordChange } from "../engine.ts";
import type { Connection } from "./connection.ts";
import { LabelRows } from "./label-rows.ts";

const NONE: readonly string[] = [];

export class RecordRows {
  readonly #select;
  readonly #put;
  readonly #remove;
  readonly #labels;

  constructor(db: Connection) {
    this.#select = db.prepare("SELECT data FROM record WHERE kind = ? AND id = ?");
    this.#put = db.prepare(
      `INSERT INTO record VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (kind, id) DO UPDATE SET data = excluded.data, due_ms = excluded.due_ms, labels = excluded.labels`,
    );
    this.#remove = db.prepare("DELETE FROM record WHERE kind = ? AND id = ?");
    this.#labels = new LabelRows(db);
  }

  dataOf(kind: string, id: string): string | undefined {
    return (this.#select.values(kind, id) as [string][])[0]?.[0];
  }

  save({ kind, id, data, dueMs, labels = NONE }: RecordChange): void {
    const now = data === undefined || labels.length === 0 ? NONE : [...new Set(labels)];
    this.#labels.save(kind, id, now);
    if (data === undefined) this.#remove.run(kind, id);
    else this.#put.run(kind, id, data, dueMs ?? null, now.length === 0 ? null : now.join("\n"));
  }
}
