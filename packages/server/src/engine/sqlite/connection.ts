import { Database, type SQLQueryBindings, type Statement } from "bun:sqlite";

/**
 * Every number kept is an offset, a count or milliseconds, all below 2^53 for ever: plain numbers hold them, and
 * JSON and arithmetic want those. `strict` makes a misspelt parameter an error instead of a NULL.
 */
const OPTIONS = { strict: true, safeIntegers: false } as const;

type Mode = { readonly create: true; readonly readwrite: true } | { readonly readonly: true };

/**
 * A database handle that really closes. Bun closes a handle whose statements are still there only once they have been
 * collected as garbage; until then its locks stand and the log beside the file stays.
 */
export class Connection {
  readonly #db: Database;
  readonly #statements: Pick<Statement, "finalize">[] = [];

  constructor(file: string, mode: Mode) {
    this.#db = new Database(file, { ...OPTIONS, ...mode });
  }

  get inTransaction(): boolean {
    return this.#db.inTransaction;
  }

  prepare<Row, Parameters extends SQLQueryBindings[] = SQLQueryBindings[]>(sql: string) {
    const statement = this.#db.prepare<Row, Parameters>(sql);
    this.#statements.push(statement);
    return statement;
  }

  run(sql: string): void {
    this.#db.run(sql);
  }

  /** The first value that `sql` gives, which is run this once. */
  value(sql: string): unknown {
    const statement = this.#db.prepare(sql);
    try {
      return statement.values()[0]?.[0];
    } finally {
      statement.finalize();
    }
  }

  close(): void {
    for (const statement of this.#statements) statement.finalize();
    this.#db.close(true);
  }
}
