/** A data directory with registered devices, written through the engine while no server runs. */
import { join } from "node:path";
import { together } from "@carillon/protocol/position";
import type { DevicePosition, RecordChange } from "../../../packages/server/src/engine/engine.ts";
import { openSqliteEngine } from "../../../packages/server/src/engine/sqlite/sqlite.ts";
import { EVERYONE } from "../../../packages/server/src/hub/devices/device.ts";
import { keepDevice, type StoredDevice } from "../../../packages/server/src/hub/devices/stored.ts";
import { newDeviceId, newToken } from "../../../packages/server/src/hub/devices/tokens.ts";
import { systemClock } from "../../../packages/server/src/lib/clock.ts";
import { silentLog } from "../../../packages/server/src/lib/log.ts";

/** The channel that all of them have subscribed to. */
export const CHANNEL = "push";
/** Every so many-th carries the tag `beta`. */
const BETA_EVERY = 10;
const PLATFORMS = ["android", "ios", "web"] as const;
const PLACES = [
  { locale: "de-DE", timeZone: "Europe/Berlin", country: "de" },
  { locale: "en-US", timeZone: "America/New_York", country: "us" },
  { locale: "en-IN", timeZone: "Asia/Kolkata", country: "in" },
  { locale: "fr-FR", timeZone: "Europe/Paris", country: "fr" },
  { locale: "ja-JP", timeZone: "Asia/Tokyo", country: "jp" },
  { locale: "pt-BR", timeZone: "America/Sao_Paulo", country: "br" },
  { locale: "zh-CN", timeZone: "Asia/Shanghai", country: "cn" },
] as const;
/** Kept with one commit; the engine holds a commit in memory. */
const COMMIT = 5_000;
const DAY_MS = 86_400_000;

/** What is kept of the device of this number: two to five tags, a user of its own, not seen since yesterday or before. */
export function deviceOf(
  number: number,
  id: string,
  hash: string,
  nowMs: number,
): StoredDevice & { readonly tags: readonly string[] } {
  const platform = PLATFORMS[number % PLATFORMS.length] ?? "web";
  const { country, ...place } = PLACES[number % PLACES.length] ?? PLACES[0];
  const tags: string[] = [platform, country];
  if (number % BETA_EVERY === 0) tags.push("beta");
  if (number % 4 === 0) tags.push("pro");
  if (number % 11 < 4) tags.push("sports");
  const lastSeenMs = nowMs - DAY_MS * (1 + (number % 30));
  return {
    id,
    isRegistered: true,
    platform,
    appVersion: `4.${number % 13}.${number % 7}`,
    ...place,
    tags,
    user: `user-${number}`,
    createdAtMs: lastSeenMs - DAY_MS * (number % 400),
    lastSeenMs,
    subscriptions: { [CHANNEL]: { push: true } },
    hash,
    by: "anonymous",
  };
}

/** Coprime to what people choose: numbers and ids are in no order of each other. */
const STEP = 7_919;

/** Writes `count` devices and where each stands; resolves to the tokens of the first `known`. */
export async function makeDevices(data: string, count: number, known: number): Promise<readonly string[]> {
  const options = { dir: data, clock: systemClock, log: silentLog, retentionOf: () => ({}) };
  const engine = await openSqliteEngine(options);
  const { epoch } = await engine.top(EVERYONE);
  const position = { epoch, offsets: together(0) };
  const nowMs = systemClock.wallMs();
  const tokens: string[] = [];
  // By id: in any other order each row changes a page of its own, and a million take four minutes.
  const ids = Array.from({ length: count }, newDeviceId).sort();
  for (let from = 0; from < count; from += COMMIT) {
    const changes: RecordChange[] = [];
    const positions: DevicePosition[] = [];
    for (const [index, id] of ids.slice(from, from + COMMIT).entries()) {
      const number = ((from + index) * STEP) % count;
      const { token, hash } = newToken(id);
      if (number < known) tokens[number] = token;
      const device = deviceOf(number, id, hash, nowMs);
      changes.push(keepDevice(device, null));
      for (const channel of [CHANNEL, EVERYONE, `$user/${device.user}`]) {
        positions.push({ device: id, channel, position });
      }
    }
    await engine.savePositions(positions, changes);
  }
  await engine.close();
  return tokens;
}

export function dataFile(data: string): string {
  return join(data, "carillon.db");
}
