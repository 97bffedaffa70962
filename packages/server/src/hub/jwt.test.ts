import { describe, expect, test } from "bun:test";
import { createHmac, generateKeyPairSync, type KeyObject } from "node:crypto";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import fc from "fast-check";
import { exportJWK, SignJWT } from "jose";
import { createLog, silentLog } from "../lib/log.ts";
import { timestampFormat } from "../lib/timestamp.ts";
import type { Authenticated } from "./access.ts";
import { type JwtSettings, jwtKind } from "./jwt.ts";
import { type JwtKey, keySet, publicKey, secretKey } from "./jwt-keys.ts";

const SECRET = "a secret of thirty-two characters";
const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const strangers = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const pemOf = (key: KeyObject) => key.export({ type: "spki", format: "pem" }).toString();

const clock = new VirtualClock();
const NOW_S = clock.wallMs() / 1_000;
const good = { sub: "alice", exp: NOW_S + 60, carillon: { subscribe: ["news/*"], publish: ["news/a"] } };

const bytes = (secret: string) => new TextEncoder().encode(secret);
const sign = (payload: object, key: Uint8Array | KeyObject = bytes(SECRET), alg = "HS256", kid?: string) =>
  new SignJWT({ ...payload }).setProtectedHeader({ alg, ...(kid !== undefined && { kid }) }).sign(key);
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

function kind(keys: readonly JwtKey[] = [secretKey(SECRET)], more: Partial<JwtSettings> = {}, at = clock) {
  return jwtKind({ keys, log: silentLog, ...more }, at);
}

/** Who it is, or what is wrong with it. */
const whoOf = (answer: Authenticated | undefined) => (typeof answer === "object" ? answer.who : answer);
const ask = async (token: string, ...settings: Parameters<typeof kind>) =>
  whoOf(await kind(...settings)(token));

describe("a token", () => {
  test("gives what its claim names until it expires, and nothing else", async () => {
    const access = await kind()(await sign({ ...good, aud: "anyone", more: 1 }));
    if (typeof access !== "object") return expect.unreachable();
    expect(access).toMatchObject({ who: "jwt:alice", isAdmin: false, expiresAtMs: good.exp * 1_000 });
    const may = (grant: "subscribe" | "publish" | "history" | "presence") =>
      ["news/a", "news/b", "push"].filter((channel) => access.may(grant, channel));
    expect([may("subscribe"), may("publish"), may("history"), may("presence")]).toEqual([
      ["news/a", "news/b"],
      ["news/a"],
      [],
      [],
    ]);
  });

  test("without a claim says who it is and gives nothing", async () => {
    const access = await kind()(await sign({ sub: "alice", exp: NOW_S + 1 }));
    if (typeof access !== "object") return expect.unreachable();
    expect([access.who, access.may("subscribe", "push")]).toEqual(["jwt:alice", false]);
  });

  test.each(["", "a-key-for-these-tests", "ck_abc_def", "a.b", "a.b.c.d", "a b.c.d", ".b.c", "ä.b.c"])(
    "is not what %j is, which is told at once",
    (text) => {
      expect(kind()(text)).toBeUndefined();
    },
  );
});

const without = (name: keyof typeof good) => ({ ...good, [name]: undefined });
const claiming = (carillon: unknown) => ({ ...good, carillon });
const many = (count: number) => Array.from({ length: count }, (_, n) => `c${n}`);

test.each<[string, object, string]>([
  ["good", good, "jwt:alice"],
  ["expired", { ...good, exp: NOW_S - 1 }, "expired"],
  ["expired this moment", { ...good, exp: NOW_S }, "expired"],
  ["in its last moment", { ...good, exp: NOW_S + 0.001 }, "jwt:alice"],
  ["not valid yet", { ...good, nbf: NOW_S + 6 }, "invalid"],
  ["begun by a clock that is a little ahead", { ...good, nbf: NOW_S + 5 }, "jwt:alice"],
  ["without exp", without("exp"), "invalid"],
  ["with an exp that is a text", { ...good, exp: String(good.exp) }, "invalid"],
  ["with an exp beyond every calendar", { ...good, exp: 1e300 }, "invalid"],
  ["good to the end of the calendar", { ...good, exp: 253_402_300_799 }, "jwt:alice"],
  ["without sub", without("sub"), "invalid"],
  ["with an empty sub", { ...good, sub: "" }, "invalid"],
  ["with a sub that is a number", { ...good, sub: 7 }, "invalid"],
  ["with a sub over two lines", { ...good, sub: "a\nb" }, "invalid"],
  ["with a sub over two lines of another kind", { ...good, sub: "a\u2028b" }, "invalid"],
  ["with a sub that turns the line around", { ...good, sub: "a\u202eb" }, "invalid"],
  ["with a sub of 201", { ...good, sub: "a".repeat(201) }, "invalid"],
  ["with a sub of 200", { ...good, sub: "ü".repeat(200) }, `jwt:${"ü".repeat(200)}`],
  ["with a claim that is a list", claiming([]), "invalid"],
  ["with a claim that is null", claiming(null), "invalid"],
  ["with a grant that is a text", claiming({ subscribe: "news" }), "invalid"],
  ["with a grant that is unknown", claiming({ subscribes: ["news"] }), "invalid"],
  ["that wants to be admin", claiming({ admin: true }), "invalid"],
  ["with a pattern that fits no name", claiming({ subscribe: ["news, sport"] }), "invalid"],
  ["with a pattern that is empty", claiming({ subscribe: [""] }), "invalid"],
  ["with a pattern that is a number", claiming({ subscribe: [1] }), "invalid"],
  ["with a pattern of 201", claiming({ subscribe: ["a".repeat(201)] }), "invalid"],
  ["with a pattern of 200", claiming({ subscribe: ["a".repeat(200)] }), "jwt:alice"],
  ["with 101 patterns", claiming({ publish: many(101) }), "invalid"],
  ["with 100 patterns", claiming({ publish: many(100), history: many(100) }), "jwt:alice"],
])("a token %s", async (_, payload, answer) => {
  expect(await ask(await sign(payload))).toBe(answer);
});

