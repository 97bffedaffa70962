/** What `main.ts` needs to know of a bench. */
export interface Bench {
  readonly name: string;
  /** One line for the list of benches. */
  readonly about: string;
  readonly usage: string;
  /** @throws {Error} with one line for people, when it cannot measure. */
  run(args: readonly string[]): Promise<void>;
}
