/** `carillon completion`: a script for a shell, made from the same table that the help and the reader of flags use. */
import { ConfigError } from "../../config.ts";
import { type Command, command } from "../command.ts";
import { DONE } from "../help.ts";
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import { type Words, wordsOf } from "./words.ts";
import { zshCompletion } from "./zsh.ts";

const SHELLS: Readonly<Record<string, (words: Words) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** @param commands all commands, this one included. */
export function completion(commands: () => readonly Command[]): Command {
  return command({
    name: "completion",
    group: "Set up this machine",
    about: "print a script that completes carillon's words in a shell",
    text: [
      "Prints a script for bash, zsh or fish, which then completes commands, flags, and what they take.",
    ],
    args: ["bash|zsh|fish"],
    flags: {},
    examples: [
      "echo 'source <(carillon completion bash)' >> ~/.bashrc",
      "echo 'source <(carillon completion zsh)' >> ~/.zshrc",
      "carillon completion fish > ~/.config/fish/completions/carillon.fish",
    ],
    async run({ args: [shell] }, io) {
      const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
      if (script === undefined) throw new ConfigError(`${JSON.stringify(shell)}: expected bash, zsh or fish`);
      io.out(script(wordsOf(commands())));
      return DONE;
    },
  });
}