test.each<[string, object, Partial<JwtSettings>, string]>([
  ["the right audience", { aud: "app" }, { audience: "app" }, "jwt:alice"],
  ["it among others", { aud: ["other", "app"] }, { audience: "app" }, "jwt:alice"],
  ["another audience", { aud: "other" }, { audience: "app" }, "invalid"],
  ["no audience", {}, { audience: "app" }, "invalid"],
  ["the right issuer", { iss: "us" }, { issuer: "us" }, "jwt:alice"],
  ["another issuer", { iss: "them" }, { issuer: "us" }, "invalid"],
  ["no issuer", {}, { issuer: "us" }, "invalid"],
  ["another audience, expired", { aud: "other", exp: NOW_S - 9 }, { audience: "app" }, "invalid"],
])("a token with %s", async (_, more, settings, answer) => {
  expect(await ask(await sign({ ...good, ...more }), [secretKey(SECRET)], settings)).toBe(answer);
});

describe("a signature", () => {
  test.each<[string, () => JwtKey, KeyObject, string]>([
    ["RS256", () => publicKey(pemOf(rsa.publicKey)), rsa.privateKey, "jwt:alice"],
    ["ES256", () => publicKey(pemOf(ec.publicKey)), ec.privateKey, "jwt:alice"],
    ["RS256", () => publicKey(pemOf(rsa.publicKey)), strangers.privateKey, "invalid"],
    ["RS384", () => publicKey(pemOf(rsa.publicKey)), rsa.privateKey, "invalid"],
    ["PS256", () => publicKey(pemOf(rsa.publicKey)), rsa.privateKey, "invalid"],
    ["RS256", () => secretKey(SECRET), rsa.privateKey, "invalid"],
  ])("by %s", async (alg, key, privateKey, answer) => {
    expect(await ask(await sign(good, privateKey, alg), [key()])).toBe(answer);
  });

  test("by another secret, or by a longer algorithm of the same one, is none", async () => {
    expect(await ask(await sign(good, bytes("another secret of the same length")))).toBe("invalid");
    expect(await ask(await sign(good, bytes(SECRET.repeat(2)), "HS512"), [secretKey(SECRET.repeat(2))])).toBe(
      "invalid",
    );
  });

  test("is needed: `none` is no algorithm, whatever keys there are", async () => {
    const keys = [secretKey(SECRET), publicKey(pemOf(rsa.publicKey))];
    const signed = (await sign(good)).split(".")[2];
    for (const alg of ["none", "None", "", undefined, ["HS256"], { toString: 1 }]) {
      for (const end of ["", signed]) {
        expect(await ask(`${part({ alg, typ: "JWT" })}.${part(good)}.${end}`, keys)).toBe("invalid");
      }
    }
  });

  test("by HS256 with a public key's own text, which everybody has, is none", async () => {
    const pem = pemOf(rsa.publicKey);
    const content = `${part({ alg: "HS256" })}.${part(good)}`;
    for (const text of [
      pem,
      pem.trim(),
      pem.replaceAll("\n", ""),
      JSON.stringify(await exportJWK(rsa.publicKey)),
    ]) {
      const forged = `${content}.${createHmac("sha256", text).update(content).digest("base64url")}`;
      expect(await ask(forged, [publicKey(pem)])).toBe("invalid");
      expect(await ask(forged, [publicKey(pem), secretKey(SECRET)])).toBe("invalid");
    }
  });

  test("by either of two keys is good, and whoever else signs is not", async () => {
    const keys = [publicKey(pemOf(strangers.publicKey)), publicKey(pemOf(rsa.publicKey)), secretKey(SECRET)];
    for (const [key, alg] of [
      [rsa.privateKey, "RS256"],
      [strangers.privateKey, "RS256"],
      [bytes(SECRET), "HS256"],
    ] as const) {
      expect(await ask(await sign(good, key, alg), keys)).toBe("jwt:alice");
    }
    expect(await ask(await sign(good, ec.privateKey, "ES256"), keys)).toBe("invalid");
  });

  test("by a key of a set is good", async () => {
    const jwks = {
      keys: [
        { ...(await exportJWK(rsa.publicKey)), kid: "one" },
        { ...(await exportJWK(ec.publicKey)), kid: "two" },
        { kty: "oct", kid: "three", k: Buffer.from(SECRET).toString("base64url") },
      ],
    };
    const key = keySet(JSON.stringify(jwks));
    expect(await ask(await sign(good, rsa.privateKey, "RS256", "one"), [key])).toBe("jwt:alice");
    expect(await ask(await sign(good, ec.privateKey, "ES256", "two"), [key])).toBe("jwt:alice");
    expect(await ask(await sign(good, rsa.privateKey, "RS256"), [key])).toBe("jwt:alice");
    expect(await ask(await sign(good, rsa.privateKey, "RS256", "four"), [key])).toBe("invalid");
    // A secret does not belong into a set that the world may read.
    expect(await ask(await sign(good, bytes(SECRET), "HS256", "three"), [key])).toBe("invalid");
  });
});

