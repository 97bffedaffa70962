/**
 * Builds the whole server with its runtime into one executable for this machine's platform, `dist/carillon`:
 *
 *     npm run build:binary
 *     npm run build:binary -- FILE
 */
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { bundlePageFiles } from "../packages/server/src/gateway/pages.ts";

const root = resolve(import.meta.dir, "..");
const source = join(root, "packages/server/src");
const [outfile = join(root, "dist/carillon")] = process.argv.slice(2);

/** Started by their URL at run time, so nothing imports them and each is an entry of its own. */
const WORKERS = ["engine/sqlite/writer.ts"];

try {
  await Bun.build({
    entrypoints: ["main.ts", ...WORKERS].map((path) => join(source, path)),
    target: "bun",
    // `new URL("./writer.ts", import.meta.url)` is looked up beside the program: no folders inside.
    naming: { entry: "[name].[ext]" },
    // Without it half of the time that `carillon help` takes goes to parsing. CommonJS, its default, has no top-level await.
    bytecode: true,
    format: "esm",
    define: { CARILLON_PAGES: JSON.stringify(await bundlePageFiles()) },
    // A stray file in the working directory must not change what the server does.
    compile: { outfile, autoloadDotenv: false, autoloadBunfig: false },
  });
} catch (error) {
  console.error(error);
  process.exit(1);
}
const { size } = await stat(outfile);
console.log(`${outfile}: ${(size / 1e6).toFixed(1)} MB`);
