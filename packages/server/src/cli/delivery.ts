/** How a publication is delivered, as flags: of `push`, and of schedules. */
import { channelNameProblem } from "@carillon/protocol/channel";
import type { Json, PublishOptions } from "@carillon/protocol/frames";
import { MAX_TTL_SECONDS } from "@carillon/protocol/limits";
import { URGENCIES, type Urgency } from "@carillon/protocol/position";
import { ConfigError } from "../config.ts";
import { parseDuration } from "../lib/duration.ts";
import type { Flag, Given } from "./flags.ts";

export const deliveryFlags = {
  ttl: {
    value: "TIME",
    about:
      "how long it is worth delivering, such as 90s, 1h or 3600; 0: to those connected now, kept for nobody",
    initial: "no end",
  },
  urgency: { value: URGENCIES.join("|"), about: "whether a sleeping app is woken", initial: "normal" },
  "collapse-key": { value: "KEY", about: "who returns gets only the last of those with this key" },
  tag: { value: "TAG", about: "marks it", repeats: true },
} as const satisfies Record<string, Flag>;

/**
 * What flags say about delivery, and nothing else.
 * @throws {ConfigError} if one of them is no good.
 */
export function readDelivery(flags: Given<typeof deliveryFlags, []>["flags"]): PublishOptions {
  const { ttl, urgency, tag: tags, "collapse-key": collapseKey } = flags;
  return {
    ...(ttl !== undefined && { ttl: readTtl(ttl) }),
    ...(urgency !== undefined && { urgency: readUrgency(urgency) }),
    ...(collapseKey !== undefined && { collapseKey }),
    ...(tags.length > 0 && { tags }),
  };
}

/** Seconds as RFC 8030 has them, or a length of time as everywhere else. */
function readTtl(text: string): number {
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : (parseDuration(text) ?? Number.NaN) / 1_000;
  if (Number.isInteger(seconds) && seconds <= MAX_TTL_SECONDS) return seconds;
  throw new ConfigError(
    `--ttl ${JSON.stringify(text)}: expected whole seconds or a length of time such as 1h, up to 365d`,
  );
}

function readUrgency(text: string): Urgency {
  const urgency = URGENCIES.find((each) => each === text);
  if (urgency !== undefined) return urgency;
  throw new ConfigError(`--urgency ${JSON.stringify(text)}: expected ${URGENCIES.join(", ")}`);
}

/** @throws {ConfigError} if no channel can be called so. */
export function checkChannel(name: string): void {
  const problem = channelNameProblem(name);
  if (problem !== undefined) throw new ConfigError(`${JSON.stringify(name)}: ${problem}`);
}

/** @throws {ConfigError} if `--data` holds no JSON. */
export function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new ConfigError("--data: expected JSON; a text needs no flag");
  }
}

/**
 * @param said what was given, by the name under which people know it
 * @throws {ConfigError} if that is more than one.
 */
export function checkOneOf(said: Readonly<Record<string, string | undefined>>): void {
  const [first, second] = Object.keys(said).filter((name) => said[name] !== undefined);
  if (second !== undefined) throw new ConfigError(`${first} and ${second} do not go together`);
}
