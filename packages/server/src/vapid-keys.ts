/** The server's keys for push services: made at the first start and kept beside the data. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ConfigError } from "./config.ts";
import { newVapidKeys, type VapidKeys } from "./gateway/notifiers/vapid.ts";

const coordinate = z.string().regex(/^[\w-]{43}$/);
const kept = z.object({
  kty: z.literal("EC"),
  crv: z.literal("P-256"),
  x: coordinate,
  y: coordinate,
  d: coordinate,
});

/**
 * The keys in `dir`, or new ones, kept there with mode 0600. Without `dir` new ones are made at every start, and what
 * browsers have subscribed to with the old ones is void.
 * @throws {ConfigError} by rejection if the file holds no keys.
 * @throws {Error} by rejection, with a system `code`, if it cannot be read or written.
 */
export async function vapidKeys(dir: string | undefined): Promise<VapidKeys> {
  if (dir === undefined) return newVapidKeys();
  const keptIn = join(dir, "vapid.json");
  try {
    return parse(readFileSync(keptIn, "utf8"), keptIn);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
  const keys = await newVapidKeys();
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(keptIn, `${JSON.stringify(keys)}\n`, { mode: 0o600, flag: "wx" });
  return keys;
}

function parse(text: string, path: string): VapidKeys {
  try {
    return kept.parse(JSON.parse(text));
  } catch {
    // The error would repeat what it found.
    throw new ConfigError(`${path}: holds no keys; delete the file to have new ones made`);
  }
}
