import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { SignJWT } from "jose";
import { AccessControl } from "./access-control.ts";
import { ConfigError, readConfig, type Source } from "./config.ts";
import { createLog } from "./lib/log.ts";
import { timestampFormat } from "./lib/timestamp.ts";

const root = mkdtempSync(join(tmpdir(), "carillon-access-"));
afterAll(() => rmSync(root, { recursive: true }));

const ADMIN_KEY = "a-key-for-these-tests";
const SECRET = "a secret of thirty-two characters";
const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const clock = new VirtualClock();
const payload = { sub: "alice", exp: clock.wallMs() / 1_000 + 60, carillon: { subscribe: ["news"] } };
const sign = (alg: string, key: Uint8Array | KeyObject, more: object = {}) =>
  new SignJWT({ ...payload, ...more }).setProtectedHeader({ alg }).sign(key);
const bySecret = (secret = SECRET, more: object = {}) =>
  sign("HS256", new TextEncoder().encode(secret), more);

let files = 0;
function file(text: string): string {
  files += 1;
  const path = join(root, `${files}.txt`);
  writeFileSync(path, text);
  return path;
}
const pem = file(rsa.publicKey.export({ type: "spki", format: "pem" }).toString());
const jwks = JSON.stringify({ keys: [rsa.publicKey.export({ format: "jwk" })] });

let lines: string[];
let fetched: string[];
let isDown: boolean;
beforeEach(() => {
  isDown = false;
  lines = [];
  fetched = [];
});

const configOf = (flags: Source = {}) => readConfig({ "admin-key": ADMIN_KEY, ...flags }, {}, {});

function setUp(flags?: Source, dir?: string) {
  const write = (line: string) => lines.push(line);
  const access = new AccessControl(configOf(flags), {
    clock,
    log: createLog({ format: "pretty", level: "info", clock, timestamp: timestampFormat("UTC"), write }),
    dir,
    fetch: async (url) => {
      fetched.push(url);
      if (isDown) throw new Error("Unable to connect");
      return new Response(jwks);
    },
  });
  const authenticate = access.authenticator([(token) => (token === "ck_gone" ? "expired" : undefined)]);
  /** Who it is, or what is wrong with the token. */
  const ask = async (token?: string) => {
    const answer = await authenticate(token);
    return typeof answer === "string" ? answer : answer.who;
  };
  return { access, ask };
}

