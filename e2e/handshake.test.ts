/** What requests to the server get, asked with curl and with bytes that no client library would send. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Server } from "./support/carillon.ts";
import { handshake, RawSocket } from "./support/raw-socket.ts";

let server: Server;
beforeAll(async () => {
  server = await Server.start(["--push-every", "off", "--allowed-origins", "https://app.example.com"]);
});
afterAll(() => server[Symbol.asyncDispose]());

/** Status, headers in small letters and body, as curl has them. A taken-over connection is left after a second. */
async function curl(path: string, ...args: string[]) {
  const child = Bun.spawn(["curl", "-si", "-m", "1", ...args, server.httpUrl + path]);
  const text = await new Response(child.stdout).text();
  const [head = "", body = ""] = text.split("\r\n\r\n");
  const [status = "", ...headers] = head.split("\r\n");
  return { status: Number(status.split(" ")[1]), headers: headers.join("\n").toLowerCase(), body };
}

const UPGRADE = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const asFlags = (headers: readonly string[]) => headers.flatMap((header) => ["-H", header]);

test("a handshake is accepted as RFC 6455 says, and no sub-protocol is made up", async () => {
  const { status, headers } = await curl("/ws", ...asFlags([...UPGRADE, KEY]));
  expect(status).toBe(101);
  // The example of RFC 6455 section 1.3.
  expect(headers).toContain("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=");
  expect(headers).not.toContain("sec-websocket-protocol");
  expect(headers).not.toContain("sec-websocket-extensions");
});

test.each([
  ["a plain GET", "/ws", [], 426, "upgrade_required"],
  ["another version", "/ws", [...UPGRADE.slice(0, 2), "Sec-WebSocket-Version: 8", KEY], 426, undefined],
  ["no key", "/ws", UPGRADE, 400, "invalid_handshake"],
  ["a key that is none", "/ws", [...UPGRADE, "Sec-WebSocket-Key: short"], 400, "invalid_handshake"],
  ["a foreign origin", "/ws", [...UPGRADE, KEY, "Origin: https://evil.example"], 403, "origin_not_allowed"],
  ["a sandboxed page", "/ws", [...UPGRADE, KEY, "Origin: null"], 403, "origin_not_allowed"],
  ["an allowed origin", "/ws", [...UPGRADE, KEY, "Origin: https://app.example.com"], 101, undefined],
  ["a sub-protocol", "/ws", [...UPGRADE, KEY, "Sec-WebSocket-Protocol: mqtt"], 400, "unknown_subprotocol"],
  ["another channel", "/ws?channel=news", [...UPGRADE, KEY], 401, "token_required"],
  ["a name that is none", "/ws?channel=a%20b", [...UPGRADE, KEY], 400, "invalid_channel"],
  ["the default channel by name", "/ws?channel=push", [...UPGRADE, KEY], 101, undefined],
  ["a token", "/ws?token=guess", [...UPGRADE, KEY], 401, "invalid_token"],
  ["a wrong path", "/wss", [...UPGRADE, KEY], 404, "not_found"],
  ["a path below", "/ws/x", [...UPGRADE, KEY], 404, "not_found"],
] as const)("%s", async (_, path, headers, status, code) => {
  const answer = await curl(path, ...asFlags(headers));
  expect(answer.status).toBe(status);
  if (code === undefined) return;
  expect(answer.headers).toContain("content-type: application/problem+json");
  expect(JSON.parse(answer.body)).toMatchObject({ status, code });
});

test("a plain GET is told what to upgrade to; a POST is none", async () => {
  expect((await curl("/ws")).headers).toContain("upgrade: websocket");
  expect((await curl("/ws", "-X", "POST", ...asFlags([...UPGRADE, KEY]))).status).toBe(405);
});

test("the page: its policy, its cache, its methods", async () => {
  const page = await curl("/");
  expect(page.status).toBe(200);
  expect(page.headers).toContain("content-security-policy: default-src 'none'");
  const etag = /etag: (\S+)/.exec(page.headers)?.[1] ?? "";
  expect((await curl("/", "-H", `If-None-Match: ${etag}`)).status).toBe(304);
  const script = /src="([^"]+\.js)"/.exec(page.body)?.[1] ?? "";
  expect((await curl(script)).headers).toContain("immutable");
  expect((await curl("/", "-X", "POST")).status).toBe(405);
  expect((await curl("/", "-I")).status).toBe(200);
  expect((await curl("/..%2f..%2fpackage.json", "--path-as-is")).status).toBe(404);
  expect((await curl("/index.html")).status).toBe(404);
});

test("huge headers are refused", async () => {
  await using socket = await RawSocket.connect(server.port);
  socket.write(handshake({ "X-Huge": "x".repeat(20_000) }));
  expect(await socket.head()).toStartWith("HTTP/1.1 431");
});

test("what is no HTTP is refused", async () => {
  await using socket = await RawSocket.connect(server.port);
  socket.write("\u0016\u0003\u0001 not HTTP\r\n\r\n");
  expect(await socket.head()).toStartWith("HTTP/1.1 400");
});

test("a handshake that stops half-way is cut off, and others are served meanwhile", async () => {
  await using slow = await RawSocket.connect(server.port);
  slow.write(handshake().slice(0, 40));
  await using silent = await RawSocket.connect(server.port);
  await using quick = await RawSocket.webSocket(server.port);
  expect(quick).toBeDefined();
  await Promise.all([slow.ended(), silent.ended()]);
});
