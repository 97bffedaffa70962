/** Tokens against a real server: JWTs that end and are replaced, keys that are made, kept and revoked, keys that change. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon as Sdk } from "@carillon/client";
import { exportJWK, SignJWT } from "jose";
import { Carillon, Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";

const SECRET = "a-secret-for-these-tests-of-32-letters";
const ADMIN_KEY = "a-key-for-these-tests";
const rsa = generateKeyPairSync("rsa", { modulusLength: 2_048 });

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-token-"));
});
afterAll(() => rm(dir, { recursive: true }));

const start = (...args: string[]) => Server.start(["--admin-key", ADMIN_KEY, "--push-every", "off", ...args]);

interface Wanted {
  readonly livesS?: number;
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
  readonly key?: KeyObject;
}

/** A JWT of another library, as an app's own login service would make it. */
function jwt({ livesS = 60, key, ...grants }: Wanted = {}): Promise<string> {
  return new SignJWT({ carillon: { subscribe: ["news"], ...grants } })
    .setProtectedHeader({ alg: key === undefined ? "HS256" : "RS256" })
    .setSubject("alice")
    .setExpirationTime(Math.ceil(performance.timeOrigin / 1_000 + performance.now() / 1_000) + livesS)
    .sign(key ?? new TextEncoder().encode(SECRET));
}

async function call(server: Server, token: string, method: string, path: string, body?: object) {
  const headers = {
    authorization: `Bearer ${token}`,
    ...(body !== undefined && { "content-type": "application/json" }),
  };
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(server.httpUrl + path, { method, headers, ...sent });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

const publish = (server: Server, token: string, channel: string) =>
  call(server, token, "POST", `/v1/channels/${channel}/messages`, { data: "x" });

const clientUrl = (server: Server, token: string) => `${server.wsUrl}?channel=news&token=${token}`;

describe("a JWT that ends", () => {
  test("is replaced by the SDK time and again: the connection stays, and nothing is missed", async () => {
    await using server = await start("--jwt-secret", SECRET);
    let asked = 0;
    const enough = Promise.withResolvers<void>();
    const client = new Sdk(server.httpUrl, {
      token: () => {
        asked += 1;
        if (asked === 6) enough.resolve();
        return jwt({ livesS: 3 });
      },
    });
    const statuses: string[] = [];
    const errors: string[] = [];
    const got: unknown[] = [];
    const caughtUp = Promise.withResolvers<void>();
    client.on("state", ({ status }) => statuses.push(status));
    client.on("error", ({ message }) => errors.push(message));
    client.channel("news").on("publication", ({ data }) => {
      got.push(data);
      if (data === "last") caughtUp.resolve();
    });
    const startMs = performance.now();
    // Five tokens of three seconds each, which has to take longer than any one of them lives.
    await enough.promise;
    expect(performance.now() - startMs).toBeGreaterThan(8_000);
    await call(server, ADMIN_KEY, "POST", "/v1/channels/news/messages", { data: "last" });
    await caughtUp.promise;
    expect([statuses, errors, got]).toEqual([["connecting", "open"], [], ["last"]]);
    expect(server.out.all.filter((line) => line.includes("Client connected"))).toHaveLength(1);
    client.close();
  });

  test("that is a text ends the SDK's connection with 4002, and it does not come back", async () => {
    await using server = await start("--jwt-secret", SECRET);
    const client = new Sdk(server.httpUrl, { token: await jwt({ livesS: 1 }) });
    const closed = Promise.withResolvers<number | undefined>();
    client.on("state", (state) => state.status === "closed" && closed.resolve(state.code));
    client.connect();
    expect(await closed.promise).toBe(4002);
    // Nor is it let in again.
    const again = Promise.withResolvers<string>();
    client.on("error", ({ code }) => again.resolve(code));
    client.connect();
    expect(await again.promise).toBe("token_expired");
  });

  test("closes a plain client with 4002; over HTTP it is token_expired", async () => {
    await using server = await start("--jwt-secret", SECRET);
    const token = await jwt({ livesS: 1, publish: ["news"] });
    await using client = await Client.connect("ws", clientUrl(server, token));
    expect((await publish(server, token, "news")).status).toBe(201);
    expect(await client.closed()).toMatchObject({ code: 4002, reason: "the token has expired" });
    expect(client.pushes).toEqual(["x"]);
    expect(await publish(server, token, "news")).toMatchObject({
      status: 401,
      body: { code: "token_expired" },
    });
  });
});

test("a JWT does what it grants and nothing else", async () => {
  await using server = await start("--jwt-secret", SECRET);
  const token = await jwt({ publish: ["news"] });
  expect((await publish(server, token, "news")).status).toBe(201);
  expect((await publish(server, token, "push")).status).toBe(403);
  expect((await call(server, token, "GET", "/v1/tokens")).status).toBe(403);
  const forged = `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`;
  expect((await publish(server, forged, "news")).status).toBe(401);
});

test("the keys of a provider are read from its address, also when it comes up late", async () => {
  const token = await jwt({ publish: ["news"], key: rsa.privateKey });
  const jwks = Response.json({ keys: [await exportJWK(rsa.publicKey)] });
  let isUp = false;
  const provider = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => (isUp ? jwks.clone() : new Response("starting", { status: 503 })),
  });
  await using server = await start("--jwt-jwks", `http://127.0.0.1:${provider.port}/jwks.json`);
  expect(await server.out.line(/cannot be read/)).toContain(
    `http://127.0.0.1:${provider.port}/jwks.json cannot be read: answered 503; JWTs cannot be looked at until they can`,
  );
  expect((await publish(server, token, "news")).status).toBe(503);
  isUp = true;
  let status = 503;
  while (status === 503) status = (await publish(server, token, "news")).status;
  expect(status).toBe(201);
  await provider.stop(true);
  // It is not needed for every token.
  expect((await publish(server, await jwt({ publish: ["news"], key: rsa.privateKey }), "news")).status).toBe(
    201,
  );
});

