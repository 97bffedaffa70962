import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { databaseProblem } from "./database-file.ts";
import { databaseOf } from "./testing/database.ts";

const problemOf = (bytes: Uint8Array, size = bytes.length) => databaseProblem(bytes.subarray(0, 100), size);

test.each([512, 4_096, 65_536])(
  "what SQLite writes with pages of %i bytes is whole, and nothing less is",
  (pageSize) => {
    const db = new Database(":memory:");
    db.run(`PRAGMA page_size = ${pageSize}`);
    db.run("CREATE TABLE t (x)");
    db.run("INSERT INTO t VALUES (zeroblob(200000))");
    const bytes = db.serialize();
    db.close();
    expect(problemOf(bytes)).toBeUndefined();
    for (const size of [bytes.length - 1, bytes.length - pageSize, bytes.length + 1, 100]) {
      expect(problemOf(bytes, size)).toBe(`incomplete: ${size} of ${bytes.length} bytes`);
    }
  },
);

test("other files are told apart", () => {
  expect(problemOf(new Uint8Array())).toBe("not a database");
  expect(problemOf(databaseOf(1).subarray(0, 99))).toBe("not a database");
  expect(problemOf(new TextEncoder().encode("<html>".repeat(100)))).toBe("not a database");
});

test("a count of pages that is not kept up is not believed", () => {
  const bytes = databaseOf(2);
  Buffer.from(bytes.buffer).writeUInt32BE(6, 92);
  expect(problemOf(bytes, 100_000)).toBeUndefined();
});
