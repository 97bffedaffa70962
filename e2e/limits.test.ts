/** Every limit that a user can set, on a real server: who is over it is told so, and comes in again when there is room. */
import { expect, test } from "bun:test";
import type { Authenticated } from "../packages/server/src/hub/access.ts";
import { admin } from "../packages/server/src/hub/testing/defaults.ts";
import { Carillon, Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";
import { openGateway } from "./support/gateway.ts";
import { frameOf, handshake, OPCODE, RawSocket } from "./support/raw-socket.ts";

const KEY = "the-admin-key-of-the-tests-of-limits";
const FULL = "429 too_many_connections 30";

const start = (...flags: readonly string[]) =>
  Server.start(["--push-every", "off", "--admin-key", KEY, ...flags]);

const STREAM = "GET /v1/channels/push/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/** Asks to be connected: the socket, and 101, or 200 for a stream, or the status, code and Retry-After of the refusal. */
async function knock(port: number, { from = "127.0.0.1", as = handshake() } = {}) {
  const socket = await RawSocket.connect(port, from);
  socket.write(as);
  const { status, headers, body } = await socket.answer();
  if (status < 400) return { socket, told: status };
  expect(headers.get("content-type")).toBe("application/problem+json");
  return { socket, told: `${status} ${JSON.parse(body).code} ${headers.get("retry-after")}` };
}

/** Asks so many times, one after the other, and hears what each is told. */
async function told(port: number, times: number, options?: Parameters<typeof knock>[1]) {
  const all: (number | string)[] = [];
  for (let time = 0; time < times; time++) all.push((await knock(port, options)).told);
  return all;
}

const through = (client: string) => handshake({ "X-Forwarded-For": client });

test("connections of one address, streams with them; others come in, and so does the next when one has gone", async () => {
  await using server = await start("--max-connections-per-address", "3");
  const { port } = server;
  const first = await knock(port);
  expect([first.told, ...(await told(port, 1)), ...(await told(port, 1, { as: STREAM }))]).toEqual([
    101, 101, 200,
  ]);
  expect(await told(port, 2)).toEqual([FULL, FULL]);
  expect(await told(port, 1, { as: STREAM })).toEqual([FULL]);
  expect(await told(port, 4, { from: "127.0.0.2" })).toEqual([101, 101, 101, FULL]);
  await first.socket[Symbol.asyncDispose]();
  await server.out.line(/Client disconnected/);
  expect(await told(port, 2)).toEqual([101, FULL]);
});

test("connections in all", async () => {
  await using server = await start("--max-connections", "3");
  const { port } = server;
  expect(await told(port, 2)).toEqual([101, 101]);
  const last = await knock(port, { from: "127.0.0.2", as: STREAM });
  expect(last.told).toBe(200);
  expect(await told(port, 1, { from: "127.0.0.3" })).toEqual([FULL]);
  // What is no connection is answered as ever.
  expect((await fetch(`${server.httpUrl}/healthz`)).status).toBe(200);
  await last.socket[Symbol.asyncDispose]();
  await server.out.line(/Client disconnected/);
  expect(await told(port, 2, { from: "127.0.0.3" })).toEqual([101, FULL]);
});

test("streams", async () => {
  await using server = await start("--max-streams", "2");
  const { port } = server;
  const first = await knock(port, { as: STREAM });
  expect([first.told, ...(await told(port, 2, { as: STREAM }))]).toEqual([
    200,
    200,
    "429 too_many_streams 30",
  ]);
  expect(await told(port, 1)).toEqual([101]);
  await first.socket[Symbol.asyncDispose]();
  await server.out.line(/Client disconnected/);
  expect(await told(port, 2, { as: STREAM })).toEqual([200, "429 too_many_streams 30"]);
  // A HEAD and a stream that is refused take no place.
  const head = STREAM.replace("GET", "HEAD");
  const other = STREAM.replace("push", "news");
  await using lonely = await start("--max-streams", "1");
  expect(await told(lonely.port, 3, { as: head })).toEqual([200, 200, 200]);
  expect(await told(lonely.port, 2, { as: other })).toEqual(Array(2).fill("401 token_required null"));
  expect(await told(lonely.port, 2, { as: STREAM })).toEqual([200, "429 too_many_streams 30"]);
});

test("handshakes a second from one address, whatever comes of them, before a token is looked at", async () => {
  await using server = await start("--max-handshakes-per-second", "2");
  const { port } = server;
  const withToken = handshake({}, "/ws?token=guess");
  const answers = await told(port, 5, { as: withToken });
  expect(answers.slice(0, 2)).toEqual(Array(2).fill("401 invalid_token null"));
  expect(answers.at(-1)).toBe("429 too_many_handshakes 1");
  expect(await told(port, 1, { as: STREAM })).toEqual(["429 too_many_handshakes 1"]);
  expect(await told(port, 2, { from: "127.0.0.2" })).toEqual([101, 101]);
});

test("refused handshakes take no place", async () => {
  await using server = await start("--max-connections", "2");
  expect(await told(server.port, 5, { as: handshake({}, "/ws?token=guess") })).toEqual(
    Array(5).fill("401 invalid_token null"),
  );
  expect(await told(server.port, 3)).toEqual([101, 101, FULL]);
});

test("who leaves while a token is looked at takes no place", async () => {
  const waiting: ((access: Authenticated) => void)[] = [];
  const { promise: bothAsked, resolve: haveAsked } = Promise.withResolvers<void>();
  const authenticate = (token: string | undefined) => {
    if (token === undefined) return admin;
    return new Promise<Authenticated>((resolve) => {
      if (waiting.push(resolve) === 2) haveAsked();
    });
  };
  await using gateway = openGateway({ authenticate });
  const { port } = gateway.gateway;
  gateway.limits.maxConnections = 2;
  {
    await using webSocket = await RawSocket.connect(port);
    webSocket.write(handshake({}, "/ws?token=slow"));
    await using stream = await RawSocket.connect(port);
    stream.write(STREAM.replace("stream", "stream?token=slow"));
    await bothAsked;
  }
  // They are gone, and still looked at.
  expect(await told(port, 2)).toEqual([FULL, FULL]);
  for (const resolve of waiting) resolve(admin);
  expect(await told(port, 3)).toEqual([101, 101, FULL]);
});

test("behind a trusted proxy it is the client's address that counts, in the log too", async () => {
  const flags = ["--max-connections-per-address", "1", "--log", "json"];
  await using server = await start(...flags, "--trusted-proxies", "127.0.0.1, 10.0.0.0/8");
  const { port } = server;
  expect(await told(port, 2, { as: through("203.0.113.9") })).toEqual([101, FULL]);
  expect(await told(port, 2, { as: through("6.6.6.6, 203.0.113.10, 10.0.0.7") })).toEqual([101, FULL]);
  expect(await told(port, 1, { as: through("2001:db8::1") })).toEqual([101]);
  expect(await told(port, 1, { as: through("2001:db8::2:2") })).toEqual([FULL]);
  // Two headers are one list (RFC 9110 section 5.3).
  const twice = through("6.6.6.7").replace("\r\n\r\n", "\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n");
  expect(await told(port, 1, { as: twice })).toEqual([FULL]);
  // From anybody else it is nothing.
  expect(await told(port, 1, { from: "127.0.0.2", as: through("203.0.113.11") })).toEqual([101]);
  expect(await told(port, 1, { from: "127.0.0.2", as: through("203.0.113.12") })).toEqual([FULL]);
  const lines = await server.out.count(/Client connected/, 4);
  const addresses = lines.map((line) => JSON.parse(line).address);
  expect(addresses).toEqual(["203.0.113.9", "203.0.113.10", "2001:db8::1", "127.0.0.2"]);
});

test.each(["10.0.0.0/33", "localhost"])(
  "--trusted-proxies %s ends with one line and exit code 2",
  async (text) => {
    await using carillon = new Carillon(["serve", "--memory", "--port", "0", "--trusted-proxies", text]);
    expect(await carillon.exited).toBe(2);
    await carillon.err.ended;
    expect(carillon.err.all).toEqual([
      `carillon: --trusted-proxies "${text}": expected addresses such as 127.0.0.1 or 10.0.0.0/8, separated by commas`,
    ]);
  },
);

test.each([
  ["frames", ["--max-frames-per-second", "10"], Array(11).fill("x")],
  ["bytes", ["--max-bytes-per-second", "64KB"], ["x".repeat(40_000), "x".repeat(30_000)]],
] as const)("a client that sends too many %s a second is told 1008", async (_, flags, frames) => {
  await using server = await start(...flags);
  await using witness = await Client.connect("ws", server.wsUrl);
  await using socket = await RawSocket.webSocket(server.port);
  for (const frame of frames) socket.write(frameOf(OPCODE.text, frame));
  for (let count = 1; count < frames.length; count++)
    expect((await socket.frame())?.opcode).toBe(OPCODE.text);
  const close = await socket.frame();
  expect(close?.payload.readUInt16BE(0)).toBe(1008);
  expect(close?.payload.subarray(2).toString()).toBe("too many frames or bytes a second");
  await server.out.line(/Client disconnected\. Total connections: 1$/);
  witness.send("x");
  await witness.received("Server received: x");
});

test("the largest frame, and what a client is told of it", async () => {
  await using server = await start("--max-frame", "1KB");
  await using socket = await RawSocket.connect(server.port);
  socket.write(handshake({ "Sec-WebSocket-Protocol": "carillon.v1" }));
  await socket.head();
  socket.write(frameOf(OPCODE.text, `{"type":"connect","id":1,"token":"${KEY}"}`));
  const connected = JSON.parse((await socket.frame())?.payload.toString() ?? "");
  expect(connected).toMatchObject({ type: "connected", maxFrameBytes: 1_024 });
  const padded = (bytes: number) => frameOf(OPCODE.text, '{"type":"ping","id":2}'.padEnd(bytes));
  socket.write(padded(1_024));
  expect((await socket.frame())?.payload.toString()).toBe('{"type":"pong","id":2}');
  socket.write(padded(1_025));
  expect(await socket.closeCode()).toBe(1009);
});

const LARGEST = 64 * 1_024;
const FIRST = '{"messages": [{"channel": "news", "data": "x"}]';

test.each([
  ["with its length", [], LARGEST, 201],
  ["with its length", [], LARGEST + 1, 413],
  ["in chunks", ["-H", "Transfer-Encoding: chunked"], LARGEST, 201],
  ["in chunks", ["-H", "Transfer-Encoding: chunked"], LARGEST + 1, 413],
  // curl asks first whether it may send so much (RFC 9110 section 10.1.1).
  ["announced", ["-H", "Expect: 100-continue"], LARGEST + 1, 413],
] as const)("a body %s %j of %d bytes is answered %d, in a document", async (_, flags, bytes, status) => {
  await using server = await start("--max-body", "64KB");
  const headers = ["-H", `Authorization: Bearer ${KEY}`, "-H", "Content-Type: application/json", ...flags];
  const url = `${server.httpUrl}/v1/batch`;
  const curl = Bun.spawn(
    ["curl", "-sS", "-m", "10", "-w", "\n%{http_code}", ...headers, "--data-binary", "@-", url],
    {
      stdin: new TextEncoder().encode(`${FIRST.padEnd(bytes - 1)}}`),
      stdout: "pipe",
    },
  );
  const [body = "", code] = (await new Response(curl.stdout).text()).split("\n");
  expect(code).toBe(String(status));
  if (status === 413) expect(JSON.parse(body)).toMatchObject({ status, code: "payload_too_large" });
});
