/**
 * Days of devices, by `testing/device-day-*.ts`: what each of them gets, what the receipts say, and what is left. A failure
 * prints its seed and what happened; `SEED=123 npm run test:unit -- device-day` runs that one alone, and `SEEDS=10000` looks
 * longer.
 */
import { test } from "bun:test";
import { checkDay } from "./testing/device-day-checks.ts";
import { heal, move } from "./testing/device-day-moves.ts";
import { populate } from "./testing/device-day-people.ts";
import { DayWorld } from "./testing/device-day-world.ts";

const ONE_SEED = process.env["SEED"];
const SEEDS = ONE_SEED === undefined ? Number(process.env["SEEDS"] ?? 400) : 1;
const FIRST_SEED = Number(ONE_SEED ?? 1);

/** Evenings before days on which clocks are set somewhere, and one before none. */
const STARTS = [
  Date.UTC(2026, 9, 24, 15),
  Date.UTC(2026, 2, 28, 15),
  Date.UTC(2026, 9, 3, 6),
  Date.UTC(2026, 10, 24, 9),
];

async function live(seed: number): Promise<void> {
  // Every fourth day the server does not restart in order, but is killed.
  const world = new DayWorld(seed, STARTS[seed % 3] ?? 0, seed % 4 === 0);
  try {
    await populate(world);
    for (let moves = 0; moves < 60; moves++) await move(world);
    await heal(world);
    await checkDay(world);
  } catch (error) {
    const what = error instanceof Error ? (ONE_SEED === undefined ? error.message : error.stack) : error;
    throw new Error(`seed ${seed}: ${what}\n${world.deeds.join("\n")}`, { cause: error });
  }
}

test(`${SEEDS} days of devices from seed ${FIRST_SEED}: each has what it is to have, and receipts add up`, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) await live(seed);
}, 600_000);
