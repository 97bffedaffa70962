/** Where something is published: CHANNEL, or what --to names in its place. */
import { ConfigError } from "../config.ts";
import { targetField } from "../gateway/api/targets.ts";
import { checkChannel } from "./delivery.ts";
import type { Flag } from "./flags.ts";

export const toFlag = {
  to: {
    value: "TARGET",
    about:
      "in place of CHANNEL: device:ID, user:ID, channel:NAME, everyone, or tags such as 'tag:android & !tag:beta'",
  },
} as const satisfies Record<string, Flag>;

export type Destination =
  | { readonly channel: string; readonly to?: undefined }
  | { readonly to: string; readonly channel?: undefined };

/**
 * From `[CHANNEL] [TEXT]` as they were typed: with --to there is no CHANNEL.
 * @throws {ConfigError} if it is not said, or cannot be.
 */
export function readDestination(
  [first, second]: readonly [string | undefined, string | undefined],
  to: string | undefined,
): { readonly destination: Destination; readonly text: string | undefined } {
  if (to === undefined) {
    if (first === undefined) throw new ConfigError("CHANNEL is missing, or --to in its place");
    checkChannel(first);
    return { destination: { channel: first }, text: second };
  }
  checkTarget(to);
  if (second === undefined) return { destination: { to }, text: first };
  throw new ConfigError(`unexpected argument ${JSON.stringify(second)}: with --to there is no CHANNEL`);
}

/** @throws {ConfigError} if `--to` names nobody. */
export function checkTarget(to: string): void {
  const [issue] = targetField.safeParse(to).error?.issues ?? [];
  if (issue !== undefined) throw new ConfigError(`--to ${JSON.stringify(to)}: ${issue.message}`);
}
