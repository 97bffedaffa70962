/** Devices that register themselves on a real server: how many, from where, how large, and what a reload changes. */
import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server } from "./support/carillon.ts";
import { RawSocket } from "./support/raw-socket.ts";

const KEY = "the-admin-key-of-the-tests-of-registering";

interface Asked {
  readonly token?: string;
  readonly from?: string;
  readonly body?: object;
  readonly method?: string;
}

async function ask(server: Server, path: string, { token, from, body = {}, method = "POST" }: Asked = {}) {
  const headers = {
    "content-type": "application/json",
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(from !== undefined && { "x-forwarded-for": from }),
  };
  const sent = method === "GET" ? {} : { body: JSON.stringify(body) };
  const response = await fetch(server.httpUrl + path, { method, headers, ...sent });
  const { status } = response;
  return { status, retryAfter: response.headers.get("retry-after"), body: (await response.json()) as Answer };
}

interface Answer {
  readonly id: string;
  readonly token: string;
  readonly code: string;
  readonly platform: string;
}

const register = (server: Server, asked?: Asked) => ask(server, "/v1/devices", asked);

test("so many a minute from one address, behind a trusted proxy the client's; admins as many as they like", async () => {
  const flags = ["--max-registrations-per-minute", "1", "--trusted-proxies", "127.0.0.1"];
  await using server = await Server.start(["--admin-key", KEY, "--push-every", "off", ...flags]);
  const told = async (from: string) => {
    const { status, body, retryAfter } = await register(server, { from });
    return status === 201 ? 201 : `${status} ${body.code} ${Number(retryAfter) > 30}`;
  };
  // One is a minute's, and one a debt.
  const answers = [];
  for (let count = 0; count < 3; count++) answers.push(await told("203.0.113.9"));
  expect(answers).toEqual([201, 201, "429 too_many_registrations true"]);
  expect(await told("6.6.6.6, 203.0.113.10")).toBe(201);
  for (let count = 0; count < 4; count++) {
    expect((await register(server, { from: "203.0.113.9", token: KEY })).status).toBe(201);
  }
  const { body } = await register(server, { from: "203.0.113.11", body: { platform: "ios" } });
  const own = await ask(server, `/v1/devices/${body.id}`, { token: body.token, method: "GET" });
  expect(own).toMatchObject({ status: 200, body: { id: body.id, platform: "ios" } });
});

test("a body that goes on and on is answered, and others are served meanwhile", async () => {
  await using server = await Server.start(["--admin-key", KEY, "--push-every", "off"]);
  await using socket = await RawSocket.connect(server.port);
  socket.write(
    "POST /v1/devices HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
  );
  const chunk = `10000\r\n${" ".repeat(65_536)}\r\n`;
  for (let count = 0; count < 4; count++) socket.write(chunk);
  const { status, body } = await socket.answer();
  expect([status, JSON.parse(body).code]).toEqual([413, "payload_too_large"]);
  expect((await register(server)).status).toBe(201);
});

describe("a reload", () => {
  test("switches it off and on, and sets how many", async () => {
    const dir = await mkdtemp(join(tmpdir(), "carillon-registration-"));
    const file = join(dir, "carillon.toml");
    const configure = (text: string) =>
      writeFile(file, `admin-key = "${KEY}"\npush-every = "off"\n${text}\n`);
    await configure("");
    await using server = await Server.start(["--config", file]);
    const reload = async (text: string) => {
      await configure(text);
      const before = server.out.all.filter((line) => line.includes("Reloaded")).length;
      process.kill(await server.serverPid(), "SIGHUP");
      await server.out.count(/Reloaded/, before + 1);
    };
    const { body } = await register(server);
    await reload('self-registration = "off"');
    expect(await register(server)).toMatchObject({ status: 401, body: { code: "token_required" } });
    expect((await register(server, { token: KEY })).status).toBe(201);
    // Those that have registered are what they were.
    expect((await ask(server, `/v1/devices/${body.id}`, { token: body.token, method: "GET" })).status).toBe(
      200,
    );
    await reload("max-registrations-per-minute = 1");
    const told = [];
    for (let count = 0; count < 3; count++) told.push((await register(server)).status);
    expect(told).toContain(201);
    expect(told.at(-1)).toBe(429);
    await rm(dir, { recursive: true });
  });
});
