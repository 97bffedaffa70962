/** What a server writes when everything is tried on it: who and where, and never a secret. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT } from "jose";
import { Server } from "./support/carillon.ts";
import { handshake, RawSocket } from "./support/raw-socket.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-log-"));
});
afterAll(() => rm(dir, { recursive: true }));

const ADMIN_KEY = "ADMINKEY-of-the-tests-of-the-log";
const JWT_SECRET = "JWTSECRET-of-the-tests-of-the-log-with-its-32-letters";
const WEBHOOK_SECRET = "WEBHOOKSECRET-of-the-tests-of-the-log";
const WEBHOOK_URL = "http://ann:HOOKPASSWORD@127.0.0.1:1/HOOKPATH?key=HOOKQUERY";
const JWKS_URL = "http://bob:JWKSPASSWORD@127.0.0.1:1/keys?key=JWKSQUERY";
/** Words that no line may hold, however they are written around. */
const WORDS =
  /ADMINKEY|JWTSECRET|WEBHOOKSECRET|HOOK(PASSWORD|PATH|QUERY)|JWKS(PASSWORD|QUERY)|RELOADSECRET|GUESS/;

async function sign(secret: string, expiresInS: number, carillon: object = { subscribe: ["*"] }) {
  const claims = { sub: "alice", exp: Math.floor(Date.now() / 1_000) + expiresInS, carillon };
  return await new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(Buffer.from(secret));
}

/** Presents `token` in every place in which somebody might, to whatever takes one. */
async function present(server: Server, token: string): Promise<void> {
  const query = `token=${encodeURIComponent(token)}`;
  const authorization = `Bearer ${token}`;
  const urls = ["v1/sessions", "v1/channels/push/messages?since=x", "metrics", "nowhere", `nowhere/${token}`];
  for (const path of [...urls, "v1/channels/$x/stream", "v1/nothing", "v1/channels/push"]) {
    const url = `${server.httpUrl}/${path}`;
    const init = { headers: { cookie: `token=${token}`, referer: `https://app.example/?${query}` } };
    for (const response of await Promise.all([
      fetch(url, { headers: { ...init.headers, authorization } }),
      fetch(url, { headers: { ...init.headers, authorization: `Basic ${btoa(`ann:${token}`)}` } }),
      fetch(`${url}${url.includes("?") ? "&" : "?"}${query}`, init),
      fetch(`${url}?${query}`, { method: "POST", body: `{"data": "${token}`, headers: { authorization } }),
    ])) {
      await response.text();
    }
  }
  const stream = await fetch(`${server.httpUrl}/v1/channels/push/stream?${query}`);
  await stream.body?.cancel();
  for (const path of ["ws?channel=push&", "ws?channel=secret&", "ws?since=x&", "ws?device=%00&"]) {
    await visit(server, `${path}${query}`, [token, "unsubscribe"]);
  }
  const protocol = { "Sec-WebSocket-Protocol": "carillon.v1" };
  await visit(server, "ws", [], { "Sec-WebSocket-Protocol": `${token}, bearer` });
  await visit(server, `ws?${query}`, [], { ...protocol, Authorization: authorization });
  const commands = [
    { type: "connect", id: 1, token },
    { type: "refresh", id: 2, token },
    { type: "subscribe", id: 3, channel: "secret" },
    { type: "publish", id: 4, channel: "push", data: "x" },
  ];
  await visit(
    server,
    "ws",
    [...commands.map((each) => JSON.stringify(each)), `{"token":"${token}`],
    protocol,
  );
  await visit(server, "ws", [`{"type":"connect","id":1,"token":"${token}"`], protocol);
}

