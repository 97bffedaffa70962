/**
 * JWTs as tokens: who they are for and what they allow is said, and signed, by whoever runs the app's accounts.
 *
 *     {"sub": "alice", "exp": 1795512600, "carillon": {"subscribe": ["news/*"], "publish": []}}
 *
 * They never give admin access: that could mint keys that outlive the token, and a JWT cannot be withdrawn.
 */
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose";
import { z } from "zod";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Access, AccessProblem, Authenticated, TokenKind } from "./access.ts";
import { grantedAccess, grantFields, shownText } from "./grants.ts";
import { KeysUnavailable } from "./jwks.ts";
import type { JwtKey } from "./jwt-keys.ts";

export interface JwtSettings {
  readonly keys: readonly JwtKey[];
  /** What `aud` has to be, or to hold. */
  readonly audience?: string;
  readonly issuer?: string;
  readonly log: Log;
}

const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;
/**
 * An issuer's clock may be ahead of this one: a token that begins now begins for us this much later. Its end is exact: the
 * connections that it has opened end with it, and who comes after that would be cut off at once.
 */
const CLOCK_TOLERANCE_S = 5;
/**
 * Tokens that were verified and have not expired are remembered: a signature takes 25 µs (HS256) to 120 µs (ES256) to check, a digest 0.4. By
 * digest, because a token may have 8 KB and is a secret.
 */
const MAX_REMEMBERED = 10_000;

/** What is looked at beyond what `jose` checks. A key in the grants that is not known may be meant as a restriction. */
const claims = z.object({
  sub: shownText(200),
  // Until the year 9999: later ones could not be written as RFC 3339.
  exp: z.number().min(0).max(253_402_300_799),
  carillon: z.strictObject(grantFields).default({}),
});

/** Tokens signed with one of the keys. */
export function jwtKind(settings: JwtSettings, clock: Clock): TokenKind {
  const jwts = new Jwts(settings, clock);
  return (token) => (JWT.test(token) ? jwts.authenticate(token) : undefined);
}

/** What was verified. */
interface Known {
  readonly access: Access;
  readonly key: JwtKey;
  /** Of `key`, when it was looked for. */
  readonly generation: number | undefined;
}

class Jwts {
  readonly #settings: JwtSettings;
  readonly #clock: Clock;
  /** By digest, the oldest first. */
  readonly #verified = new Map<string, Known>();
  /** A token that many bring at once is verified once. */
  readonly #verifying = new Map<string, Promise<Authenticated>>();

  constructor(settings: JwtSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  authenticate(token: string): Authenticated | Promise<Authenticated> {
    const digest = new Bun.CryptoHasher("sha256").update(token).digest("base64url");
    const known = this.#verified.get(digest);
    if (known !== undefined) {
      const { access, key, generation } = known;
      const isPresent = key.generation?.() === generation;
      if (isPresent && !isOver(access, this.#clock)) return access;
      this.#verified.delete(digest);
      if (isPresent) return "expired";
    }
    return this.#verifying.get(digest) ?? this.#begin(digest, token);
  }

  #begin(digest: string, token: string): Promise<Authenticated> {
    const verifying = this.#verify(token).then((answer) => {
      this.#verifying.delete(digest);
      if (typeof answer === "string") return answer;
      this.#remember(digest, answer);
      return answer.access;
    });
    this.#verifying.set(digest, verifying);
    return verifying;
  }

  #remember(digest: string, known: Known): void {
    this.#verified.set(digest, known);
    if (this.#verified.size <= MAX_REMEMBERED) return;
    const [oldest] = this.#verified.keys();
    if (oldest !== undefined) this.#verified.delete(oldest);
  }

  /** Never rejects. */
  async #verify(token: string): Promise<Known | AccessProblem> {
    if (!hasOneSpelling(token)) return this.#refuse("the signature is not in canonical base64url");
    try {
      const { alg = "" } = decodeProtectedHeader(token);
      const keys = this.#settings.keys.filter(({ algorithms }) => algorithms.includes(alg));
      if (keys.length === 0) return this.#refuse(`no key for the algorithm ${alg}`);
      for (const key of keys) {
        // Before the key is found: if the keys change meanwhile, the token is looked at once more.
        const generation = key.generation?.();
        const payload = await this.#payloadBy(key, token);
        if (payload === undefined) continue;
        const access = this.#accessOf(payload);
        return typeof access === "string" ? access : { access, key, generation };
      }
      return this.#refuse("it is signed by somebody else");
    } catch (error) {
      if (error instanceof errors.JWTExpired) return "expired";
      if (error instanceof KeysUnavailable) return "unavailable";
      return this.#refuse(error instanceof Error ? error.message : String(error));
    }
  }

  /**
   * What the token says; `undefined` if `key` has not signed it.
   * @throws {Error} by rejection, if it is signed and still not good.
   */
  async #payloadBy({ algorithms, find }: JwtKey, token: string): Promise<JWTPayload | undefined> {
    const { audience, issuer } = this.#settings;
    try {
      const { payload } = await jwtVerify(token, find, {
        algorithms: [...algorithms],
        // A token without an end could never be got rid of: there is no list of those withdrawn.
        requiredClaims: ["exp", "sub"],
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: new Date(this.#clock.wallMs()),
        ...(audience !== undefined && { audience }),
        ...(issuer !== undefined && { issuer }),
      });
      return payload;
    } catch (error) {
      const isOthers = error instanceof errors.JWSSignatureVerificationFailed;
      if (isOthers || error instanceof errors.JWKSNoMatchingKey) return undefined;
      throw error;
    }
  }

  #accessOf(payload: JWTPayload): Authenticated {
    const { success, data, error } = claims.safeParse(payload);
    if (!success) return this.#refuse(`${error.issues[0]?.path.join(".")}: ${error.issues[0]?.message}`);
    const access = grantedAccess(`jwt:${data.sub}`, data.carillon, data.exp * 1_000);
    return isOver(access, this.#clock) ? "expired" : access;
  }

  /** Says why where the operator has asked for details; to a stranger it is one and the same. */
  #refuse(why: string): AccessProblem {
    this.#settings.log.debug("A JWT was refused", { why });
    return "invalid";
  }
}

function isOver({ expiresAtMs = Number.POSITIVE_INFINITY }: Access, clock: Clock): boolean {
  return expiresAtMs <= clock.wallMs();
}

/**
 * Four or sixteen ways to write the last letter decode to the same bytes, and libraries take them all. Header and claims
 * are signed as they are written; the signature is not.
 */
function hasOneSpelling(token: string): boolean {
  const signature = token.slice(token.lastIndexOf(".") + 1);
  return Buffer.from(signature, "base64url").toString("base64url") === signature;
}
