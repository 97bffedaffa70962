/** What a shell may offer: the commands with their flags and arguments, and what each takes. */
import type { Command } from "../command.ts";

/** What a flag or an argument takes: a file, a directory, one of some words, or what no shell can know. */
export type Kind = "file" | "directory" | "anything" | readonly string[];

export interface FlagWords {
  readonly name: string;
  readonly about: string;
  readonly repeats: boolean;
  /** What its value is called, and what it may be; absent if it takes none. */
  readonly value?: { readonly name: string; readonly kind: Kind };
}

export interface CommandWords {
  /** One word or two. */
  readonly path: readonly string[];
  readonly about: string;
  readonly flags: readonly FlagWords[];
  readonly args: readonly { readonly name: string; readonly kind: Kind }[];
}

export interface Words {
  readonly commands: readonly CommandWords[];
  /** What may stand behind `carillon`, each once. */
  readonly firsts: readonly { readonly name: string; readonly about: string }[];
  /** First words that need a second: each with the commands that begin with it. */
  readonly families: ReadonlyMap<string, readonly CommandWords[]>;
}

export function wordsOf(commands: readonly Command[]): Words {
  const all = commands.map(commandWords);
  const families = new Map<string, CommandWords[]>();
  for (const each of all) {
    const [first = "", second] = each.path;
    if (second !== undefined) families.set(first, [...(families.get(first) ?? []), each]);
  }
  const firsts = new Map<string, string>();
  for (const {
    path: [first = "", second],
    about,
  } of all) {
    firsts.set(first, second === undefined ? about : seconds(families.get(first) ?? []).join(", "));
  }
  return {
    commands: all,
    families,
    firsts: [...firsts, ["help", "what a command does"] as const].map(([name, about]) => ({ name, about })),
  };
}

export function seconds(family: readonly CommandWords[]): readonly string[] {
  return family.map(({ path }) => path[1] ?? "");
}

function commandWords({ name, about, flags, args }: Command): CommandWords {
  return {
    path: name.split(" "),
    about,
    flags: Object.entries(flags).map(([flag, { value, about: what, repeats = false }]) => ({
      name: flag,
      about: what,
      repeats,
      ...(value !== undefined && { value: { name: value, kind: kindOf(value) } }),
    })),
    args: args.map((each) => ({ name: each.replace(/^\[|\]$/g, ""), kind: kindOf(each) })),
  };
}

/** From what the help calls it: `FILE`, `DIR`, `bash|zsh|fish`, and `5m|off`, of which only `off` is a word. */
function kindOf(placeholder: string): Kind {
  const names = placeholder.replace(/^\[|\]$/g, "").split("|");
  if (names.includes("FILE")) return "file";
  if (names.includes("DIR")) return "directory";
  const choices = names.filter((each) => /^[a-z][a-z-]*$/.test(each));
  return names.length > 1 && choices.length > 0 ? choices : "anything";
}
