/** What a figure is worthless without: the kind of machine, and what ran on it. */
import { cpus, release } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly bun: string;
  readonly node: string;
}

export function machine(): Machine {
  const cores = cpus();
  return {
    cpu: cores[0]?.model ?? "unknown",
    cores: cores.length,
    kernel: release().replace(/-.*/, ""),
    bun: Bun.version,
    node: Bun.spawnSync(["node", "--version"]).stdout.toString().trim().slice(1),
  };
}