const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \u0000é"];

test("no other text than the one that was signed is taken", async () => {
  const tokens = [
    await sign(good),
    await sign(good, rsa.privateKey, "RS256"),
    await sign(good, ec.privateKey, "ES256"),
  ];
  const keys = [secretKey(SECRET), publicKey(pemOf(rsa.publicKey)), publicKey(pemOf(ec.publicKey))];
  const authenticate = kind(keys);
  const letter = fc.constantFrom(...LETTERS);
  const change = fc.record({
    token: fc.constantFrom(...tokens),
    // The ends of the parts are where base64 is loose.
    at: fc.oneof(fc.nat({ max: 400 }), fc.constantFrom(-1, -2, -3)),
    length: fc.constantFrom(0, 1, 1, 1, 5),
    by: fc.array(letter, { maxLength: 3 }).map((letters) => letters.join("")),
  });
  await fc.assert(
    fc.asyncProperty(change, async ({ token, at, length, by }) => {
      const start = at < 0 ? token.length + at : at % token.length;
      const changed = token.slice(0, start) + by + token.slice(start + length);
      fc.pre(changed !== token);
      expect([undefined, "invalid"]).toContain((await authenticate(changed)) as undefined);
    }),
    { numRuns: 1_000 },
  );
  for (const token of tokens) {
    expect(whoOf(await authenticate(token))).toBe("jwt:alice");
    for (const last of LETTERS.filter((each) => !token.endsWith(each))) {
      expect([undefined, "invalid"]).toContain((await authenticate(token.slice(0, -1) + last)) as undefined);
    }
    for (let end = 0; end < token.length; end++) {
      expect([undefined, "invalid"]).toContain((await authenticate(token.slice(0, end))) as undefined);
    }
  }
});

describe("once verified", () => {
  test("a token is known at once, until it expires", async () => {
    const at = new VirtualClock();
    const authenticate = kind(undefined, {}, at);
    const token = await sign(good);
    const first = authenticate(token);
    expect(first).toBeInstanceOf(Promise);
    // Brought by two at the same time, it is verified once.
    expect(authenticate(token)).toBe(first);
    const access = await first;
    expect(authenticate(token)).toBe(access);
    at.advance(59_999);
    expect(authenticate(token)).toBe(access);
    at.advance(1);
    expect(authenticate(token)).toBe("expired");
    expect(await authenticate(token)).toBe("expired");
  });

  test("ten thousand are remembered, the newest ones", async () => {
    const authenticate = kind();
    const tokenOf = (n: number) => sign({ ...good, n });
    for (let n = 0; n <= 10_000; n++) await authenticate(await tokenOf(n));
    expect(whoOf((await authenticate(await tokenOf(1))) as Authenticated)).toBe("jwt:alice");
    expect(authenticate(await tokenOf(0))).toBeInstanceOf(Promise);
    expect(authenticate(await tokenOf(10_000))).not.toBeInstanceOf(Promise);
  });

  test("a token that is refused is looked at anew each time", async () => {
    const authenticate = kind();
    const token = await sign(good, bytes("another secret of the same length"));
    expect(await authenticate(token)).toBe("invalid");
    expect(authenticate(token)).toBeInstanceOf(Promise);
  });
});

test("why it was refused is told to the operator who asks for details, and nothing of the token is", async () => {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line);
  const log = createLog({ format: "json", level: "debug", clock, timestamp: timestampFormat("UTC"), write });
  const token = await sign(without("exp"));
  await ask(token, undefined, { log });
  await ask(await sign(claiming({ admin: true })), undefined, { log });
  await ask(await sign(good, rsa.privateKey, "RS256"), undefined, { log });
  expect(lines.map((line) => JSON.parse(line).why)).toEqual([
    'missing required "exp" claim',
    'carillon: Unrecognized key: "admin"',
    "no key for the algorithm RS256",
  ]);
});
