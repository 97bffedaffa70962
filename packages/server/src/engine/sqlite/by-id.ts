/** Finds a publication by its id, by halves: see `breaks.ts`. */
import type { Connection } from "./connection.ts";

export class ById {
  readonly #least;
  readonly #most;
  readonly #breaks;
  readonly #next;

  constructor(db: Connection) {
    // Each by itself: both at once SQLite looks for in all rows.
    this.#least = db.prepare("SELECT min(rowid) FROM publication");
    this.#most = db.prepare("SELECT max(rowid) FROM publication");
    this.#breaks = db.prepare("SELECT first FROM publication_break ORDER BY first DESC");
    this.#next = db.prepare(
      "SELECT rowid, id FROM publication WHERE rowid >= ? AND rowid <= ? ORDER BY rowid LIMIT 1",
    );
  }

  /** Its rowid. Of a million 25 µs, and as long for each time the clock went back. */
  find(id: string): number | undefined {
    const [[least] = [null]] = this.#least.values() as [number | null][];
    const [[most] = [null]] = this.#most.values() as [number | null][];
    if (least === null || most === null) return undefined;
    let high = most;
    for (const [first] of this.#breaks.values() as [number][]) {
      if (first <= least) break;
      const found = this.#findIn(id, first, high);
      if (found !== undefined) return found;
      high = first - 1;
    }
    return this.#findIn(id, least, high);
  }

  /** Between two rowids, which need not be there, nor all between them. */
  #findIn(id: string, from: number, to: number): number | undefined {
    let [low, high] = [from, to];
    while (low <= high) {
      const middle = Math.floor((low + high) / 2);
      const [[rowid, there] = [0, undefined]] = this.#next.values(middle, high) as [number, string][];
      if (there === id) return rowid;
      if (there === undefined || there > id) high = middle - 1;
      else low = rowid + 1;
    }
    return undefined;
  }
}
