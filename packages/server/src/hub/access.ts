/**
 * Access: what somebody may do. Deny by default: who brings no token may receive the default channel and nothing else.
 */
import { timingSafeEqual } from "node:crypto";

export interface Access {
  maySubscribe(channel: string): boolean;
  mayPublish(channel: string): boolean;
  mayReadHistory(channel: string): boolean;
  maySeePresence(channel: string): boolean;
}

export interface AccessRules {
  readonly adminKey: string;
  readonly defaultChannel: string;
  /** Whether a client without a token may receive the default channel. */
  readonly anonymous: boolean;
}

/** `undefined` when `token` is not valid; without a token, what everybody may do. */
export type Authenticate = (token: string | undefined) => Access | undefined;

const yes = () => true;
const no = () => false;

export function authenticator({ adminKey, defaultChannel, anonymous }: AccessRules): Authenticate {
  const admin: Access = { maySubscribe: yes, mayPublish: yes, mayReadHistory: yes, maySeePresence: yes };
  const isDefault = (channel: string) => anonymous && channel === defaultChannel;
  const everybody: Access = {
    maySubscribe: isDefault,
    mayPublish: no,
    mayReadHistory: isDefault,
    maySeePresence: no,
  };
  return (token) => {
    if (token === undefined) return everybody;
    return sameSecret(token, adminKey) ? admin : undefined;
  };
}

/** Compares in a time that tells nothing about where the two differ. Hashing first makes the lengths equal. */
function sameSecret(one: string, other: string): boolean {
  const digest = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
