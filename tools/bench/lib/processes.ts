/**
 * Processes under measurement: each pinned to a core of its own, and none left behind, whatever happens to the
 * bench. The kernel itself kills them when the bench dies without a chance to.
 */
import type { Subprocess } from "bun";

export interface Start {
  /** The one it is pinned to, or a list as `taskset` takes it. */
  readonly core: number | string;
  /** Nothing unless given. */
  readonly stdin?: "pipe";
  readonly stdout: "pipe" | { readonly file: string };
}

const running = new Set<Subprocess>();

/**
 * Starts a command. Its process id is the command's own, for `setpriv` and `taskset` give their place to it.
 * @throws {Error} when this is no Linux with util-linux.
 */
export function start(command: readonly string[], { core, stdin, stdout }: Start): Subprocess {
  for (const tool of ["setpriv", "taskset"]) {
    if (Bun.which(tool) === null) throw new Error(`${tool} is missing (Debian: util-linux); Linux only`);
  }
  const wrapped = ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", String(core), ...command];
  const child = Bun.spawn(wrapped, {
    stdin: stdin ?? "ignore",
    stdout: stdout === "pipe" ? "pipe" : Bun.file(stdout.file),
    stderr: "inherit",
  });
  running.add(child);
  child.exited.then(() => running.delete(child));
  return child;
}

export async function kill(child: Subprocess): Promise<void> {
  child.kill("SIGKILL");
  await child.exited;
}

export async function killAll(): Promise<void> {
  await Promise.all([...running].map(kill));
}

/** Keeps the bench itself off the core that the server is measured on. */
export function pinSelf(core: number): void {
  Bun.spawnSync(["taskset", "-a", "-c", "-p", String(core), String(process.pid)]);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    for (const child of running) child.kill("SIGKILL");
    process.exit(130);
  });
}
