/** Completion for fish. */
import type { CommandWords, FlagWords, Kind, Words } from "./words.ts";

export function fishCompletion({ firsts, families, commands }: Words): string {
  return [
    "# Completion of carillon for fish. To keep it: carillon completion fish > ~/.config/fish/completions/carillon.fish",
    "# Whether what is typed begins with these words; with --only, whether it is no more than these.",
    "function __carillon_is",
    "    set -l typed (commandline -opc)[2..]",
    '    if test "$argv[1]" = --only',
    "        set -e argv[1]",
    "        test (count $typed) -eq (count $argv); or return 1",
    "    end",
    "    for index in (seq (count $argv))",
    '        test "$typed[$index]" = "$argv[$index]"; or return 1',
    "    end",
    "end",
    "complete -c carillon -f",
    ...firsts.flatMap(({ name, about }) => [
      line("--only", `-a ${name} -d ${quoted(about)}`),
      line("--only help", `-a ${name} -d ${quoted(about)}`),
    ]),
    ...[...families].flatMap(([first, members]) => familyLines(first, members)),
    ...commands.flatMap(commandLines),
  ].join("\n");
}

function familyLines(first: string, members: readonly CommandWords[]): string[] {
  return members.flatMap(({ path: [, second], about }) => [
    line(`--only ${first}`, `-a ${second} -d ${quoted(about)}`),
    line(`--only help ${first}`, `-a ${second} -d ${quoted(about)}`),
  ]);
}

function commandLines({ path, flags, args }: CommandWords): string[] {
  const words = path.join(" ");
  const [first] = args;
  const offered = first === undefined ? "" : argument(first.kind);
  return [
    ...(offered === "" ? [] : [line(words, offered)]),
    ...flags.map((flag) => line(words, flagOf(flag))),
    line(words, "-l help -d 'what it does'"),
  ];
}

function line(condition: string, rest: string): string {
  return `complete -c carillon -n '__carillon_is ${condition}' ${rest}`;
}

function flagOf({ name, about, value }: FlagWords): string {
  return `-l ${name} ${value === undefined ? "" : `${flagValue(value.kind)} `}-d ${quoted(about)}`;
}

function flagValue(kind: Kind): string {
  if (kind === "anything") return "-x";
  if (kind === "file") return "-r -F";
  return kind === "directory" ? "-x -a '(__fish_complete_directories)'" : `-x -a '${kind.join(" ")}'`;
}

function argument(kind: Kind): string {
  if (kind === "anything") return "";
  if (kind === "file") return "-F";
  return kind === "directory" ? "-a '(__fish_complete_directories)'" : `-a '${kind.join(" ")}'`;
}

function quoted(text: string): string {
  return `'${text.replace(/['\\]/g, "\\$&")}'`;
}