test("a key that was made outlives the server; revoked, it cuts off who is connected, at once and for good", async () => {
  const data = join(dir, "keys");
  let token: string;
  let id: string;
  {
    await using server = await start("--data", data);
    const grants = { subscribe: ["news"], publish: ["news"] };
    const made = await call(server, ADMIN_KEY, "POST", "/v1/tokens", { name: "e2e", ...grants });
    expect(made.status).toBe(201);
    ({ token, id } = made.body);
    expect((await publish(server, token, "news")).status).toBe(201);
  }
  {
    await using server = await start("--data", data);
    const { tokens } = (await call(server, ADMIN_KEY, "GET", "/v1/tokens")).body;
    expect(tokens).toEqual([expect.objectContaining({ id, name: "e2e", lastUsedAt: expect.any(String) })]);
    await using client = await Client.connect("ws", clientUrl(server, token));
    expect((await publish(server, token, "push")).status).toBe(403);
    expect((await call(server, ADMIN_KEY, "DELETE", `/v1/tokens/${id}`)).status).toBe(204);
    expect((await client.closed()).code).toBe(4500);
    expect((await publish(server, token, "news")).status).toBe(401);
  }
  await using server = await start("--data", data);
  expect((await publish(server, token, "news")).status).toBe(401);
  const bytes = Buffer.from(await Bun.file(join(data, "carillon.db")).arrayBuffer());
  expect(bytes.includes(token.slice(-32))).toBe(false);
});

test("SIGHUP takes another admin key and another secret; who came by the old key is cut off, others stay", async () => {
  const data = join(dir, "reload");
  const config = join(dir, "reload.toml");
  await Bun.write(config, `jwt-secret = "${SECRET}"\n`);
  await using server = await Server.start(["--data", data, "--push-every", "off", "--config", config]);
  const keyFile = join(data, "admin.key");
  const old = (await Bun.file(keyFile).text()).trim();
  await using admin = await Client.connect("ws", clientUrl(server, old));
  await using user = await Client.connect("ws", clientUrl(server, await jwt()));
  await Bun.write(keyFile, "written-by-the-operator\n");
  await Bun.write(config, `jwt-secret = "${SECRET.toUpperCase()}"\n`);
  process.kill(await server.serverPid(), "SIGHUP");
  expect((await admin.closed()).code).toBe(4500);
  await server.out.line(/Reloaded/);
  expect((await publish(server, old, "news")).status).toBe(401);
  expect((await publish(server, await jwt({ publish: ["news"] }), "news")).status).toBe(401);
  expect((await publish(server, "written-by-the-operator", "news")).status).toBe(201);
  await user.received("x");
  // What is wrong is told, and nothing changes.
  await Bun.write(config, 'jwt-public-key = "/nowhere.pem"\n');
  process.kill(await server.serverPid(), "SIGHUP");
  expect(await server.out.line(/Not reloaded/)).toContain(
    '--jwt-public-key "/nowhere.pem": there is no such file',
  );
  expect((await publish(server, "written-by-the-operator", "news")).status).toBe(201);
});

test.each([
  ["--jwt-public-key", "/nowhere.pem", '--jwt-public-key "/nowhere.pem": there is no such file'],
  ["--jwt-jwks", "http://id.example/jwks", "--jwt-jwks: expected an https address or a file"],
  ["--jwt-secret", "short", "--jwt-secret: expected a secret of at least 32 characters"],
])("%s %s: one line that names it, exit code 2", async (flag, value, line) => {
  await using carillon = new Carillon(["serve", "--memory", "--port", "0", flag, value]);
  expect(await carillon.exited).toBe(2);
  await Promise.all([carillon.out.ended, carillon.err.ended]);
  expect(carillon.out.all).toEqual([]);
  expect(carillon.err.all).toEqual([`carillon: ${line}`]);
});

test("no cache between keeps an answer that a token in the address was good for; such a token only reads", async () => {
  await using server = await start("--data", join(dir, "uncached"));
  const key = `token=${ADMIN_KEY}`;
  const origin = { origin: "https://evil.example" };
  const asked: [string, RequestInit, number][] = [
    [`/v1/channels?${key}`, {}, 200],
    [`/v1/channels?${key}`, { method: "HEAD" }, 200],
    [`/v1/channels?${key}`, { headers: origin }, 403],
    [`/v1/nothing?${key}`, {}, 404],
    [`/v1/backup?${key}`, {}, 200],
    [`/v1/channels/news/stream?${key}&since=x`, {}, 400],
    [`/v1/channels/news/messages?${key}`, { method: "POST", body: "x" }, 401],
    ["/v1/batch", { method: "POST", body: "x".repeat(9_000_000) }, 413],
  ];
  for (const [path, init, status] of asked) {
    const response = await fetch(server.httpUrl + path, init);
    expect([path, response.status, response.headers.get("cache-control")]).toEqual([
      path,
      status,
      "no-store",
    ]);
    await response.arrayBuffer();
  }
});
