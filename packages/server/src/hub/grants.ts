/** Grants as data: what a JWT's claim and an API key allow, as lists of patterns over channel names (`lib/pattern.ts`). */
import { z } from "zod";
import { channelPatterns } from "../lib/pattern.ts";
import { type Access, accessOf, type Grant } from "./access.ts";

/** They are tried one by one at every publish; a hundred that do not fit take 1 to 2 µs. */
const MAX_PATTERNS = 100;
const MAX_PATTERN_LENGTH = 200;

/**
 * Letters of channel names and stars: anything else, such as a comma, would silently fit nothing. With a leading `$`, a
 * channel that a target is written to, such as `$user/*`.
 */
const patterns = z
  .array(
    z
      .string()
      .regex(/^\$?[A-Za-z0-9_.:/@~*-]+$/, "expected a pattern such as news/*")
      .max(MAX_PATTERN_LENGTH),
  )
  .max(MAX_PATTERNS)
  .optional();

/** The fields of an object that grants. */
export const grantFields = {
  subscribe: patterns,
  publish: patterns,
  history: patterns,
  presence: patterns,
} satisfies Record<Grant, z.ZodType>;

/** A text for people, of 1 to `most` characters, none of which moves a cursor or turns a line around. */
export const shownText = (most: number) =>
  z.string().regex(new RegExp(`^[^\\p{C}\\p{Zl}\\p{Zp}]{1,${most}}$`, "u"));

export type Grants = { readonly [Name in Grant]?: readonly string[] | undefined };

/** Access to what `grants` names, and to nothing else. */
export function grantedAccess(who: string, grants: Grants, expiresAtMs?: number): Access {
  const fits = (list: readonly string[] = []) => channelPatterns(list.join(","));
  const tests = {
    subscribe: fits(grants.subscribe),
    publish: fits(grants.publish),
    history: fits(grants.history),
    presence: fits(grants.presence),
  };
  return accessOf(who, tests, expiresAtMs);
}
