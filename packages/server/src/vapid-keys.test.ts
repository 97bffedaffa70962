import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "./config.ts";
import { vapidKeys } from "./vapid-keys.ts";

function inDirectory(name: string, act: (dir: string) => Promise<void>) {
  test(name, async () => {
    const dir = mkdtempSync(join(tmpdir(), "carillon-vapid-"));
    try {
      await act(dir);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
}

inDirectory("are made at the first start, for their owner alone, and stay", async (dir) => {
  const data = join(dir, "data");
  const made = await vapidKeys(data);
  expect(await vapidKeys(data)).toEqual(made);
  expect(statSync(join(data, "vapid.json")).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(join(data, "vapid.json"), "utf8"))).toEqual(made);
});

test("are new at every start where nothing is kept", async () => {
  expect(await vapidKeys(undefined)).not.toEqual(await vapidKeys(undefined));
});

inDirectory("a file that holds none is named, and its contents are not", async (dir) => {
  const path = join(dir, "vapid.json");
  for (const text of ["", "{}", '{"kty":"EC","crv":"P-256","x":"secret","y":"secret","d":"secret"}']) {
    writeFileSync(path, text);
    const error = await vapidKeys(dir).catch((thrown: unknown) => thrown);
    expect(error).toEqual(new ConfigError(`${path}: holds no keys; delete the file to have new ones made`));
  }
});
