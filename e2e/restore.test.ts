/** Backup of a running server and restore into one, over HTTP, with clients connected. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon as Sdk } from "@carillon/client";
import { Server } from "./support/carillon.ts";
import { RawSocket } from "./support/raw-socket.ts";

const KEY = "a-key-for-these-tests";
const authorization = `Bearer ${KEY}`;

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-"));
});
afterEach(() => rm(dir, { recursive: true }));

const start = () => Server.start(["--data", dir, "--push-every", "off", "--admin-key", KEY]);

async function publish(server: Server, text: string) {
  const url = `${server.httpUrl}/v1/channels/news/messages`;
  const response = await fetch(url, { method: "POST", body: text, headers: { authorization } });
  expect(response.status).toBe(201);
  return (await response.json()) as { epoch: string; offset: number };
}

const ask = (server: Server, method: string, path: string, body?: string | Uint8Array<ArrayBuffer>) =>
  fetch(server.httpUrl + path, { method, headers: { authorization }, ...(body !== undefined && { body }) });

/** Uploads a file in pieces, as a program that has only read the reference would. */
async function upload(server: Server, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const begun = await ask(server, "POST", "/v1/restore");
  const { id, chunkBytes } = (await begun.json()) as { id: string; chunkBytes: number };
  for (let offset = 0; offset < bytes.length; offset += chunkBytes) {
    const piece = bytes.slice(offset, offset + chunkBytes);
    const put = await ask(server, "PUT", `/v1/restore/${id}?offset=${offset}`, piece);
    expect(await put.json()).toEqual({ bytes: offset + piece.length });
  }
  return id;
}

test("a backup that is restored is a new log: offsets go on, a connected app is told and gets what it keeps", async () => {
  await using server = await start();
  for (const text of ["1", "2", "3"]) await publish(server, text);
  const backup = await ask(server, "GET", "/v1/backup");
  expect(backup.status).toBe(200);
  const bytes = await backup.bytes();
  expect(backup.headers.get("content-disposition")).toEndWith(`; size=${bytes.length}`);
  const lost = await publish(server, "after the backup");
  expect(lost.offset).toBe(4);

  const client = new Sdk(server.httpUrl, { token: KEY });
  const news = client.channel("news");
  const seen: unknown[] = [];
  const gaps: unknown[] = [];
  const live = Promise.withResolvers<void>();
  const again = Promise.withResolvers<void>();
  news.on("gap", (gap) => gaps.push(gap));
  news.on("publication", ({ data }) => {
    seen.push(data);
    if (data === "live") live.resolve();
    if (data === "after the restore") again.resolve();
  });
  await news.subscribe();
  await server.out.line(/subscribe: 开启推送/);
  await publish(server, "live");
  await live.promise;

  const id = await upload(server, bytes);
  expect((await ask(server, "POST", `/v1/restore/${id}/apply`)).status).toBe(202);
  await server.out.until(() => server.out.all.filter((line) => line.includes("listening on")).length === 2);
  const after = await publish(server, "after the restore");
  expect(after.offset).toBe(4);
  expect(after.epoch).not.toBe(lost.epoch);
  await again.promise;
  expect(gaps).toEqual([{ reason: "epoch" }]);
  expect(seen).toEqual(["live", "1", "2", "3", "after the restore"]);
  client.close();
  // Neither the upload nor the copy that was sent is left behind.
  expect((await readdir(dir)).filter((name) => !/-(wal|shm|journal)$/.test(name)).sort()).toEqual([
    "carillon.db",
    "carillon.db.before-restore",
    "lock.db",
    "vapid.json",
  ]);
});

test.each([
  ["no database", () => new TextEncoder().encode("somebody's notes".repeat(1_000))],
  ["cut off", (bytes: Uint8Array<ArrayBuffer>) => bytes.slice(0, bytes.length - 20_000)],
  ["empty", () => new Uint8Array()],
])("a file that is %s is refused, and the server goes on as it was", async (_, spoil) => {
  await using server = await start();
  for (let n = 0; n < 200; n++) await publish(server, `${n} ${"x".repeat(200)}`);
  const bytes = await (await ask(server, "GET", "/v1/backup")).bytes();
  const id = await upload(server, spoil(bytes));
  const applied = await ask(server, "POST", `/v1/restore/${id}/apply`);
  expect(applied.status).toBe(422);
  expect(await applied.json()).toMatchObject({ code: "not_restorable" });
  expect((await publish(server, "goes on")).offset).toBe(201);
  expect((await readdir(dir)).filter((name) => name.startsWith("restore"))).toEqual([]);
});

test("what is applied and never was begun, or has a hole, is refused", async () => {
  await using server = await start();
  expect((await ask(server, "POST", "/v1/restore/guess/apply")).status).toBe(404);
  const { id } = (await (await ask(server, "POST", "/v1/restore")).json()) as { id: string };
  expect((await ask(server, "PUT", `/v1/restore/${id}?offset=10`, "x")).status).toBe(409);
  expect((await ask(server, "PUT", `/v1/restore/${id}?offset=0`, "x".repeat(800_000))).status).toBe(413);
});

test("a configuration that has become wrong does not keep a restore from starting", async () => {
  const config = join(dir, "carillon.toml");
  await Bun.write(config, 'push-every = "off"\n');
  const options = ["--data", join(dir, "data"), "--admin-key", KEY, "--config", config];
  await using server = await Server.start(options);
  await publish(server, "kept");
  const bytes = await (await ask(server, "GET", "/v1/backup")).bytes();
  await Bun.write(config, 'push-every = "sometimes"\n');
  const id = await upload(server, bytes);
  expect((await ask(server, "POST", `/v1/restore/${id}/apply`)).status).toBe(202);
  await server.out.until(() => server.out.all.filter((line) => line.includes("listening on")).length === 2);
  expect((await publish(server, "goes on")).offset).toBe(2);
});

test("pieces fit into the largest body, HEAD makes no copy, and what a killed one has left is removed", async () => {
  await Bun.write(join(dir, "backup-Zk3_-x.tmp"), "half a copy");
  await Bun.write(join(dir, "restore.upload"), "half a file");
  await using server = await Server.start([
    ...["--data", dir, "--push-every", "off", "--admin-key", KEY],
    ...["--max-body", "64KB"],
  ]);
  expect((await readdir(dir)).filter((name) => /backup|upload/.test(name))).toEqual([]);
  const head = await ask(server, "HEAD", "/v1/backup");
  expect({ status: head.status, size: head.headers.get("content-disposition") }).toEqual({
    status: 200,
    size: null,
  });
  await publish(server, "kept");
  const id = await upload(server, await (await ask(server, "GET", "/v1/backup")).bytes());
  expect((await ask(server, "POST", `/v1/restore/${id}/apply`)).status).toBe(202);
});

test("a stranger cannot hold a connection open by asking for what takes long", async () => {
  await using server = await start();
  await using socket = await RawSocket.connect(server.port);
  socket.write("GET /v1/backup HTTP/1.1\r\nHost: localhost\r\n\r\n");
  expect(await socket.head()).toStartWith("HTTP/1.1 401");
  // Bun looks every four seconds at what has stood still for ten.
  await socket.ended();
}, 20_000);
