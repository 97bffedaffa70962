/** What a command of the command line is. */
import type { Clock } from "../lib/clock.ts";
import type { FlagTable, Given } from "./flags.ts";

/** The terminal a command runs in, and the world that it reaches. */
export interface Io {
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly fetch: Fetch;
  /** Starts to open a WebSocket. */
  readonly openSocket: OpenSocket;
  /** Writes one line to standard output. */
  readonly out: (line: string) => void;
  /** Writes one line to standard error. */
  readonly err: (line: string) => void;
  /** Writes bytes to standard output; resolves when they are taken. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Resolves when nobody reads standard output any more (`carillon listen | head`). */
  readonly outputClosed: Promise<void>;
  /** Whether standard output is a terminal. */
  readonly outputIsTerminal: boolean;
  /** Standard input. */
  readonly input: () => AsyncIterable<Uint8Array>;
  /** Resolves to the name of the first signal that asks the process to stop, which then no longer ends it by itself. */
  readonly stopSignal: () => Promise<string>;
  /** Keys typed by a person; without it, standard input is no terminal. */
  readonly keyboard?: Keyboard;
  /** Asks a person, who types a line; without it, nobody is there to be asked. */
  readonly ask?: (question: string) => Promise<string>;
  /** Writes over the last line of standard error, or with nothing, wipes it; without it, that is no terminal. */
  readonly draw?: (text: string) => void;
}

/** The part of the global `fetch` that is used. */
export type Fetch = (url: string, init: BunFetchRequestInit) => Promise<Response>;

export type OpenSocket = (url: string, options: Bun.WebSocketOptions) => WebSocket;

export interface Keyboard {
  /** Calls `press` for each key, not waiting for Enter. Returns a function that gives the terminal back. */
  readonly listen: (press: (key: string) => void) => () => void;
}

/** The headings under which `carillon help` lists commands, in this order. */
export const GROUPS = ["Run a server", "Use it", "Look after it", "Set up this machine"] as const;
export type Group = (typeof GROUPS)[number];

export interface CommandDetails<Flags extends FlagTable, Names extends readonly string[]> {
  /** One word, or two: `tokens add`. */
  readonly name: string;
  readonly group: Group;
  /** One line for the list of commands. */
  readonly about: string;
  /** Paragraphs for its own page of help. */
  readonly text: readonly string[];
  /** What is given without a flag, in order: `CHANNEL`; in brackets what may be left out. */
  readonly args: Names;
  readonly flags: Flags;
  readonly examples: readonly string[];
  /**
   * Runs it and resolves to the exit code.
   * @throws {ConfigError} for a wrong flag, value or file: one line, exit code 2.
   * @throws {UnreachableError} if there is no server to talk to: one line, exit code 3.
   * @throws {Error} for anything else, such as one with a system `code`: one line, exit code 1.
   */
  readonly run: (given: Given<Flags, Names>, io: Io) => Promise<number>;
}

/** A command with its types forgotten. */
export type Command = Omit<CommandDetails<FlagTable, readonly string[]>, "run"> & {
  readonly run: (given: never, io: Io) => Promise<number>;
};

/** Has `run` see exactly the flags and arguments that the help and the shell's completion know. */
export function command<const Flags extends FlagTable, const Names extends readonly string[]>(
  details: CommandDetails<Flags, Names>,
): Command {
  return details;
}