/** Connects, says `frames` and goes, whatever becomes of it. */
function visit(server: Server, path: string, frames: readonly string[], headers?: Record<string, string>) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { "Sec-WebSocket-Protocol": offered, ...rest } = headers ?? {};
  const protocols = offered === undefined ? {} : { protocols: offered.split(", ") };
  // The DOM's types, which the tests are compiled with, know nothing of headers.
  const options = { ...protocols, headers: rest } as unknown as string[];
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/${path}`, options);
  socket.onopen = () => {
    for (const frame of frames) socket.send(frame);
    socket.close(1000);
  };
  socket.onclose = () => resolve();
  socket.onerror = () => resolve();
  return promise;
}

async function makeToken(server: Server): Promise<string> {
  const response = await fetch(`${server.httpUrl}/v1/tokens`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "a program", subscribe: ["push"] }),
  });
  return ((await response.json()) as { token: string }).token;
}

test.each(["json", "pretty"])("--log %s: no secret, whatever is tried", async (format) => {
  const config = join(dir, `${format}.json`);
  const write = (settings: object) => Bun.write(config, JSON.stringify({ "push-every": "1s", ...settings }));
  await write({ "jwt-secret": JWT_SECRET, "webhook-secret": WEBHOOK_SECRET });
  const secretFlags = ["--admin-key", ADMIN_KEY, "--webhook-url", WEBHOOK_URL, "--jwt-jwks", JWKS_URL];
  await using server = await Server.start([
    ...["--log", format, "--log-level", "debug", "--config", config, "--metrics", "key", ...secretFlags],
  ]);
  const made = await makeToken(server);
  const tokens = [
    ...[ADMIN_KEY, made, `${made.slice(0, -1)}x`, "GUESS-of-a-key", JWT_SECRET],
    await sign(JWT_SECRET, 3_600),
    await sign(JWT_SECRET, -3_600),
    await sign(JWT_SECRET, 3_600, { subscribe: ["GUESS"], nonsense: true }),
    await sign("GUESS-of-the-secret-with-its-32-letters", 3_600),
  ];
  for (const token of tokens) await present(server, token);
  await using raw = await RawSocket.connect(server.port);
  raw.write(handshake({ "Sec-WebSocket-Key": ADMIN_KEY }, `/ws?token=${ADMIN_KEY}`));
  await raw.head();

  await server.out.line(/Schedule run published|Webhooks to/);
  await write({ "jwt-secret": "RELOADSECRET" });
  process.kill(await server.serverPid(), "SIGHUP");
  await server.out.line(/Not reloaded/);
  server.kill();
  expect(await server.exited).toBe(0);
  await Promise.all([server.out.ended, server.err.ended]);

  const all = [...server.out.all, ...server.err.all].join("\n");
  // What was to be provoked has been, so that it is known what was looked through.
  for (const line of [
    /Client connected/,
    /unsubscribe: /,
    /Client disconnected/,
    /Handshake refused: invalid_token/,
    /Handshake refused: token_expired/,
    /Handshake refused: unknown_subprotocol/,
    /Stream refused/,
    /A JWT was refused/,
    /Webhooks to http:\/\/127\.0\.0\.1:1: ECONNREFUSED/,
    /The keys at http:\/\/127\.0\.0\.1:1\/keys cannot be read/,
    /Not reloaded: config key jwt-secret: expected/,
    /events dropped, as the server stops/,
  ]) {
    expect(all).toMatch(line);
  }
  expect(all).not.toMatch(WORDS);
  const bare = tokens.flatMap((token) => [token, ...token.split(".").slice(1), btoa(`ann:${token}`)]);
  // The end of a made token, since its beginning may be what it is called by.
  for (const secret of [...bare, made.slice(-16)]) {
    expect(all.includes(secret), secret).toBe(false);
    expect(all.includes(encodeURIComponent(secret)), secret).toBe(false);
  }
});

test("--log json: each line says when, how grave, what, and about a client who and where from", async () => {
  await using server = await Server.start([
    ...["--log", "json", "--log-level", "debug", "--push-every", "1s", "--admin-key", ADMIN_KEY],
  ]);
  await visit(server, "ws", ["subscribe"]);
  await visit(server, "ws?token=guess", []);
  await (await fetch(`${server.httpUrl}/v1/channels/secret/stream`)).text();
  await server.out.line(/Stream refused/);
  const [announcement, ...logged] = server.out.all.map((line) => JSON.parse(line));
  const about = (pattern: RegExp) => logged.filter(({ message }) => pattern.test(message));
  const clients = about(/^Client|^subscribe|^unsubscribe/);
  const refused = about(/refused/);
  expect(clients).toHaveLength(3);
  expect(refused).toHaveLength(2);
  expect(announcement).toEqual({ level: "info", message: expect.any(String), port: server.port });
  for (const line of logged) {
    expect(line).toMatchObject({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      level: expect.stringMatching(/^(debug|info|warn|error)$/),
      message: expect.any(String),
    });
  }
  for (const line of clients) {
    expect(line).toMatchObject({ session: expect.any(String), address: "127.0.0.1" });
  }
  for (const line of refused) {
    expect(line).toMatchObject({ address: "127.0.0.1", status: 401, code: expect.any(String) });
  }
});
