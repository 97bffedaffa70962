/** Streams of Server-Sent Events, read with curl. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { EventSourceParser } from "../packages/server/src/hub/testing/event-source.ts";
import { Server } from "./support/carillon.ts";
import { Lines } from "./support/lines.ts";

const KEY = "the-admin-key-of-the-tests-of-streams";
const AUTHORIZATION = `Authorization: Bearer ${KEY}`;

const dir = mkdtempSync(join(tmpdir(), "carillon-sse-"));
let server: Server;
beforeAll(async () => {
  server = await start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

const start = (...args: string[]) =>
  Server.start([
    ...["--push-every", "off", "--admin-key", KEY],
    ...["--allowed-origins", "https://app.example.com"],
    ...args,
  ]);

/** A stream as `curl -N` shows it. */
class Curl implements AsyncDisposable {
  readonly process: Subprocess<"ignore", "pipe", "inherit">;
  readonly lines: Lines;

  constructor(url: string, headers: readonly string[] = []) {
    const args = headers.flatMap((header) => ["-H", header]);
    this.process = Bun.spawn(["curl", "-siN", ...args, url], { stdout: "pipe", stderr: "inherit" });
    this.lines = new Lines(this.process.stdout);
  }

  /** Reads a channel's stream and waits until it has begun. */
  static async open(channel: string, headers: readonly string[] = [], from = server): Promise<Curl> {
    const curl = new Curl(`${from.httpUrl}/v1/channels/${channel}/stream`, headers);
    await curl.lines.line(/^id: /);
    return curl;
  }

  /** The headers, in small letters. */
  get head(): readonly string[] {
    const { all } = this.lines;
    return all.slice(0, all.indexOf("\r")).map((line) => line.trimEnd().toLowerCase());
  }

  get events(): EventSourceParser {
    const { all } = this.lines;
    return new EventSourceParser().take(`${all.slice(all.indexOf("\r") + 1).join("\n")}\n`);
  }

  /** Resolves when this many events are there. */
  received(count: number): Promise<unknown> {
    return this.lines.until(() => this.events.events.length >= count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill();
    await this.process.exited;
  }
}

interface Published {
  readonly epoch: string;
  readonly offset: number;
}

async function publish(channel: string, body: object | string, to = server): Promise<Published> {
  const isText = typeof body === "string";
  const response = await fetch(`${to.httpUrl}/v1/channels/${channel}/messages`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, ...(!isText && { "content-type": "application/json" }) },
    body: isText ? body : JSON.stringify(body),
  });
  return (await response.json()) as Published;
}

async function ask(path: string, headers: Record<string, string> = {}, method = "GET") {
  const response = await fetch(server.httpUrl + path, { method, headers });
  const text = await response.text();
  return { status: response.status, headers: response.headers, code: text && JSON.parse(text).code };
}

test("pushes arrive as they are published, as text or JSON, on lines of their own", async () => {
  await using curl = await Curl.open("push");
  const { epoch, offset } = await publish("push", "Backup done");
  await publish("push", { data: { done: true } });
  await publish("push", "two\r\nlines");
  await publish("push", { data: "fleeting", ttl: 0 });
  await curl.received(4);
  expect(curl.lines.all.slice(curl.lines.all.indexOf("\r"))).toEqual([
    "\r",
    "retry: 2000",
    "",
    `id: ${epoch}:${offset - 1}`,
    "",
    `id: ${epoch}:${offset}`,
    "data: Backup done",
    "",
    `id: ${epoch}:${offset + 1}`,
    'data: {"done":true}',
    "",
    `id: ${epoch}:${offset + 2}`,
    "data: two",
    "data: lines",
    "",
    "data: fleeting",
    "",
  ]);
});

test("the head is there at once, and keeps proxies from holding events back", async () => {
  await using curl = await Curl.open("push");
  expect(curl.head[0]).toBe("http/1.1 200 ok");
  expect(curl.head).toContain("content-type: text/event-stream; charset=utf-8");
  expect(curl.head).toContain("cache-control: no-cache, no-transform");
  expect(curl.head).toContain("x-accel-buffering: no");
  expect(curl.head.some((line) => line.startsWith("content-length"))).toBe(false);
});

test("the last event's id resumes, and wins over the address", async () => {
  const { epoch, offset } = await publish("resumed", "1");
  await publish("resumed", "2");
  await publish("resumed", "3");
  await using all = await Curl.open("resumed", [AUTHORIZATION]);
  expect(all.events.events).toEqual([]);
  await using some = await Curl.open(`resumed`, [AUTHORIZATION, `Last-Event-ID: ${epoch}:${offset + 1}`]);
  await some.received(1);
  expect(some.events.data()).toEqual(["3"]);
  const response = await fetch(`${server.httpUrl}/v1/channels/resumed/stream?since=0&token=${KEY}`, {
    headers: { "last-event-id": `${epoch}:${offset}` },
  });
  const reader = response.body?.getReader();
  const parser = new EventSourceParser();
  while (parser.events.length < 2) parser.take(new TextDecoder().decode((await reader?.read())?.value));
  expect(parser.data()).toEqual(["2", "3"]);
  await reader?.cancel();
});

