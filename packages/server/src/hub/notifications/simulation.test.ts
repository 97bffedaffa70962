/**
 * Hundreds of seeds of `testing/simulation.ts`. A failure prints its seed; `SEED=123 npm run test:unit --
 * notifications/simulation` runs that one alone, and `SEEDS=10000` looks longer.
 */
import { test } from "bun:test";
import { Simulation } from "./testing/simulation.ts";

const ONE_SEED = process.env["SEED"];
const SEEDS = ONE_SEED === undefined ? Number(process.env["SEEDS"] ?? 150) : 1;
const FIRST_SEED = Number(ONE_SEED ?? 1);

test(`${SEEDS} seeds from ${FIRST_SEED}: all are told who have to be, and nobody else ever`, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    try {
      await new Simulation(seed).run();
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
}, 600_000);
