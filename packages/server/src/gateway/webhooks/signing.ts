/** Signatures by the Standard Webhooks specification 1.0.0 (standardwebhooks.com). Its libraries check them. */

const PREFIX = "whsec_";
/** What the specification asks of a key in that form. */
const LEAST_BYTES = 24;
const MOST_BYTES = 64;

export type SigningKey = Uint8Array;

/**
 * A secret that begins with `whsec_` holds its key in base64, as the specification's libraries take it; any other text is
 * its own key.
 * @throws {RangeError} if what follows `whsec_` is no key. The message says nothing of it.
 */
export function signingKey(secret: string): SigningKey {
  if (!secret.startsWith(PREFIX)) return Buffer.from(secret, "utf8");
  const text = secret.slice(PREFIX.length);
  const key = Buffer.from(text, "base64");
  const isBase64 = key.toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "");
  if (isBase64 && key.length >= LEAST_BYTES && key.length <= MOST_BYTES) return key;
  throw new RangeError(`expected ${LEAST_BYTES} to ${MOST_BYTES} bytes in base64 after ${PREFIX}`);
}

/** The headers by which a receiver knows who sent `body`, and that nobody has kept it to send it again later. */
export function signedHeaders(
  key: SigningKey,
  id: string,
  timestampS: number,
  body: string,
): Readonly<Record<string, string>> {
  const signature = new Bun.CryptoHasher("sha256", key)
    .update(`${id}.${timestampS}.${body}`)
    .digest("base64");
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestampS),
    "webhook-signature": `v1,${signature}`,
  };
}
