/** The `carillon` command line: finds the command, runs it, and turns what it throws into one line and a code. */
import manifest from "../package.json" with { type: "json" };
import type { Command, Io } from "./cli/command.ts";
import { terminalKeyboard } from "./cli/keyboard.ts";
import { listen } from "./cli/listen.ts";
import { serve } from "./cli/serve.ts";
import { ConfigError } from "./config.ts";

const commands: readonly Command[] = [serve, listen];

// Whoever read the output may go (`carillon serve | head`). That is no error: a server stays, a listener ends.
process.stderr.on("error", () => {});
const outputClosed = new Promise<void>((resolve) => process.stdout.on("error", () => resolve()));

const io: Io = {
  env: process.env,
  outputClosed,
  ...(process.stdin.isTTY && { keyboard: terminalKeyboard(process.stdin) }),
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
};

process.exit(await run(process.argv.slice(2)));

async function run([name = "help", ...args]: readonly string[]): Promise<number> {
  if (name === "--version" || name === "version") return say(manifest.version);
  if (name === "help" || name === "--help" || name === "-h") return help(args[0]);
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) return fail(`unknown command ${JSON.stringify(name)}; see carillon help`, 2);
  if (args.includes("--help") || args.includes("-h")) return say(command.usage);
  try {
    return await command.run(args, io);
  } catch (error) {
    if (error instanceof ConfigError) return fail(error.message, 2);
    return fail(error instanceof Error ? error.message : String(error), 1);
  }
}

function help(name: string | undefined): number {
  const command = commands.find((candidate) => candidate.name === name);
  if (command !== undefined) return say(command.usage);
  if (name !== undefined) return fail(`unknown command ${JSON.stringify(name)}; see carillon help`, 2);
  return say(
    [
      `Carillon ${manifest.version}: a self-hosted push server`,
      "",
      "carillon COMMAND [flags]",
      "",
      ...commands.map(({ name: each, about }) => `  ${each.padEnd(10)} ${about}`),
      `  ${"help".padEnd(10)} this page, or that of a command: carillon help serve`,
    ].join("\n"),
  );
}

function say(text: string): number {
  io.out(text);
  return 0;
}

function fail(message: string, code: number): number {
  io.err(`carillon: ${message}`);
  return code;
}
