/** Flags as people type them: `--port 9100`, `--port=9100`. */
import { parseArgs } from "node:util";
import { ConfigError } from "../config.ts";

/**
 * Reads `args` into texts by flag name. Every flag is given once; those in `names` take a value, those in `switches`
 * take none and read as `"on"`.
 * @throws {ConfigError} for an unknown flag, a missing or superfluous value, a repeated flag or a stray argument.
 */
export function readFlags(
  args: readonly string[],
  names: readonly string[],
  switches: readonly string[] = [],
): Partial<Record<string, string>> {
  const options = Object.fromEntries([
    ...names.map((name) => [name, { type: "string", multiple: true }] as const),
    ...switches.map((name) => [name, { type: "boolean", multiple: true }] as const),
  ]);
  const flags: Record<string, string> = {};
  for (const [name, [value, ...more]] of parse(args, options)) {
    if (more.length > 0) throw new ConfigError(`--${name} is given twice`);
    if (value !== undefined) flags[name] = value === true ? "on" : value;
  }
  return flags;
}

type Options = Record<string, { readonly type: "string" | "boolean"; readonly multiple: true }>;

function parse(args: readonly string[], options: Options): [string, (string | true)[]][] {
  try {
    const { values } = parseArgs({ args: [...args], options, strict: true, allowPositionals: false });
    return Object.entries(values) as [string, (string | true)[]][];
  } catch (error) {
    throw new ConfigError((error instanceof Error ? error.message : String(error)).split("\n", 1)[0]);
  }
}
