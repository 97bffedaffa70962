/**
 * Thousands of seeds of `testing/simulation.ts`. A failure prints its seed; `SEED=123 npm run test:unit -- schedule/simulation`
 * runs that one alone, and `SEEDS=100000` looks longer.
 */
import { test } from "bun:test";
import { Life } from "./testing/life.ts";
import { World } from "./testing/simulation.ts";

const ONE_SEED = process.env["SEED"];
const SEEDS = ONE_SEED === undefined ? Number(process.env["SEEDS"] ?? 3_000) : 1;
const FIRST_SEED = Number(ONE_SEED ?? 1);

test(`${SEEDS} seeds from ${FIRST_SEED}: no run lost, none doubled, none after a pause or a deletion`, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    try {
      await new Life(new World(seed)).live();
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
}, 600_000);
