/**
 * By what push services know this server: VAPID (RFC 8292). Browsers bind a subscription to the public key that they are
 * given, so the keys have to stay.
 */
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import type { Clock } from "../../lib/clock.ts";

const ALGORITHM = "ES256";
/** At most a day (RFC 8292 section 2); the half of it leaves room for clocks that differ. */
const VALID_S = 12 * 3_600;
/** A token is used again until half of its time has passed. */
const RENEW_MS = (VALID_S / 2) * 1_000;
/** Push services are a handful; more than this are made up. */
const MAX_KNOWN = 1_000;

/** A P-256 key pair as JWK. */
export type VapidKeys = JWK & { readonly x: string; readonly y: string; readonly d: string };

export async function newVapidKeys(): Promise<VapidKeys> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const { kty, crv, x, y, d } = await exportJWK(privateKey);
  return { kty, crv, x, y, d } as VapidKeys;
}

export class Vapid {
  /** The uncompressed point in base64url, as `PushManager.subscribe` takes it. */
  readonly publicKey: string;
  readonly #privateKey: CryptoKey;
  readonly #contact: string;
  readonly #clock: Pick<Clock, "wallMs">;
  readonly #known = new Map<string, { readonly header: string; readonly madeMs: number }>();

  /**
   * `contact` is where the operators of push services may turn to, an address of `mailto:` or `https:`; "" for none.
   * @throws {Error} by rejection if the keys are none.
   */
  static async open(keys: VapidKeys, contact: string, clock: Pick<Clock, "wallMs">): Promise<Vapid> {
    const privateKey = await importJWK({ ...keys, alg: ALGORITHM }, ALGORITHM);
    if (privateKey instanceof Uint8Array || privateKey.type !== "private") {
      throw new TypeError("expected a private key");
    }
    return new Vapid(keys, privateKey, contact, clock);
  }

  private constructor(
    { x, y }: VapidKeys,
    privateKey: CryptoKey,
    contact: string,
    clock: Pick<Clock, "wallMs">,
  ) {
    const point = [Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")];
    this.publicKey = Buffer.concat(point).toString("base64url");
    this.#privateKey = privateKey;
    this.#contact = contact;
    this.#clock = clock;
  }

  /** The header `Authorization` for a push service (RFC 8292 section 3), by its origin. */
  async authorization(origin: string): Promise<string> {
    const nowMs = this.#clock.wallMs();
    const known = this.#known.get(origin);
    if (known !== undefined && Math.abs(nowMs - known.madeMs) < RENEW_MS) return known.header;
    const token = new SignJWT()
      .setProtectedHeader({ typ: "JWT", alg: ALGORITHM })
      .setAudience(origin)
      .setExpirationTime(Math.floor(nowMs / 1_000) + VALID_S);
    if (this.#contact !== "") token.setSubject(this.#contact);
    const header = `vapid t=${await token.sign(this.#privateKey)}, k=${this.publicKey}`;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(origin, { header, madeMs: nowMs });
    return header;
  }
}
