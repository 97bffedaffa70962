/** What a page that uses the SDK has to load. */
import { expect, test } from "bun:test";
import { join } from "node:path";

const MOST_BYTES = 6 * 1024;

async function bundle(): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [join(import.meta.dir, "index.ts")],
    target: "browser",
    minify: true,
  });
  expect(outputs).toHaveLength(1);
  return (await outputs[0]?.text()) ?? "";
}

test(`minified and gzipped it has at most ${MOST_BYTES} bytes`, async () => {
  const code = await bundle();
  const bytes = Bun.gzipSync(code).length;
  // Not nothing either: then this would measure an empty file.
  expect(bytes).toBeGreaterThan(MOST_BYTES / 2);
  expect(bytes).toBeLessThanOrEqual(MOST_BYTES);
});

test("it needs nothing of Node, and nothing but itself", async () => {
  const code = await bundle();
  expect(code).not.toContain("node:");
  expect(code).not.toMatch(/\brequire\(|\bimport\(|\bfrom"/);
  expect(code).not.toMatch(/\bprocess\.|\bBuffer\b/);
});
