/** Publishing to somebody: `to` of a request, and who may. */
import { z } from "zod";
import type { Access } from "../../hub/access.ts";
import { addressOf, parseTarget, type Target } from "../../hub/targets.ts";

/** The longest tag expression; what else can be a target is shorter. */
const MAX_TARGET_LENGTH = 500;

export const targetField = z
  .string()
  .min(1)
  .max(MAX_TARGET_LENGTH)
  .superRefine((text, context) => {
    const parsed = parseTarget(text);
    if (!parsed.ok) context.addIssue(parsed.problem);
  })
  .meta({
    description: "`device:ID`, `user:ID`, `tag:a & (tag:b | !tag:c)`, `channel:NAME` or `everyone`",
    example: "user:ann",
  });

/** The target that a text which fits `targetField` names. */
export function targetOf(text: string): Target {
  const parsed = parseTarget(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.target;
}

/**
 * Whether a token may publish to a target. Where it is no channel, that takes an admin's, or a grant to publish in the channel
 * that it is written to, which no pattern has but one that begins with `$`.
 */
export function mayPublishTo(access: Access, target: Target): boolean {
  return access.isAdmin || access.may("publish", addressOf(target).channel);
}
