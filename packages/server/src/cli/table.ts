/** Tables for people: aligned columns, the last one as wide as it likes. */
import { printable } from "../lib/printable.ts";

const GAP = "  ";

/** A line for each field that has a value, the values in one column. */
export function fieldsOf(said: Readonly<Record<string, string | number | undefined>>): string[] {
  const rows = Object.entries(said).filter(([, value]) => value !== undefined);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}${GAP}${printable(`${value}`)}`);
}

/** Lines for `rows` under `heads`. What strangers named cannot drive the terminal, and wide letters are counted as two. */
export function tableOf(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [heads, ...rows].map((row) => row.map(printable));
  const widths = heads.map((_, column) =>
    Math.max(...cells.map((row) => Bun.stringWidth(row[column] ?? ""))),
  );
  return cells.map((row) =>
    row
      .map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - Bun.stringWidth(cell)))
      .join(GAP)
      .trimEnd(),
  );
}
