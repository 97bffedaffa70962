/** What a page that uses the SDK has to load. */
import { expect, test } from "bun:test";
import { join } from "node:path";

/** Gzipped. */
const MOST_BYTES = 6 * 1024;
/** What an app that is a device loads besides. */
const MOST_BYTES_FOR_DEVICES = 2 * 1024;

async function bundle(entry: "index.ts" | "device.ts"): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [join(import.meta.dir, entry)],
    target: "browser",
    minify: true,
  });
  expect(outputs).toHaveLength(1);
  return (await outputs[0]?.text()) ?? "";
}

test(`minified and gzipped it has at most ${MOST_BYTES} bytes`, async () => {
  const bytes = Bun.gzipSync(await bundle("index.ts")).length;
  // Not nothing either: then this would measure an empty file.
  expect(bytes).toBeGreaterThan(MOST_BYTES / 2);
  expect(bytes).toBeLessThanOrEqual(MOST_BYTES);
});

test(`and for devices at most ${MOST_BYTES_FOR_DEVICES} more`, async () => {
  const [core, device] = await Promise.all([bundle("index.ts"), bundle("device.ts")]);
  const bytes = Bun.gzipSync(device).length - Bun.gzipSync(core).length;
  expect(bytes).toBeGreaterThan(MOST_BYTES_FOR_DEVICES / 2);
  expect(bytes).toBeLessThanOrEqual(MOST_BYTES_FOR_DEVICES);
});

test.each(["index.ts", "device.ts"] as const)(
  "%s needs nothing of Node, and nothing but itself",
  async (entry) => {
    const code = await bundle(entry);
    expect(code).not.toContain("node:");
    expect(code).not.toMatch(/\brequire\(|\bimport\(|\bfrom"/);
    expect(code).not.toMatch(/\bprocess\.|\bBuffer\b/);
  },
);
