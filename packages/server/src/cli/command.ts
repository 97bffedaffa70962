/** What a command of the command line is. */

/** The terminal a command runs in. */
export interface Io {
  readonly env: NodeJS.ProcessEnv;
  /** Writes one line to standard output. */
  readonly out: (line: string) => void;
  /** Writes one line to standard error. */
  readonly err: (line: string) => void;
  /** Resolves when nobody reads standard output any more (`carillon listen | head`). */
  readonly outputClosed: Promise<void>;
  /** Keys typed by a person; without it, standard input is no terminal. */
  readonly keyboard?: Keyboard;
}

export interface Keyboard {
  /** Calls `press` for each key, not waiting for Enter. Returns a function that gives the terminal back. */
  readonly listen: (press: (key: string) => void) => () => void;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly about: string;
  /** What `carillon help NAME` prints. */
  readonly usage: string;
  /**
   * Runs it and resolves to the exit code.
   * @throws {ConfigError} for a wrong flag, value or file: one line, exit code 2.
   * @throws {Error} with a system `code` such as EADDRINUSE: one line, exit code 1.
   */
  readonly run: (args: readonly string[], io: Io) => Promise<number>;
}
