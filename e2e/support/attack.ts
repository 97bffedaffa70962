/** A program of `e2e/clients` that attacks a server, in a process of its own, and what the server's process takes meanwhile. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { Lines } from "./lines.ts";

export class Attack<Told> implements AsyncDisposable {
  readonly #process: Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: Lines;

  /** Starts a program of `e2e/clients`. */
  constructor(program: string, ...args: readonly (string | number)[]) {
    const path = join(import.meta.dir, `../clients/${program}`);
    this.#process = Bun.spawn(["node", path, ...args.map(String)], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#lines = new Lines(this.#process.stdout);
  }

  /** Resolves to what it has told once that passes `test`. */
  until(test: (told: readonly Told[]) => boolean): Promise<readonly Told[]> {
    return this.#lines.until((lines) => {
      const told = lines.map((line): Told => JSON.parse(line));
      return test(told) && told;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }
}

/** The memory of a process, as the kernel sees it. */
export class Memory {
  readonly #pid: number;
  readonly #startBytes: number;

  /** From now on. */
  constructor(pid: number) {
    this.#pid = pid;
    // Makes the highest value so far the present one (proc(5)).
    writeFileSync(`/proc/${pid}/clear_refs`, "5");
    this.#startBytes = this.#bytes("VmRSS");
  }

  /** How many bytes more than at the start it has had at most. */
  get grownBytes(): number {
    return this.#bytes("VmHWM") - this.#startBytes;
  }

  #bytes(field: string): number {
    const status = readFileSync(`/proc/${this.#pid}/status`, "utf8");
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1_024;
  }
}
