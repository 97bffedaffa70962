/**
 * Where the order of ids breaks. Publications stand in the file as they came, and ids ascend as the server makes them, until
 * it is started with a clock that has been set back. As long as it is known where, one is found by its id without an index
 * on it, which would cost every publish.
 */
import type { Connection } from "./connection.ts";

/** Each is one search more for who asks. A clock that goes back more often than that leaves the oldest ones unfound. */
const MOST_BREAKS = 64;

export class Breaks {
  readonly #before;
  readonly #add;
  readonly #trim;
  /** What was written last. */
  #last = { id: "", rowid: 0 };

  constructor(db: Connection) {
    this.#before = db.prepare("SELECT id FROM publication WHERE rowid < ? ORDER BY rowid DESC LIMIT 1");
    this.#add = db.prepare("INSERT INTO publication_break VALUES (?) ON CONFLICT DO NOTHING");
    this.#trim = db.prepare(
      `DELETE FROM publication_break WHERE first <
       (SELECT first FROM publication_break ORDER BY first DESC LIMIT 1 OFFSET ${MOST_BREAKS - 1})`,
    );
  }

  /** `id` has been written at `rowid`, the end. */
  note(id: string, rowid: number): void {
    // Not the next number: what was written last is there no more, or is another process's.
    const isNext = rowid === this.#last.rowid + 1;
    const before = isNext ? this.#last.id : ((this.#before.values(rowid) as [string][])[0]?.[0] ?? "");
    this.#last = { id, rowid };
    if (id >= before) return;
    this.#add.run(rowid);
    this.#trim.run();
  }

  /** After a rollback. */
  forget(): void {
    this.#last = { id: "", rowid: 0 };
  }
}