test.each(["rooms/a/b", "rooms%2Fa%2Fb"])("a channel with slashes may be written %s", async (name) => {
  await using curl = await Curl.open(name, [AUTHORIZATION]);
  await publish("rooms/a/b", name);
  await curl.received(1);
  expect(curl.events.data()).toEqual([name]);
});

test("a reader that goes away is noticed at once", async () => {
  await using lonely = await start();
  await using curl = await Curl.open("push", [], lonely);
  await lonely.out.line(/Client connected\. Total connections: 1$/);
  curl.process.kill("SIGKILL");
  await lonely.out.line(/Client disconnected\. Total connections: 0$/);
});

test.each<[string, Record<string, string>, number, string]>([
  ["/v1/channels/news/stream", {}, 401, "token_required"],
  ["/v1/channels/push/stream?token=wrong", {}, 401, "invalid_token"],
  [`/v1/channels/$all/stream?token=${KEY}`, {}, 400, "invalid_channel"],
  ["/v1/channels/push/stream?since=x", {}, 400, "invalid_since"],
  ["/v1/channels/push/stream", { "last-event-id": "x y" }, 400, "invalid_since"],
  ["/v1/channels/push/stream", { origin: "https://evil.example" }, 403, "origin_not_allowed"],
])("%s with %j is refused with %d %s", async (path, headers, status, code) => {
  expect(await ask(path, headers)).toMatchObject({ status, code });
});

test("HEAD has the head of a stream and opens none; other methods are 405", async () => {
  const before = server.out.all.length;
  const { status, headers } = await ask("/v1/channels/push/stream", {}, "HEAD");
  expect([status, headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
  const refused = await ask("/v1/channels/push/stream", {}, "POST");
  expect([refused.status, refused.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  await using _ = await Curl.open("push");
  const opened = server.out.all.slice(before).filter((line) => line.includes("Client connected"));
  expect(opened).toHaveLength(1);
});

test("a page of an allowed origin may read", async () => {
  await using curl = await Curl.open("push", ["Origin: https://app.example.com"]);
  expect(curl.head).toContain("access-control-allow-origin: https://app.example.com");
  expect(curl.head).toContain("vary: origin");
});

test("an operator's end comes with its reason", async () => {
  await using curl = await Curl.open("ended", [AUTHORIZATION]);
  const headers = { authorization: `Bearer ${KEY}` };
  const { sessions } = (await (await fetch(`${server.httpUrl}/v1/sessions`, { headers })).json()) as {
    sessions: { id: string; protocol: string; channels: string[] }[];
  };
  const session = sessions.find(({ channels }) => channels.includes("ended"));
  expect(session?.protocol).toBe("sse");
  await fetch(`${server.httpUrl}/v1/sessions/${session?.id}`, { method: "DELETE", headers });
  // 0: the answer ended as HTTP says, and was not cut.
  expect(await curl.process.exited).toBe(0);
  await curl.lines.ended;
  expect(curl.events.data("close")).toEqual([
    '{"code":4501,"reason":"an operator has ended the connection"}',
  ]);
});

test("a server that stops ends its streams with 1012, and does not wait for them", async () => {
  await using stopped = await start("--data", dir);
  await using curl = await Curl.open("push", [], stopped);
  await publish("push", "last", stopped);
  await curl.received(1);
  const startedMs = performance.now();
  stopped.kill();
  expect(await stopped.exited).toBe(0);
  // After 5 s it would have cut whoever is still there.
  expect(performance.now() - startedMs).toBeLessThan(4_000);
  expect(await curl.process.exited).toBe(0);
  await curl.lines.ended;
  expect(curl.events.data("close")).toEqual(['{"code":1012,"reason":"server restarts"}']);
});

test("a quiet stream outlives Bun's own timeout of 10 s, by a comment every 20 s", async () => {
  await using quiet = await start();
  await using curl = await Curl.open("push", [], quiet);
  // The first stream of a server has its first turn after a second.
  await curl.lines.until(() => curl.events.comments >= 1);
  const startedMs = performance.now();
  await curl.lines.until(() => curl.events.comments >= 2);
  expect(performance.now() - startedMs).toBeGreaterThan(19_000);
  await publish("push", "still here", quiet);
  await curl.received(1);
  expect(curl.events.data()).toEqual(["still here"]);
});
