import { spawn } from "node:child_process";
import { findBun } from "./find-bun.mjs";

/** Signals that a process manager sends to the launcher alone and Bun has to hear of. */
const FORWARDED = ["SIGTERM", "SIGINT", "SIGHUP"];

/** Runs Bun with `args` in this process's place: same terminal, same signals, same exit code. */
export function runBun(args) {
  let bun;
  try {
    bun = findBun();
  } catch (error) {
    process.stderr.write(`carillon: ${error.message}\n`);
    process.exit(1);
  }
  const child = spawn(bun, args, { stdio: "inherit" });
  // A terminal's Ctrl-C reaches the child on its own as well; the server counts repeats as one.
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write(`carillon: cannot run ${bun}: ${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    for (const forwarded of FORWARDED) process.removeAllListeners(forwarded);
    if (signal !== null) process.kill(process.pid, signal);
    else process.exit(code ?? 1);
  });
}
