/** What a process has written, line by line, and waiting for a line without sleeping. */

export class Lines {
  readonly all: string[] = [];
  /** Resolves when there will be no more. */
  readonly ended: Promise<void>;
  #waiters: (() => void)[] = [];
  #ended = false;

  /** Reads `stream` to its end. */
  constructor(stream: ReadableStream<Uint8Array>) {
    this.ended = this.#read(stream);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of stream) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop() ?? "";
      if (parts.length > 0) this.#changed(() => this.all.push(...parts));
    }
    this.#changed(() => {
      this.#ended = true;
    });
  }

  #changed(change: () => void): void {
    change();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /**
   * Resolves to what `look` finds in the lines, as soon as it finds something. The test's own time limit ends the wait.
   * @throws {Error} if the process ends first.
   */
  async until<Found>(look: (lines: readonly string[]) => Found | undefined | false): Promise<Found> {
    for (;;) {
      const found = look(this.all);
      if (found !== undefined && found !== false) return found;
      if (this.#ended) throw new Error(`the process ended first; it wrote:\n${this.all.join("\n")}`);
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  /** Resolves to the first line that matches. */
  line(pattern: RegExp): Promise<string> {
    return this.until((lines) => lines.find((line) => pattern.test(line)));
  }

  /** Resolves when this many lines match. */
  count(pattern: RegExp, least: number): Promise<readonly string[]> {
    return this.until((lines) => {
      const matching = lines.filter((line) => pattern.test(line));
      return matching.length >= least && matching;
    });
  }
}
