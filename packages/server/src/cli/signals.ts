/**
 * Resolves to the name of the first signal that asks the process to stop. Repeats of a signal are one: a terminal's
 * Ctrl-C comes from the terminal and from the launcher.
 */
export function nextStopSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => resolve(signal));
  });
}

/** Calls `reload` at each SIGHUP, which would end the process otherwise. */
export function onReloadSignal(reload: () => void): void {
  process.on("SIGHUP", reload);
}
