/** `carillon help`: the list of commands, and a page for each. */
import manifest from "../../package.json" with { type: "json" };
import { type Command, GROUPS } from "./command.ts";
import type { Flag } from "./flags.ts";

/** What the exit codes mean, everywhere. */
export const DONE = 0;
export const FAILED = 1;
export const WRONG_USAGE = 2;
export const UNREACHABLE = 3;

const WIDTH = 110;

/** All commands. */
export function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map((each) => synopsis(each).length));
  const groups = GROUPS.flatMap((group) => {
    const rows = commands.filter((each) => each.group === group);
    return rows.length === 0
      ? []
      : ["", group, ...rows.map((each) => `  ${synopsis(each).padEnd(width)}  ${each.about}`)];
  });
  return [
    `Carillon ${manifest.version}: a self-hosted push server`,
    ...groups,
    "",
    "carillon help COMMAND says more about one, with examples.",
    "",
    "Exit codes",
    `  ${DONE}  done`,
    `  ${FAILED}  refused or failed; the reason is on standard error`,
    `  ${WRONG_USAGE}  wrong usage: a flag, a value or a file`,
    `  ${UNREACHABLE}  the server cannot be reached`,
  ].join("\n");
}

/** The page of one command. */
export function page(command: Command): string {
  return [
    `carillon ${synopsis(command)}${Object.keys(command.flags).length > 0 ? " [flags]" : ""}`,
    ...command.text.flatMap((paragraph) => ["", ...wrap(paragraph)]),
    "",
    ...flagRows(command),
    ...(command.examples.length === 0 ? [] : ["Examples", ...command.examples.map((each) => `  ${each}`)]),
  ].join("\n");
}

/** The page of commands that share their first word. */
export function family(members: readonly Command[]): string {
  const width = Math.max(...members.map((each) => synopsis(each).length));
  return [
    ...members.map((each) => `carillon ${synopsis(each).padEnd(width)}  ${each.about}`),
    "",
    `carillon help ${members[0]?.name} says more, with examples.`,
  ].join("\n");
}

function synopsis({ name, args }: Command): string {
  return [name, ...args].join(" ");
}

function flagRows({ flags }: Command): string[] {
  const names = Object.entries(flags).map(([name, flag]) => ({ flag, spelt: spelling(name, flag) }));
  if (names.length === 0) return [];
  const width = Math.max(...names.map(({ spelt }) => spelt.length));
  const rows = names.flatMap(({ flag, spelt }) => {
    const indent = " ".repeat(width + 4);
    const [first = "", ...more] = wrap(about(flag), WIDTH - indent.length);
    return [`  ${spelt.padEnd(width)}  ${first}`, ...more.map((line) => indent + line)];
  });
  return [...rows, ""];
}

function spelling(name: string, { value }: Flag): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`;
}

function about({ about: text, repeats, initial, variable }: Flag): string {
  const notes = [repeats && "repeatable", initial, variable].filter((note) => note !== undefined);
  return notes.length === 0 ? text : `${text} (${notes.join("; ")})`;
}

function wrap(text: string, width = WIDTH): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
