#!/usr/bin/env node
// The `carillon` command. Node only starts Bun, which runs the server and the command line.
import { fileURLToPath } from "node:url";
import { runBun } from "./run-bun.mjs";

runBun([fileURLToPath(new URL("../src/main.ts", import.meta.url)), ...process.argv.slice(2)]);
