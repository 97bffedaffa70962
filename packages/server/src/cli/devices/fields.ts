/** What is said of a device, as flags. */
import { userProblem } from "@carillon/protocol/inbox";
import { ConfigError } from "../../config.ts";
import { timeZone } from "../../lib/zones.ts";
import type { Flag, Given } from "../flags.ts";

export const fieldFlags = {
  user: { value: "USER", about: "whose it is: your own name for a person" },
  tag: { value: "TAG", about: "by which it is found: tag:TAG", repeats: true },
  platform: { value: "PLATFORM", about: "such as android, ios or web" },
  "app-version": { value: "VERSION", about: "such as 2.4.1" },
  locale: { value: "LOCALE", about: "such as de-AT" },
  "time-zone": { value: "ZONE", about: "for its quiet hours, such as Asia/Shanghai" },
} as const satisfies Record<string, Flag>;

/** By its flag, as the server calls it. */
export const FIELDS = {
  user: "user",
  tag: "tags",
  platform: "platform",
  "app-version": "appVersion",
  locale: "locale",
  "time-zone": "timeZone",
} as const satisfies Record<keyof typeof fieldFlags, string>;

/**
 * The fields that flags name; what is not said is absent.
 * @throws {ConfigError} if one of them is no good.
 */
export function readFields(flags: Given<typeof fieldFlags, []>["flags"]): Readonly<Record<string, unknown>> {
  const { user, "time-zone": zone } = flags;
  const problem = user === undefined ? undefined : userProblem(user);
  if (problem !== undefined) throw new ConfigError(`--user ${JSON.stringify(user)}: ${problem}`);
  if (zone !== undefined && timeZone(zone) === undefined) {
    throw new ConfigError(
      `--time-zone ${JSON.stringify(zone)}: no such time zone; Europe/Berlin would be one`,
    );
  }
  const said = Object.entries(FIELDS).map(
    ([flag, name]) => [name, flags[flag as keyof typeof FIELDS]] as const,
  );
  return Object.fromEntries(said.filter(([, value]) => value !== undefined && value.length > 0));
}
