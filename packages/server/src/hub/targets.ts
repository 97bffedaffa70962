/**
 * To whom a publication goes, as a user types it.
 *
 *     const parsed = parseTarget("user:ann");
 *     parsed.ok && addressOf(parsed.target); // { channel: "$user/ann" }
 *
 * Targets are channels: a device reads its own, its user's and everybody's. A publication for those with certain tags is
 * written once, to everybody's, with the expression; who is meant is decided at delivery.
 */
import { channelNameProblem } from "@carillon/protocol/channel";
import { deviceIdProblem } from "@carillon/protocol/device";
import { userProblem } from "@carillon/protocol/inbox";
import { EVERYONE } from "./devices/device.ts";
import { parseTagExpression } from "./tag-expressions.ts";

export type Target =
  | { readonly kind: "device"; readonly id: string }
  | { readonly kind: "user"; readonly user: string }
  | { readonly kind: "channel"; readonly channel: string }
  /** `expression` is in normal form; see tag-expressions.ts. */
  | { readonly kind: "tags"; readonly expression: string }
  | { readonly kind: "everyone" };

/** The target, or in a line for people why there is none. */
export type ParsedTarget =
  | { readonly ok: true; readonly target: Target }
  | { readonly ok: false; readonly problem: string };

/** Where a target's publications are written, and for whom of those who read there. */
export interface Address {
  readonly channel: string;
  /** A tag expression; `undefined` where all who read the channel are meant. */
  readonly target?: string;
}

/** Reads `device:ID`, `user:ID`, `channel:NAME`, `everyone` or a tag expression. Never throws. */
export function parseTarget(text: string): ParsedTarget {
  if (text === "everyone") return { ok: true, target: { kind: "everyone" } };
  const [, kind, name = ""] = /^(device|user|channel):(.*)$/s.exec(text) ?? [];
  switch (kind) {
    case "device":
      return named(deviceIdProblem(name), { kind, id: name });
    case "user":
      return named(userProblem(name), { kind, user: name });
    case "channel":
      return named(channelNameProblem(name), { kind, channel: name });
  }
  if (!/^[ !(]*tag:/.test(text)) {
    return { ok: false, problem: "device:ID, user:ID, channel:NAME, tag:NAME or everyone is expected" };
  }
  const parsed = parseTagExpression(text);
  return parsed.ok ? { ok: true, target: { kind: "tags", expression: parsed.expression } } : parsed;
}

function named(problem: string | undefined, target: Target): ParsedTarget {
  return problem === undefined ? { ok: true, target } : { ok: false, problem };
}

/** What a user would type: `parseTarget` reads it as the same target. */
export function targetText(target: Target): string {
  switch (target.kind) {
    case "device":
      return `device:${target.id}`;
    case "user":
      return `user:${target.user}`;
    case "channel":
      return `channel:${target.channel}`;
    case "tags":
      return target.expression;
    case "everyone":
      return "everyone";
  }
}

export function addressOf(target: Target): Address {
  switch (target.kind) {
    case "device":
      return { channel: `$device/${target.id}` };
    case "user":
      return { channel: `$user/${target.user}` };
    case "channel":
      return { channel: target.channel };
    case "tags":
      return { channel: EVERYONE, target: target.expression };
    case "everyone":
      return { channel: EVERYONE };
  }
}
