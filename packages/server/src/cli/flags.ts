/** Flags as people type them: `--port 9100`, `--port=9100`. */
import { parseArgs } from "node:util";
import { ConfigError } from "../config.ts";

/**
 * Reads `args` into texts by flag name. Every flag takes a value and is given once.
 * @throws {ConfigError} for an unknown flag, a missing value, a repeated flag or a stray argument.
 */
export function readFlags(
  args: readonly string[],
  names: readonly string[],
): Partial<Record<string, string>> {
  const options = Object.fromEntries(
    names.map((name) => [name, { type: "string", multiple: true } as const]),
  );
  let parsed: Record<string, string[] | undefined>;
  try {
    parsed = parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new ConfigError((error instanceof Error ? error.message : String(error)).split("\n", 1)[0]);
  }
  const flags: Record<string, string> = {};
  for (const [name, [value, ...more] = []] of Object.entries(parsed)) {
    if (more.length > 0) throw new ConfigError(`--${name} is given twice`);
    if (value !== undefined) flags[name] = value;
  }
  return flags;
}
