/**
 * Access: what somebody may do. Deny by default: what is not granted is refused, and who brings no token may receive the
 * default channel and read its history, if that.
 */
import { timingSafeEqual } from "node:crypto";

/** What can be granted on channels, by pattern. */
export const GRANTS = ["subscribe", "publish", "history", "presence"] as const;
export type Grant = (typeof GRANTS)[number];

export interface Access {
  /** Who it is, for limits and the log, and no secret: `admin`, `key:ID`, `jwt:SUBJECT`, `device:ID`, `anonymous`. */
  readonly who: string;
  /** The device whose token it is. */
  readonly device?: string;
  /** Whether it may see and change everything: sessions, keys, backups. Then it may do everything in channels, too. */
  readonly isAdmin: boolean;
  may(grant: Grant, channel: string): boolean;
  /** When it ends, in milliseconds since 1970. */
  readonly expiresAtMs?: number;
}

/**
 * Why there is no access. `missing`: there is no token, and one is needed. `expired`: the bearer may come back with a new one.
 * `unavailable`: it cannot be looked at now, and may be good.
 */
export type AccessProblem = "missing" | "invalid" | "expired" | "unavailable";

export type Authenticated = Access | AccessProblem;

/** Without a token, what everybody may do, or `missing`. Never throws or rejects. Answers at once where nothing has to be asked for. */
export type Authenticate = (token: string | undefined) => Authenticated | Promise<Authenticated>;

/** One kind of token. `undefined`: it is none of this kind, ask the next. */
export type TokenKind = (token: string) => Authenticated | undefined | Promise<Authenticated | undefined>;

/** Access by one test per grant. */
export function accessOf(
  who: string,
  grants: Readonly<Record<Grant, (channel: string) => boolean>>,
  expiresAtMs?: number,
): Access {
  return {
    who,
    isAdmin: false,
    may: (grant, channel) => grants[grant](channel),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  };
}

/** Access to everything. */
export function adminAccess(who: string): Access {
  return { who, isAdmin: true, may: () => true };
}

export interface AccessRules {
  readonly defaultChannel: string;
  /** Whether a client without a token is let in, and may receive the default channel. */
  readonly anonymous: boolean;
  /** Asked in this order. */
  readonly kinds: readonly TokenKind[];
}

export function authenticator({ defaultChannel, anonymous, kinds }: AccessRules): Authenticate {
  const isDefault = (channel: string) => channel === defaultChannel;
  const no = () => false;
  const everybody = accessOf("anonymous", {
    subscribe: isDefault,
    publish: no,
    history: isDefault,
    presence: no,
  });
  const askFrom = (token: string, index: number): Authenticated | Promise<Authenticated> => {
    for (let next = index; next < kinds.length; next++) {
      const answer = kinds[next]?.(token);
      if (answer instanceof Promise) return answer.then((later) => later ?? askFrom(token, next + 1));
      if (answer !== undefined) return answer;
    }
    return "invalid";
  };
  // One with no grants would still hold one of the places that those with a token need.
  const withoutToken = anonymous ? everybody : "missing";
  return (token) => (token === undefined ? withoutToken : askFrom(token, 0));
}

/** The admin key, which may be replaced while the server runs. */
export function adminKeyKind(key: () => string): TokenKind {
  const admin = adminAccess("admin");
  return (token) => (sameSecret(token, key()) ? admin : undefined);
}

/** Compares in a time that tells nothing about where the two differ. Hashing first makes the lengths equal. */
export function sameSecret(one: string, other: string): boolean {
  const digest = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