function failure(flags: Source): string {
  try {
    setUp(flags);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return expect.unreachable();
}

test("the admin key, API keys and JWTs are asked in turn; without a token it is anonymous", async () => {
  const { ask } = setUp({ "jwt-secret": SECRET });
  expect(await ask(ADMIN_KEY)).toBe("admin");
  expect(await ask("ck_gone")).toBe("expired");
  expect(await ask(await bySecret())).toBe("jwt:alice");
  expect(await ask("guess")).toBe("invalid");
  expect(await ask()).toBe("anonymous");
});

test("without a key for JWTs none is believed", async () => {
  expect(await setUp().ask(await bySecret())).toBe("invalid");
});

test.each<[string, () => Source]>([
  ["a PEM file", () => ({ "jwt-public-key": pem })],
  ["a file of JWKS", () => ({ "jwt-jwks": file(jwks) })],
  ["an address of JWKS", () => ({ "jwt-jwks": "https://id.example/keys" })],
  ["an address on this machine", () => ({ "jwt-jwks": "http://[::1]:8080/keys" })],
  ["several", () => ({ "jwt-secret": SECRET, "jwt-public-key": pem, "jwt-jwks": "http://localhost/keys" })],
])("by %s", async (_, flags) => {
  expect(await setUp(flags()).ask(await sign("RS256", rsa.privateKey))).toBe("jwt:alice");
});

test("audience and issuer are looked at if they are set", async () => {
  const { ask } = setUp({ "jwt-secret": SECRET, "jwt-audience": "app", "jwt-issuer": "us" });
  expect(await ask(await bySecret(SECRET, { aud: "app", iss: "us" }))).toBe("jwt:alice");
  expect(await ask(await bySecret(SECRET, { aud: "app" }))).toBe("invalid");
  expect(await ask(await bySecret(SECRET, { iss: "us" }))).toBe("invalid");
});

test.each<[Source, string]>([
  [{ "jwt-public-key": "/nowhere.pem" }, '--jwt-public-key "/nowhere.pem": there is no such file'],
  [{ "jwt-public-key": root }, `--jwt-public-key ${JSON.stringify(root)}: EISDIR`],
  [{ "jwt-public-key": file("hello") }, "holds no public key in PEM"],
  [{ "jwt-jwks": "/nowhere.json" }, '--jwt-jwks "/nowhere.json": there is no such file'],
  [{ "jwt-jwks": file("{}") }, "is no JSON Web Key Set"],
  [{ "jwt-jwks": "http://id.example/keys" }, "expected an https address or a file"],
  [{ "jwt-jwks": "http://localhost.example/keys" }, "expected an https address or a file"],
  [{ "jwt-jwks": "http://notlocalhost/keys" }, "expected an https address or a file"],
  [{ "jwt-jwks": "https:" }, "expected an https address or a file"],
])("%j is refused in one line", (flags, line) => {
  const message = failure(flags);
  expect(message).toMatch(new RegExp(`^--${Object.keys(flags)[0]}[ :]`));
  expect(message).toContain(line);
  expect(message).not.toContain("\n");
});

test("no admin key is made where the start fails", () => {
  const dir = join(root, "untouched");
  expect(() => setUp({ "admin-key": "", "jwt-public-key": "/nowhere" }, dir)).toThrow(ConfigError);
  expect(() => readFileSync(join(dir, "admin.key"))).toThrow("ENOENT");
});

describe("a reload", () => {
  test("replaces the admin key, whose bearers have to go", async () => {
    const { access, ask } = setUp();
    expect(access.reload(configOf())).toEqual([]);
    expect(access.reload(configOf({ "admin-key": "another-key-for-tests" }))).toEqual(["admin"]);
    expect([await ask(ADMIN_KEY), await ask("another-key-for-tests")]).toEqual(["invalid", "admin"]);
  });

  test("reads the admin key's file anew, and makes one where it was deleted", async () => {
    const dir = join(root, "data");
    const { access, ask } = setUp({ "admin-key": "" }, dir);
    const path = join(dir, "admin.key");
    const made = access.newAdminKey?.key ?? "";
    writeFileSync(path, "written-by-the-operator\n");
    expect(access.reload(configOf({ "admin-key": "" }))).toEqual(["admin"]);
    expect([await ask(made), await ask("written-by-the-operator")]).toEqual(["invalid", "admin"]);
    rmSync(path);
    expect(lines).toEqual([]);
    expect(access.reload(configOf({ "admin-key": "" }))).toEqual(["admin"]);
    expect(await ask(readFileSync(path, "utf8").trim())).toBe("admin");
    // Where it is, and not what it is: logs are read by many.
    expect(lines).toEqual([`[2026-11-24 09:30:00] WARN A new admin key was made; it is kept in ${path}`]);
  });

  test("leaves an admin key that is kept nowhere", async () => {
    const { access, ask } = setUp({ "admin-key": "" });
    expect(access.reload(configOf({ "admin-key": "" }))).toEqual([]);
    expect(await ask(access.newAdminKey?.key)).toBe("admin");
  });

  test("replaces what JWTs are checked with, and forgets those that were good", async () => {
    const { access, ask } = setUp({ "jwt-secret": SECRET });
    const token = await bySecret();
    expect(await ask(token)).toBe("jwt:alice");
    access.reload(configOf({ "jwt-secret": SECRET.toUpperCase() }));
    expect([await ask(token), await ask(await bySecret(SECRET.toUpperCase()))]).toEqual([
      "invalid",
      "jwt:alice",
    ]);
  });

  const URL = "https://id.example/keys";

  test.each<[string, Source]>([
    ["nothing", {}],
    ["the admin key", { "admin-key": "another-key-for-tests" }],
    ["a secret", { "jwt-secret": SECRET }],
    ["the audience", { "jwt-audience": "app" }],
  ])("that changes %s while the provider is down locks nobody out", async (_, changed) => {
    const { access, ask } = setUp({ "jwt-jwks": URL });
    const one = await sign("RS256", rsa.privateKey, { aud: "app" });
    expect(await ask(one)).toBe("jwt:alice");
    isDown = true;
    access.reload(configOf({ "jwt-jwks": URL, ...changed }));
    const another = await sign("RS256", rsa.privateKey, { aud: "app", n: 1 });
    expect([await ask(one), await ask(another)]).toEqual(["jwt:alice", "jwt:alice"]);
    // It was asked all the same: a key may have been withdrawn just now.
    expect(fetched).toEqual([URL, URL]);
  });

  test("that changes the audience looks at every token again", async () => {
    const { access, ask } = setUp({ "jwt-jwks": URL });
    const token = await sign("RS256", rsa.privateKey);
    expect(await ask(token)).toBe("jwt:alice");
    access.reload(configOf({ "jwt-jwks": URL, "jwt-audience": "app" }));
    expect(await ask(token)).toBe("invalid");
  });

  test("trusts another address only for what it has said itself", async () => {
    const { access, ask } = setUp({ "jwt-jwks": URL });
    const token = await sign("RS256", rsa.privateKey);
    expect(await ask(token)).toBe("jwt:alice");
    isDown = true;
    access.reload(configOf({ "jwt-jwks": `${URL}/2` }));
    expect(await ask(token)).toBe("unavailable");
  });

  test("reads the files anew, whose names are the same", async () => {
    const path = file(readFileSync(pem, "utf8"));
    const { access, ask } = setUp({ "jwt-public-key": path });
    const token = await sign("RS256", rsa.privateKey);
    expect(await ask(token)).toBe("jwt:alice");
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
    writeFileSync(path, publicKey.export({ type: "spki", format: "pem" }).toString());
    access.reload(configOf({ "jwt-public-key": path }));
    expect(await ask(token)).toBe("invalid");
  });

  test("that names a wrong file changes nothing", async () => {
    const { access, ask } = setUp({ "jwt-secret": SECRET });
    const wrong = { "admin-key": "another-key-for-tests", "jwt-public-key": "/nowhere" };
    expect(() => access.reload(configOf(wrong))).toThrow(ConfigError);
    expect([await ask(ADMIN_KEY), await ask(await bySecret())]).toEqual(["admin", "jwt:alice"]);
  });
});
