/**
 * What the signatures of JWTs are checked with. Each kind of key takes its own algorithms and no others, whatever a token's
 * header says: else a token could ask for none, or pass off a public key as the secret of an HMAC (RFC 8725 section 2.1).
 */
import { createPublicKey } from "node:crypto";
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";

export interface JwtKey {
  readonly algorithms: readonly string[];
  /** The key for a token's header. Rejects if there is none. */
  readonly find: JWTVerifyGetKey;
  /**
   * Where keys may be withdrawn: another number once they have changed; what the former ones have signed has to be looked at
   * again. Asking is a use of them, as finding one is.
   */
  readonly generation?: () => number;
}

const PUBLIC_KEY_ALGORITHMS = ["RS256", "ES256"];
/** RFC 7518 section 3.3. */
const LEAST_RSA_BITS = 2_048;

/** A secret that the issuer has as well. */
export function secretKey(secret: string): JwtKey {
  const key = new TextEncoder().encode(secret);
  return { algorithms: ["HS256"], find: () => key };
}

/**
 * The public key, or the certificate, in a PEM file.
 * @throws {Error} whose message says in one line what is wrong with it.
 */
export function publicKey(pem: string): JwtKey {
  if (pem.includes("PRIVATE KEY")) {
    throw new Error(
      "holds a private key; the server needs the public one, and only its issuer the private one",
    );
  }
  const key = readPublicKey(pem);
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  const isRsa = key.asymmetricKeyType === "rsa";
  if (isRsa && modulusLength < LEAST_RSA_BITS) throw new Error(`an RSA key needs ${LEAST_RSA_BITS} bits`);
  if (!isRsa && namedCurve !== "prime256v1") throw new Error("expected an RSA or a P-256 key");
  return { algorithms: [isRsa ? "RS256" : "ES256"], find: () => key };
}

function readPublicKey(pem: string): ReturnType<typeof createPublicKey> {
  try {
    return createPublicKey(pem);
  } catch {
    throw new Error("holds no public key in PEM");
  }
}

/**
 * The public keys of a JSON Web Key Set (RFC 7517). A token names its key by `kid`, unless there is only one.
 * @throws {Error} whose message says in one line what is wrong with it.
 */
export function keySet(json: string): JwtKey {
  return { algorithms: PUBLIC_KEY_ALGORITHMS, find: readKeySet(json) };
}

/** Keys that are read elsewhere. */
export function foundKeys({ find, generation }: Required<Omit<JwtKey, "algorithms">>): JwtKey {
  return { algorithms: PUBLIC_KEY_ALGORITHMS, find, generation };
}

/** @throws {Error} whose message says in one line what is wrong with it. */
export function readKeySet(json: string): JWTVerifyGetKey {
  let set: Partial<JSONWebKeySet> | null;
  try {
    set = JSON.parse(json);
    const find = createLocalJWKSet(set as JSONWebKeySet);
    if (set?.keys?.some(({ kty, crv }) => kty === "RSA" || (kty === "EC" && crv === "P-256"))) return find;
  } catch {
    throw new Error("is no JSON Web Key Set");
  }
  throw new Error("holds no RSA and no P-256 key");
}
