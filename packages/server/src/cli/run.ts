/** Finds the command, runs it, and turns what it throws into one line and a code. */
import manifest from "../../package.json" with { type: "json" };
import { ConfigError } from "../config.ts";
import type { Command, Io } from "./command.ts";
import { UnreachableError } from "./errors.ts";
import { readGiven } from "./flags.ts";
import { DONE, FAILED, family, overview, page, UNREACHABLE, WRONG_USAGE } from "./help.ts";
import { nearest } from "./nearest.ts";

/** Runs what was typed behind `carillon`; resolves to the exit code. */
export async function runCommandLine(
  typed: readonly string[],
  commands: readonly Command[],
  io: Io,
): Promise<number> {
  const say = (text: string) => {
    io.out(text);
    return DONE;
  };
  try {
    const [name = "help", ...rest] = typed;
    if (name === "--version" || name === "version") return say(manifest.version);
    if (["help", "--help", "-h"].includes(name)) return say(help(rest, commands));
    const members = familyOf(name, commands);
    if (asksForHelp(rest)) return say(help([name, ...rest], commands));
    const command = find(typed, members);
    const given = readGiven(typed.slice(words(command)), command.flags, command.args);
    return await command.run(given as never, io);
  } catch (error) {
    io.err(`carillon: ${error instanceof Error ? error.message : String(error)}`);
    if (error instanceof ConfigError) return WRONG_USAGE;
    return error instanceof UnreachableError ? UNREACHABLE : FAILED;
  }
}

/** What is asked about: a command, commands that share their first word, or nothing in particular. */
function help(typed: readonly string[], commands: readonly Command[]): string {
  const [name] = typed;
  if (name === undefined || name.startsWith("-")) return overview(commands);
  const members = familyOf(name, commands);
  const [, second = ""] = typed;
  return members.length > 1 && (second === "" || second.startsWith("-"))
    ? family(members)
    : page(find(typed, members));
}

/** The commands that begin with this word. */
function familyOf(word: string, commands: readonly Command[]): readonly Command[] {
  const members = commands.filter(({ name }) => name.split(" ", 1)[0] === word);
  if (members.length > 0) return members;
  const firsts = commands.map(({ name }) => name.split(" ", 1)[0] ?? "");
  throw new ConfigError(
    `unknown command ${JSON.stringify(word)}; ${meant(word, [...firsts, "help"])}see carillon help`,
  );
}

function find(typed: readonly string[], members: readonly Command[]): Command {
  const [first = "", second = ""] = typed;
  const found = members.find(({ name }) => name === first || name === `${first} ${second}`);
  if (found !== undefined) return found;
  const seconds = members.map(({ name }) => name.split(" ")[1] ?? "");
  const choice = `expected ${seconds.slice(0, -1).join(", ")} or ${seconds.at(-1)}; see carillon help ${first}`;
  if (second === "" || second.startsWith("-")) throw new ConfigError(`carillon ${first}: ${choice}`);
  throw new ConfigError(
    `unknown command ${JSON.stringify(`${first} ${second}`)}; ${meant(second, seconds)}${choice}`,
  );
}

function meant(word: string, words: readonly string[]): string {
  const near = nearest(word, words);
  return near === undefined ? "" : `did you mean ${near}? `;
}

/** Behind `--` all is data. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end === -1 ? undefined : end).some((word) => word === "--help" || word === "-h");
}

function words({ name }: Command): number {
  return name.split(" ").length;
}
