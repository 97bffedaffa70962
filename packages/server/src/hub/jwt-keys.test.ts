import { expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { keySet, publicKey } from "./jwt-keys.ts";

const pair = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const short = generateKeyPairSync("rsa", { modulusLength: 1_024 }).publicKey;
const curve = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve }).publicKey;
const pem = (key: typeof short) => key.export({ type: "spki", format: "pem" }).toString();

test.each([
  ["an RSA key", pem(pair.publicKey), "RS256"],
  ["one in the older form", pair.publicKey.export({ type: "pkcs1", format: "pem" }).toString(), "RS256"],
  ["a P-256 key", pem(curve("P-256")), "ES256"],
])("%s takes its own algorithm alone", (_, text, algorithm) => {
  expect(publicKey(text).algorithms).toEqual([algorithm]);
});

test.each([
  ["a private key", pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(), "a private key"],
  [
    "a private key of RSA",
    pair.privateKey.export({ type: "pkcs1", format: "pem" }).toString(),
    "a private key",
  ],
  ["a short RSA key", pem(short), "2048 bits"],
  ["a key of another curve", pem(curve("P-384")), "P-256"],
  ["a key of another kind", pem(generateKeyPairSync("ed25519").publicKey), "P-256"],
  ["no PEM", "hello", "no public key"],
  ["nothing", "", "no public key"],
])("%s is refused in one line", (_, text, why) => {
  expect(() => publicKey(text)).toThrow(why);
});

const of = (...keys: object[]) => JSON.stringify({ keys });

test.each([
  ["no JSON", "hello", "no JSON Web Key Set"],
  ["null", "null", "no JSON Web Key Set"],
  ["a single key", JSON.stringify(pair.publicKey.export({ format: "jwk" })), "no JSON Web Key Set"],
  ["an empty set", of(), "no RSA and no P-256"],
  ["a set of secrets", of({ kty: "oct", k: "YQ" }), "no RSA and no P-256"],
  ["a set of another curve", of(curve("P-384").export({ format: "jwk" })), "no RSA and no P-256"],
])("%s is no key set", (_, text, why) => {
  expect(() => keySet(text)).toThrow(why);
});
