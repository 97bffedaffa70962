/** Flags and arguments as people type them: `--port 9100`, `--port=9100`, `push news "Tea time"`. */
import { ConfigError } from "../config.ts";
import { nearest } from "./nearest.ts";

export interface Flag {
  /** What its value is called in the help, `PORT`, or the values it may have, `on|off`. Without, it takes none. */
  readonly value?: string;
  readonly about: string;
  /** What holds without it, for the help. */
  readonly initial?: string;
  /** The variable of the environment that says the same. */
  readonly variable?: string;
  /** It may be given more than once. */
  readonly repeats?: true;
}

export type FlagTable = Readonly<Record<string, Flag>>;

/** A flag's value: a text; `"on"` for one that takes none; a list if it repeats. */
type Value<F extends Flag> = F extends { readonly repeats: true } ? readonly string[] : string | undefined;

type Arg<Name> = Name extends `[${string}]` ? string | undefined : string;

/** What was typed behind a command's name. */
export interface Given<Flags extends FlagTable, Names extends readonly string[]> {
  readonly flags: { readonly [Name in keyof Flags]: Value<Flags[Name]> };
  readonly args: { readonly [Index in keyof Names]: Arg<Names[Index]> };
}

/** Looks like a flag and is none: `-5`. */
const NUMBER = /^-\.?\d/;

/**
 * Reads what was typed. `--` ends the flags.
 * @throws {ConfigError} for an unknown flag, a missing or superfluous value, a repeated flag, and for an argument too
 * few or too many.
 */
export function readGiven<const Flags extends FlagTable, const Names extends readonly string[]>(
  typed: readonly string[],
  table: Flags,
  names: Names,
): Given<Flags, Names> {
  const flags: Record<string, string | string[]> = {};
  for (const name in table) if (table[name]?.repeats) flags[name] = [];
  const args: string[] = [];
  for (let index = 0; index < typed.length; index++) {
    const word = typed[index] ?? "";
    if (word === "--") {
      args.push(...typed.slice(index + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-" || NUMBER.test(word)) args.push(word);
    else if (put(flags, word, typed[index + 1], table)) index += 1;
  }
  checkCount(args, names);
  return { flags, args } as unknown as Given<Flags, Names>;
}

/** Puts a flag's value where it belongs; whether the next word was it. */
function put(
  flags: Record<string, string | string[]>,
  word: string,
  next: string | undefined,
  table: FlagTable,
): boolean {
  const [, name = "", inline] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
  const flag = Object.hasOwn(table, name) ? table[name] : undefined;
  if (flag === undefined) throw unknown(name === "" ? word : `--${name}`, table);
  const value = flag.value === undefined ? noValue(name, inline) : (inline ?? nextAsValue(name, flag, next));
  const before = flags[name];
  if (Array.isArray(before)) before.push(value);
  else if (before !== undefined) throw new ConfigError(`--${name} is given twice`);
  else flags[name] = value;
  return flag.value !== undefined && inline === undefined;
}

function noValue(name: string, inline: string | undefined): string {
  if (inline !== undefined) throw new ConfigError(`--${name} takes no value`);
  return "on";
}

function nextAsValue(name: string, { value }: Flag, next: string | undefined): string {
  if (next === undefined) throw new ConfigError(`--${name} needs a value: --${name} ${value}`);
  // Far more often a value was forgotten than one is meant that looks like a flag.
  if (next.startsWith("--")) {
    throw new ConfigError(
      `--${name} needs a value; one that begins with two dashes is written --${name}=${next}`,
    );
  }
  return next;
}

function unknown(flag: string, table: FlagTable): ConfigError {
  const near = nearest(flag.replace(/^-+/, ""), Object.keys(table));
  const hint = near === undefined ? "" : `; did you mean --${near}?`;
  return new ConfigError(`unknown flag ${flag}${hint}`);
}

function checkCount(args: readonly string[], names: readonly string[]): void {
  const missing = names.slice(args.length).find((name) => !name.startsWith("["));
  if (missing !== undefined) throw new ConfigError(`${missing} is missing`);
  const stray = args[names.length];
  if (stray !== undefined) throw new ConfigError(`unexpected argument ${JSON.stringify(stray)}`);
}
