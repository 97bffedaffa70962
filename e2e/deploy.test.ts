/** The files in `deploy/`, checked by the programs that they are for. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./support/carillon.ts";

let unit: string;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-deploy-"));
  unit = join(dir, "carillon.service");
  const text = await Bun.file(join(root, "deploy/carillon.service")).text();
  // The program is not installed here; any will do, as it is not started.
  await Bun.write(unit, text.replace("=/usr/local/bin/carillon ", "=/bin/true "));
});
afterAll(() => rm(dir, { recursive: true }));

async function run(...command: readonly string[]) {
  const child = Bun.spawn([...command], { stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, out, err };
}

test("systemd has nothing to say against the unit", async () => {
  expect(await run("systemd-analyze", "verify", unit)).toEqual({ code: 0, out: "", err: "" });
});

test("systemd rates the unit as well protected", async () => {
  // Two of ten points: a push server is on the network.
  const { code } = await run("systemd-analyze", "security", "--offline=true", "--threshold=20", unit);
  expect(code).toBe(0);
});
