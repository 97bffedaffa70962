import { expect, test } from "bun:test";
import { createECDH } from "node:crypto";
import fc from "fast-check";
import { encrypt, MAX_BODY_BYTES, MAX_PLAINTEXT_BYTES } from "./encryption.ts";
import { Subscriber } from "./testing/decryption.ts";

/** RFC 8291 section 5, with the intermediate values of appendix A. */
const EXAMPLE = {
  text: "When I grow up, I want to be a watermelon",
  privateKeyOfSender: "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw",
  publicKeyOfSender:
    "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8",
  privateKeyOfApp: "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94",
  p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
  auth: "BTBZMqHH6r4Tts7J_aSIgg",
  salt: "DGv6ra1nlYgDCS1FRnbzlw",
  body:
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml" +
    "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT" +
    "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN",
};

test("the example of RFC 8291, to the byte", () => {
  const { text, p256dh, auth, salt, body, privateKeyOfSender, publicKeyOfSender } = EXAMPLE;
  const privateKey = createECDH("prime256v1");
  privateKey.setPrivateKey(Buffer.from(privateKeyOfSender, "base64url"));
  expect(privateKey.getPublicKey("base64url")).toBe(publicKeyOfSender);
  const encrypted = encrypt(text, { p256dh, auth }, { privateKey, salt: Buffer.from(salt, "base64url") });
  expect(encrypted.toString("base64url")).toBe(body);
});

test("the tests' own receiver reads the example, and nothing that was changed", () => {
  const { text, privateKeyOfApp: privateKey, p256dh, auth, body } = EXAMPLE;
  const app = new Subscriber({ privateKey, auth });
  expect(app.keys).toEqual({ p256dh, auth });
  const bytes = Buffer.from(body, "base64url");
  expect(app.decrypt(bytes)).toBe(text);
  for (const at of [0, 90, bytes.length - 1]) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(() => app.decrypt(changed)).toThrow();
  }
  expect(() => new Subscriber().decrypt(bytes)).toThrow();
});

test("any text is read by the app alone, and no two messages are alike", () => {
  const app = new Subscriber();
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (text) => {
      const bodies = [encrypt(text, app.keys), encrypt(text, app.keys)] as const;
      for (const body of bodies) expect(app.decrypt(body)).toBe(text);
      expect(bodies[0].subarray(0, 86)).not.toEqual(bodies[1].subarray(0, 86));
      expect(() => new Subscriber().decrypt(bodies[0])).toThrow();
    }),
    { numRuns: 100 },
  );
});

test("the longest message fills what push services take, and one byte more does not fit", () => {
  const { keys } = new Subscriber();
  expect(encrypt("x".repeat(MAX_PLAINTEXT_BYTES), keys)).toHaveLength(MAX_BODY_BYTES);
  expect(encrypt("x".repeat(MAX_PLAINTEXT_BYTES + 1), keys).length).toBeGreaterThan(MAX_BODY_BYTES);
});

test("a point that is not on the curve is refused", () => {
  const { auth } = new Subscriber().keys;
  const p256dh = Buffer.concat([Buffer.of(4), Buffer.alloc(64, 1)]).toString("base64url");
  expect(() => encrypt("text", { p256dh, auth })).toThrow();
});
