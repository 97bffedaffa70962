/** The flags that benches have: numbers, and a few words. */
import { parseArgs } from "node:util";

export interface Flag {
  readonly initial: string;
  readonly about: string;
}

/**
 * Reads `--name value` for each flag of `flags`.
 * @throws {Error} for a flag that is unknown or has no value.
 */
export function readFlags<Name extends string>(
  flags: Readonly<Record<Name, Flag>>,
  args: readonly string[],
): Record<Name, string> {
  const names = Object.keys(flags) as Name[];
  const { values } = parseArgs({
    args: [...args],
    options: Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
  });
  const given = values as Partial<Record<Name, string>>;
  return Object.fromEntries(names.map((name) => [name, given[name] ?? flags[name].initial])) as Record<
    Name,
    string
  >;
}

/** @throws {Error} unless `text` is a number from `least` to `most`. */
export function readNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= least && value <= most) return value;
  throw new Error(`--${name} must be from ${least} to ${most}, not ${JSON.stringify(text)}`);
}

export function usageOf(name: string, about: string, flags: Readonly<Record<string, Flag>>): string {
  const rows = Object.entries(flags).map(
    ([flag, { initial, about: what }]) => `  --${flag.padEnd(10)} ${what}${initial && ` (${initial})`}`,
  );
  return [`npm run bench -- ${name} [flags]`, "", about, "", ...rows].join("\n");
}
