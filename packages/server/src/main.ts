/** The `carillon` command line. */
import { commands } from "./cli/commands.ts";
import { runCommandLine } from "./cli/run.ts";
import { openTerminal } from "./cli/terminal.ts";

const { io, flushed } = openTerminal(process);
const code = await runCommandLine(process.argv.slice(2), commands, io);
await flushed();
process.exit(code);
