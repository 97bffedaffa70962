import { expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { signedHeaders, signingKey } from "./signing.ts";

test("signs as the libraries of the specification do", () => {
  // The example that svix and the specification's libraries test with.
  const key = signingKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  const headers = signedHeaders(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, '{"test": 2432232314}');
  expect(headers).toEqual({
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  });
});

test("any text is a secret by its own bytes", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 16, unit: "binary" }), fc.string(), (secret, body) => {
      fc.pre(!secret.startsWith("whsec_"));
      const expected = createHmac("sha256", Buffer.from(secret)).update(`msg_1.5.${body}`).digest("base64");
      expect(signedHeaders(signingKey(secret), "msg_1", 5, body)["webhook-signature"]).toBe(`v1,${expected}`);
    }),
  );
});

test.each([24, 64])("whsec_ with %i bytes of base64, with and without its padding", (length) => {
  const key = Buffer.alloc(length, 0xfb);
  const text = key.toString("base64");
  expect(Buffer.from(signingKey(`whsec_${text}`))).toEqual(key);
  expect(Buffer.from(signingKey(`whsec_${text.replace(/=+$/, "")}`))).toEqual(key);
});

test.each([
  "",
  "short",
  "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
  "A".repeat(31),
  `${"A".repeat(40)}!`,
  "A".repeat(92),
])("whsec_%s is no key, and the error does not repeat it", (text) => {
  expect(() => signingKey(`whsec_${text}`)).toThrow(
    new RangeError("expected 24 to 64 bytes in base64 after whsec_"),
  );
});
