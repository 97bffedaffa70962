/**
 * Tokens of devices: `dk_ID_SECRET`, where the device is `d_ID`. A token is shown once, and what is kept of it cannot be
 * used to log in.
 */
import { timingSafeEqual } from "node:crypto";
import { randomLetters, secret as randomSecret } from "../../lib/ids.ts";
import { type Access, GRANTS, type Grant } from "../access.ts";
import { type Grants, grantedAccess } from "../grants.ts";
import type { StoredDevice } from "./stored.ts";

const TOKEN = /^dk_([A-Za-z0-9]{20})_([\w-]{32})$/;
const ID = /^d_[A-Za-z0-9]{20}$/;

/** An id that nobody can guess: 119 random bits. */
export function newDeviceId(): string {
  return `d_${randomLetters(20)}`;
}

/** Whether it is one of ours. Nobody else may use such a name, so that trying them tells nothing of which there are. */
export function isOurId(id: string): boolean {
  return ID.test(id);
}

/** A token for the device `id`, which is one of ours, and what is kept of it. */
export function newToken(id: string): { readonly token: string; readonly hash: string } {
  const secret = randomSecret();
  return { token: `dk_${id.slice("d_".length)}_${secret}`, hash: hashOf(secret).toString("base64url") };
}

/** Whose token it is; `undefined` if it is none of a device. */
export function parseToken(token: string): { readonly id: string; readonly secret: string } | undefined {
  const [, letters, secret] = TOKEN.exec(token) ?? [];
  return letters === undefined || secret === undefined ? undefined : { id: `d_${letters}`, secret };
}

/** Whether `hash` is what is kept of `secret`. */
export function isHashOf(hash: string, secret: string): boolean {
  const [kept, asked] = [Buffer.from(hash, "base64url"), hashOf(secret)];
  return kept.length === asked.length && timingSafeEqual(kept, asked);
}

/** Not a slow hash: nobody tries out 192 random bits, and every request would pay for it. */
function hashOf(secret: string): Buffer {
  return new Bun.CryptoHasher("sha256").update(secret).digest();
}

/** Grants that are kept as tests, by their JSON: most devices of one backend have the same. */
const MAX_COMPILED = 1_000;

/** Makes the access that devices have; tests are shared between those with the same grants. */
export function deviceAccesses(mayAnybody: Access["may"]): (device: StoredDevice) => Access {
  const known = new Map<string, Access["may"]>();
  const testOf = (grants: Grants): Access["may"] => {
    const name = JSON.stringify(GRANTS.map((grant: Grant) => grants[grant] ?? []));
    let may = known.get(name);
    if (may === undefined) {
      ({ may } = grantedAccess("", grants));
      if (known.size >= MAX_COMPILED) known.clear();
      known.set(name, may);
    }
    return may;
  };
  return ({ id, grants }) => ({
    who: `device:${id}`,
    device: id,
    isAdmin: false,
    may: grants === undefined ? mayAnybody : testOf(grants),
  });
}
