#!/usr/bin/env node
// Bun itself, found in every install-script policy: `node packages/server/bin/bun.mjs test`.
import { runBun } from "./run-bun.mjs";

runBun(process.argv.slice(2));
