/** The parts in C are compiled when they are needed, so that the repository holds no binary. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

/** A directory of this run, removed when the process ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "carillon-bench-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/**
 * Compiles one C file and returns the path of the program.
 * @throws {Error} when there is no compiler, or it refuses.
 */
export function compile(source: string, directory: string): string {
  if (Bun.which("cc") === null) throw new Error("cc is missing (Debian: build-essential)");
  const program = join(directory, basename(source, ".c"));
  const { exitCode, stderr } = Bun.spawnSync(["cc", "-std=c11", "-O2", "-Wall", "-o", program, source]);
  if (exitCode !== 0) throw new Error(`cc ${basename(source)}: ${stderr.toString()}`);
  return program;
}
