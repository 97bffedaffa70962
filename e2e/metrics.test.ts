/** `/metrics` of a real server: who may read it, and whether it says what has happened. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { parseExposition, sampleOf } from "../packages/server/src/lib/testing/exposition.ts";
import { root, Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";

const KEY = "the-admin-key-of-the-tests-of-metrics";

const start = (...args: string[]) => Server.start(["--push-every", "off", "--admin-key", KEY, ...args]);
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

async function read(server: Server) {
  const response = await fetch(`${server.httpUrl}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("no-store");
  return parseExposition(await response.text());
}

function publish(server: Server, body: string, channel = "push") {
  const url = `${server.httpUrl}/v1/channels/${channel}/messages`;
  return fetch(url, { method: "POST", body, ...bearer(KEY) });
}

test("after N publications to M clients it says just that", async () => {
  await using server = await start();
  await using one = await Client.connect("ws", server.wsUrl);
  await using two = await Client.connect("python", `${server.wsUrl}?channel=push&channel=news&token=${KEY}`);
  const received = Promise.all([one.next(5), two.next(8)]);
  for (let sent = 0; sent < 5; sent++) expect((await publish(server, `push ${sent}`)).status).toBe(201);
  for (let sent = 0; sent < 3; sent++) await publish(server, `news ${sent}`, "news");
  await publish(server, "nobody is there", "quiet");
  await received;
  expect((await publish(server, "x", "not a channel")).status).toBe(400);
  expect((await fetch(`${server.httpUrl}/v1/sessions`)).status).toBe(401);
  expect((await fetch(`${server.httpUrl}/ws`)).status).toBe(426);

  const during = await read(server);
  const figures = (...samples: string[]) =>
    Object.fromEntries(samples.map((sample) => [sample, sampleOf(during, sample)]));
  expect(
    figures(
      "carillon_publications_total",
      "carillon_deliveries_total",
      "carillon_delivery_seconds_count",
      "carillon_engine_commit_seconds_count",
      "carillon_engine_commit_items_sum",
      'carillon_connections{protocol="text"}',
      'carillon_connections{protocol="v1"}',
      'carillon_connections{protocol="sse"}',
      'carillon_connections_opened_total{protocol="text"}',
      "carillon_subscriptions",
      "carillon_channels_watched",
      'carillon_http_requests_total{status="201"}',
      'carillon_http_requests_total{status="400"}',
      'carillon_http_requests_total{status="401"}',
      'carillon_refused_total{code="upgrade_required"}',
      "carillon_slow_consumers_total",
    ),
  ).toEqual({
    carillon_publications_total: 9,
    carillon_deliveries_total: 13,
    carillon_delivery_seconds_count: 9,
    carillon_engine_commit_seconds_count: 9,
    carillon_engine_commit_items_sum: 9,
    'carillon_connections{protocol="text"}': 2,
    'carillon_connections{protocol="v1"}': 0,
    'carillon_connections{protocol="sse"}': 0,
    'carillon_connections_opened_total{protocol="text"}': 2,
    carillon_subscriptions: 3,
    carillon_channels_watched: 2,
    'carillon_http_requests_total{status="201"}': 9,
    'carillon_http_requests_total{status="400"}': 1,
    'carillon_http_requests_total{status="401"}': 1,
    'carillon_refused_total{code="upgrade_required"}': 1,
    carillon_slow_consumers_total: 0,
  });

  one.close();
  await server.out.line(/disconnected\. Total connections: 1/);
  const after = await read(server);
  expect(sampleOf(after, 'carillon_connections{protocol="text"}')).toBe(1);
  expect(sampleOf(after, "carillon_subscriptions")).toBe(2);
  expect(sampleOf(after, `carillon_connections_closed_total{code="${(await one.closed()).code}"}`)).toBe(1);
});

test("what is refused is counted once, by the code that was told, and so is every answer of the API", async () => {
  await using server = await start("--max-publishes-per-second", "1", "--max-body", "64KB");
  const told: Record<string, number> = {};
  const answers: Record<string, number> = {};
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(server.httpUrl + path, init);
    const text = await response.text();
    const add = (counts: Record<string, number>, name: string) => {
      counts[name] = (counts[name] ?? 0) + 1;
    };
    add(answers, String(response.status));
    if (response.status >= 400) add(told, JSON.parse(text).code);
  };
  const stream = "/v1/channels/push/stream";
  await ask("/v1/channels/news/stream");
  await ask(`${stream}?token=wrong`);
  await ask(`/v1/channels/$all/stream?token=${KEY}`);
  await ask(`${stream}?since=x`);
  await ask(stream, { method: "POST" });
  await ask(stream, { headers: { origin: "https://evil.example" } });
  await ask("/v1/channels", { headers: { origin: "https://evil.example" } });
  await ask("/v1/batch", { method: "POST", body: "x".repeat(70_000), ...bearer(KEY) });
  await ask(stream, { method: "HEAD" });
  for (let sent = 0; sent < 5; sent++) {
    await ask("/v1/channels/push/messages", { method: "POST", body: "x", ...bearer(KEY) });
  }
  expect(told["rate_limited"]).toBeGreaterThan(0);
  const families = await read(server);
  const counted = (metric: string, label: string, names: Record<string, number>) =>
    Object.fromEntries(
      Object.keys(names).map((name) => [name, sampleOf(families, `${metric}{${label}="${name}"}`)]),
    );
  expect(counted("carillon_refused_total", "code", told)).toEqual(told);
  expect(counted("carillon_http_requests_total", "status", answers)).toEqual(answers);
});

test("the process, its loop and its schedule", async () => {
  await using server = await Server.start(["--push-every", "1s"]);
  await using client = await Client.connect("ws", server.wsUrl);
  await client.next(3);
  const families = await read(server);
  const version = (await Bun.file(join(root, "packages/server/package.json")).json()).version;
  expect(sampleOf(families, `carillon_build_info{version="${version}",bun="${Bun.version}"}`)).toBe(1);
  const pid = await server.serverPid();
  const status = await Bun.file(`/proc/${pid}/status`).text();
  const residentBytes = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
  const told = sampleOf(families, "process_resident_memory_bytes");
  expect(told).toBeWithin(0.7 * residentBytes, 1.3 * residentBytes);
  expect(sampleOf(families, "process_cpu_seconds_total")).toBeWithin(0.01, 60);
  const ageS = Date.now() / 1_000 - sampleOf(families, "process_start_time_seconds");
  expect(ageS).toBeWithin(1.5, 60);
  expect(sampleOf(families, "carillon_schedule_lateness_seconds_count")).toBe(3);
  expect(sampleOf(families, "carillon_schedule_lateness_seconds_sum")).toBeLessThan(2);
  expect(sampleOf(families, "carillon_event_loop_lag_seconds_count")).toBeGreaterThanOrEqual(1);
});

test("no label holds a channel, an address, a device or the name of a key", async () => {
  await using server = await start();
  const url = `${server.wsUrl}?channel=labelled-channel&device=labelled-device&token=${KEY}`;
  await using client = await Client.connect("ws", url);
  const received = client.next(1);
  await publish(server, "labelled data", "labelled-channel");
  await received;
  const response = await fetch(`${server.httpUrl}/metrics`);
  expect(await response.text()).not.toMatch(/labelled|127\.0\.0\.1|admin/);
});

test("--metrics key: only the admin key reads it", async () => {
  await using server = await start("--metrics", "key");
  const url = `${server.httpUrl}/metrics`;
  const without = await fetch(url);
  expect(without.status).toBe(401);
  expect(without.headers.get("www-authenticate")).toStartWith("Bearer");
  expect(await without.json()).toMatchObject({ code: "token_required" });
  const wrong = await fetch(url, bearer("wrong"));
  expect(wrong.status).toBe(401);
  expect(await wrong.json()).toMatchObject({ code: "invalid_token" });
  const made = await fetch(`${server.httpUrl}/v1/tokens`, {
    method: "POST",
    body: JSON.stringify({ name: "a program", subscribe: ["*"] }),
    headers: { ...bearer(KEY).headers, "content-type": "application/json" },
  });
  const { token } = (await made.json()) as { token: string };
  expect((await fetch(url, bearer(token))).status).toBe(403);
  const right = await fetch(url, bearer(KEY));
  expect(right.status).toBe(200);
  expect(parseExposition(await right.text()).size).toBeGreaterThan(10);
});

test("--metrics off: there is nothing", async () => {
  await using server = await start("--metrics", "off");
  for (const init of [{}, bearer(KEY)]) {
    const response = await fetch(`${server.httpUrl}/metrics`, init);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: "not_found" });
  }
});

test("it can only be read", async () => {
  await using server = await start();
  expect((await fetch(`${server.httpUrl}/metrics`, { method: "POST" })).status).toBe(405);
  const head = await fetch(`${server.httpUrl}/metrics`, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
});
