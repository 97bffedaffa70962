/** Completion for bash, also for that of macOS, which is of 2007. */
import { type CommandWords, type Kind, seconds, type Words } from "./words.ts";

export function bashCompletion({ firsts, families, commands }: Words): string {
  const names = firsts.map(({ name }) => name).join(" ");
  const familyCases = [...families].map(
    ([first, all]) => `    ${first}) actions="${seconds(all).join(" ")}" ;;`,
  );
  // bash takes --flag=value for three words.
  return `# Completion of carillon for bash. In ~/.bashrc: source <(carillon completion bash)
_carillon() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}"
  local command="\${COMP_WORDS[1]}" at=2 actions= flags= offer=
  COMPREPLY=()
  if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  if [[ $COMP_CWORD -eq 1 || $COMP_CWORD -eq 2 && $command == help ]]; then
    _carillon_words "${names}"
    return
  fi
  if [[ $command == help ]]; then command="\${COMP_WORDS[2]}"; at=3; fi
  case "$command" in
${familyCases.join("\n")}
  esac
  if [[ -n $actions ]]; then
    if [[ $COMP_CWORD -eq $at ]]; then _carillon_words "$actions"; return; fi
    command="$command \${COMP_WORDS[at]}"
  fi
  if [[ $at -eq 3 ]]; then return; fi
  case "$command" in
${commands.map(commandCase).join("\n")}
  esac
  case "$command $prev" in
${commands.flatMap(valueCases).join("\n")}
  esac
  if [[ $cur == -* ]]; then _carillon_words "$flags"; else eval "$offer"; fi
}
_carillon_words() {
  local IFS=$' \\t\\n'
  COMPREPLY=($(compgen -W "$1" -- "$cur"))
}
_carillon_paths() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen "$1" -- "$cur"))
}
complete -F _carillon carillon`;
}

function commandCase({ path, flags, args }: CommandWords): string {
  const names = [...flags.map(({ name }) => `--${name}`), "--help"].join(" ");
  return `    "${path.join(" ")}") flags="${names}" offer="${offerOf(args[0]?.kind)}" ;;`;
}

function valueCases({ path, flags }: CommandWords): string[] {
  return flags.flatMap(({ name, value }) => {
    if (value === undefined) return [];
    const offer = offerOf(value.kind);
    return `    "${path.join(" ")} --${name}") ${offer}${offer === "" ? "" : "; "}return ;;`;
  });
}

/** A call that offers what fits. */
function offerOf(kind: Kind = "anything"): string {
  if (kind === "anything") return "";
  if (kind === "file") return "_carillon_paths -f";
  return kind === "directory" ? "_carillon_paths -d" : `_carillon_words '${kind.join(" ")}'`;
}
