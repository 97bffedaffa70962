/**
 * What devices cost: a server whose file has a million of them, of which some thousands are connected. What their connections
 * take beyond others' in CPU and memory, what acks take, and how soon a publication for those with a tag is on its way, and how
 * much it keeps others waiting.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { CLIENT_CORE, KINDS, type Kind, measureConnecting } from "./devices/connecting.ts";
import { dataFile, makeDevices } from "./devices/data.ts";
import { type Delivered, measureDelivering } from "./devices/delivering.ts";
import { type Connected, connectingTable, deliveringTable, targetLines } from "./devices/report.ts";
import { readFlags, readNumber, usageOf } from "./lib/flags.ts";
import { machine } from "./lib/machine.ts";
import { pinSelf } from "./lib/processes.ts";

const flags = {
  devices: { initial: "1000000", about: "devices that are registered" },
  connected: { initial: "15000", about: "of them that are connected" },
  pushes: { initial: "15", about: "pushes to all of them, a second apart, with acks and as many without" },
  repeats: { initial: "3", about: "publications to each target" },
  rounds: { initial: "3", about: "measurements" },
  dir: { initial: tmpdir(), about: "where the data is kept; it has to be a real disk" },
  json: { initial: "", about: "file for the figures" },
} as const;

const about = "a million devices on disk: connecting, memory, acks, and publications to a tag";

export const devices: Bench = { name: "devices", about, usage: usageOf("devices", about, flags), run };

async function run(args: readonly string[]): Promise<void> {
  const given = readFlags(flags, args);
  const options = {
    devices: readNumber("devices", given.devices, 1, 1e7),
    connected: readNumber("connected", given.connected, 10, 19_000),
    pushes: readNumber("pushes", given.pushes, 1, 1_000),
    repeats: readNumber("repeats", given.repeats, 1, 100),
    rounds: readNumber("rounds", given.rounds, 1, 1_000),
  };
  const known = options.connected * options.rounds;
  if (known > options.devices) throw new Error("each round connects devices of its own: there are too few");
  const dir = mkdtempSync(join(given.dir, "carillon-bench-"));
  try {
    console.error(`making ${options.devices} devices`);
    const data = join(dir, "data");
    const tokens = await makeDevices(data, options.devices, known);
    const bytes = statSync(dataFile(data)).size / options.devices;
    pinSelf(CLIENT_CORE);
    goFirst();
    const slices = Array.from({ length: options.rounds }, (_, round) =>
      tokens.slice(round * options.connected, (round + 1) * options.connected),
    );
    const connected: Connected[] = [];
    for (const [round, slice] of slices.entries()) {
      console.error(`connecting, round ${round + 1} of ${options.rounds}`);
      connected.push(await connectEach(slice, dir));
    }
    // After all of the others: from then on there is something to catch up with.
    const delivered: Delivered[] = [];
    for (const [round, slice] of slices.entries()) {
      console.error(`publishing, round ${round + 1} of ${options.rounds}`);
      delivered.push(await measureDelivering(slice, dir, options));
    }
    console.log(`${connectingTable(connected)}\n\n${deliveringTable(delivered)}\n`);
    console.log(`${bytes.toFixed(0)} bytes of disk for a device`);
    for (const line of targetLines(connected, delivered)) console.log(line);
    const figures = { bench: "devices", machine: machine(), options, bytes, connected, delivered };
    if (given.json !== "") await Bun.write(given.json, `${JSON.stringify(figures, null, 2)}\n`);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function connectEach(tokens: readonly string[], dir: string): Promise<Connected> {
  const measured: [Kind, Connected[Kind]][] = [];
  for (const kind of Object.keys(KINDS) as Kind[]) {
    measured.push([kind, await measureConnecting(kind, tokens, dir)]);
  }
  return Object.fromEntries(measured) as unknown as Connected;
}

/** The probe shares a core with the clients, and is to wait for the server alone; only root may. */
function goFirst(): void {
  Bun.spawnSync(["renice", "-n", "-19", "-p", String(process.pid)], { stdout: "ignore", stderr: "ignore" });
}
