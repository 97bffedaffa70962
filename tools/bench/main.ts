/**
 * Benchmarks by name: `npm run bench -- fanout --clients 5000`. A bench measures processes, never itself: the
 * server and the load each have a process and a core of their own. `docs/benchmarks.md` has the figures.
 */
import type { Bench } from "./bench.ts";
import { devices } from "./devices.ts";
import { fanout } from "./fanout.ts";
import { http } from "./http.ts";
import { latency } from "./latency.ts";
import { killAll } from "./lib/processes.ts";
import { publish } from "./publish.ts";
import { recovery } from "./recovery.ts";
import { schedules } from "./schedules.ts";

const benches: readonly Bench[] = [fanout, recovery, publish, http, latency, schedules, devices];

process.exit(await run(process.argv.slice(2)));

async function run([name = "help", ...args]: readonly string[]): Promise<number> {
  const bench = benches.find((each) => each.name === name);
  if (bench === undefined || args.includes("--help")) {
    console.log(bench?.usage ?? benches.map((each) => `${each.name.padEnd(10)} ${each.about}`).join("\n"));
    return bench === undefined && name !== "help" ? 2 : 0;
  }
  try {
    await bench.run(args);
    return 0;
  } catch (error) {
    console.error(`bench ${name}: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    await killAll();
  }
}
