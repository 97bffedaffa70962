/**
 * The server's configuration: one table of options, read from flags, the environment and a file.
 *
 * An option `push-every` is the flag `--push-every`, the variable `CARILLON_PUSH_EVERY` and the key `push-every` in
 * the file that `--config` names; they win over each other in this order. Whatever the source, the same schema
 * turns the text into a value.
 */
import type { z } from "zod";
import type { Option } from "./options/option.ts";
import { options } from "./options/options.ts";

/** A wrong flag, value or file. Its message is one line for people. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

export type OptionName = keyof typeof options;

/** Whether the flag takes no value. */
export function isSwitch(name: OptionName): boolean {
  return (options[name] as Option<unknown>).isSwitch === true;
}

type CamelCase<S extends string> = S extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;

/** The checked configuration, an entry per option in camel case. Lengths of time are milliseconds. */
export type Config = {
  readonly [Name in OptionName as CamelCase<Name>]: z.output<(typeof options)[Name]["schema"]>;
};

/** Texts by option name, from one source. */
export type Source = Readonly<Partial<Record<OptionName, string>>>;

/** The variable that sets an option: `push-every` is `CARILLON_PUSH_EVERY`. */
export function variableOf(name: OptionName): string {
  return `CARILLON_${name.toUpperCase().replaceAll("-", "_")}`;
}

/**
 * The configuration from flags, environment and file, in this order of precedence.
 * @throws {ConfigError} naming the option as the person wrote it, its value unless that is a secret, and what was expected.
 */
export function readConfig(flags: Source, env: NodeJS.ProcessEnv, file: Source): Config {
  const config: Record<string, unknown> = {};
  for (const name of Object.keys(options) as OptionName[]) {
    const [value, writtenAs] = pick(name, flags, env, file);
    const parsed = options[name].schema.safeParse(value);
    if (!parsed.success) {
      const { expects, isSecret } = options[name] as Option<unknown>;
      const repeated = isSecret ? "" : ` ${JSON.stringify(shorten(value))}`;
      throw new ConfigError(`${writtenAs}${repeated}: expected ${expects}`);
    }
    config[camelCase(name)] = parsed.data;
  }
  return config as Config;
}

function pick(name: OptionName, flags: Source, env: NodeJS.ProcessEnv, file: Source): [string, string] {
  const { [name]: flag } = flags;
  if (flag !== undefined) return [flag, `--${name}`];
  const { [variableOf(name)]: variable } = env;
  if (variable !== undefined) return [variable, variableOf(name)];
  const { [name]: key } = file;
  if (key !== undefined) return [key, `config key ${name}`];
  return [options[name].initial, `--${name}`];
}

function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function shorten(value: string): string {
  return value.length > 80 ? `${value.slice(0, 80)}…` : value;
}
