/** Configuration files: `carillon.toml`, `.json` or `.yaml`, told apart by their ending. */
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { ConfigError, type Source } from "./config.ts";
import { options } from "./options/options.ts";

const PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
  ".toml": Bun.TOML.parse,
  ".json": JSON.parse,
  ".yaml": Bun.YAML.parse,
  ".yml": Bun.YAML.parse,
};

/**
 * Reads the file into texts by option name. Numbers and lists are taken as the flag would spell them.
 * @throws {ConfigError} if the file cannot be read or parsed, or has a key that is no option.
 */
export function readConfigFile(path: string): Source {
  const { [extname(path).toLowerCase()]: parse } = PARSERS;
  if (parse === undefined) throw new ConfigError(`--config ${path}: expected a .toml, .json or .yaml file`);
  const content = parseFile(path, parse);
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new ConfigError(`--config ${path}: expected a table of options`);
  }
  const source: Record<string, string> = {};
  for (const [key, value] of Object.entries(content)) {
    if (!Object.hasOwn(options, key))
      throw new ConfigError(`--config ${path}: unknown key ${JSON.stringify(key)}`);
    const text = asText(value);
    if (text === undefined)
      throw new ConfigError(`--config ${path}: ${key} has to be a text, a number or a list`);
    source[key] = text;
  }
  return source;
}

function parseFile(path: string, parse: (text: string) => unknown): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new ConfigError(`--config ${path}: ${firstLine(error)}`);
  }
  try {
    return parse(text);
  } catch (error) {
    // A parser quotes a word that it did not expect, and a secret without its quotes is one.
    throw new ConfigError(`--config ${path}: not valid: ${firstLine(error).replace(/"[^"]+"/g, '"…"')}`);
  }
}

function asText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  // YAML reads a bare `off` as false, and `push-every: off` has to mean what it says.
  if (value === false) return "off";
  if (value === true) return "on";
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value.join(",");
  return undefined;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] ?? "";
}
