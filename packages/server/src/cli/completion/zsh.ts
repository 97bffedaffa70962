/** Completion for zsh, sourced or as a file `_carillon` in the path of functions. */
import type { CommandWords, FlagWords, Kind, Words } from "./words.ts";

export function zshCompletion({ firsts, families, commands }: Words): string {
  const single = commands.filter(({ path }) => path.length === 1);
  return [
    "#compdef carillon",
    "# Completion of carillon for zsh. In ~/.zshrc, behind compinit: source <(carillon completion zsh)",
    "_carillon() {",
    "  local -a names",
    "  [[ $words[2] == help && $CURRENT -gt 2 ]] && { shift words; (( CURRENT-- )) }",
    "  if (( CURRENT == 2 )); then",
    ...describe("command", firsts),
    "    return",
    "  fi",
    '  case "$words[2]" in',
    ...[...families].flatMap(([first, members]) => familyCase(first, members)),
    ...single.flatMap((each) => [
      `  (${each.path[0]})`,
      "    shift words; (( CURRENT-- ))",
      ...argumentsOf(each),
      "    ;;",
    ]),
    "  esac",
    "}",
    'if [[ $funcstack[1] == _carillon ]]; then _carillon "$@"; else compdef _carillon carillon; fi',
  ].join("\n");
}

function familyCase(first: string, members: readonly CommandWords[]): string[] {
  const actions = members.map(({ path: [, name = ""], about }) => ({ name, about }));
  return [
    `  (${first})`,
    "    if (( CURRENT == 3 )); then",
    ...describe("action", actions),
    "      return",
    "    fi",
    '    case "$words[3]" in',
    ...members.flatMap((each) => [
      `    (${each.path[1]})`,
      "      shift 2 words; (( CURRENT -= 2 ))",
      ...argumentsOf(each),
      "      ;;",
    ]),
    "    esac",
    "    ;;",
  ];
}

function describe(
  what: string,
  names: readonly { readonly name: string; readonly about: string }[],
): string[] {
  const words = names.map(({ name, about }) => quoted(`${escaped(name)}:${about}`));
  return ["    names=(", ...words.map((word) => `      ${word}`), "    )", `    _describe ${what} names`];
}

function argumentsOf({ flags, args }: CommandWords): string[] {
  const specs = [
    ...flags.map(flagSpec),
    "(- *)--help[what it does]",
    ...args.map(({ name, kind }, index) => `${index + 1}:${escaped(name)}:${zshKind(kind)}`),
  ];
  return [`    _arguments -S ${specs.map((spec) => `\\\n      ${quoted(spec)}`).join(" ")}`];
}

function flagSpec({ name, about, repeats, value }: FlagWords): string {
  const text = `[${escaped(about)}]`;
  const taken = value === undefined ? "" : `:${escaped(value.name)}:${zshKind(value.kind)}`;
  return `${repeats ? "*" : ""}--${name}${value === undefined ? "" : "="}${text}${taken}`;
}

/** A space is an action that offers nothing. */
function zshKind(kind: Kind): string {
  if (kind === "anything") return " ";
  if (kind === "file") return "_files";
  return kind === "directory" ? "_files -/" : `(${kind.join(" ")})`;
}

function escaped(text: string): string {
  return text.replace(/[\\[\]:]/g, "\\$&");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
