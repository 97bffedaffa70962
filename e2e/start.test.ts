/** What `carillon serve` does with its data directory and its key before it listens. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon as Sdk } from "@carillon/client";
import { Carillon, Server } from "./support/carillon.ts";
import { handshake, RawSocket } from "./support/raw-socket.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-"));
});
afterEach(() => rm(dir, { recursive: true }));

const start = (...args: string[]) => Server.start(["--data", dir, "--push-every", "off", ...args]);

/** Starts a server where it cannot; the one line it says. */
async function refusal(): Promise<string> {
  await using carillon = new Carillon(["serve", "--host", "127.0.0.1", "--port", "0", "--data", dir]);
  expect(await carillon.exited).toBe(1);
  await Promise.all([carillon.out.ended, carillon.err.ended]);
  expect(carillon.out.all).toEqual([]);
  expect(carillon.err.all).toHaveLength(1);
  return carillon.err.all[0] ?? "";
}

/** The status that a plain-text client's handshake gets. */
async function statusOf(server: Server, target: string): Promise<string | undefined> {
  await using socket = await RawSocket.connect(server.port);
  socket.write(handshake({}, target));
  return (await socket.head()).split(" ")[1];
}

test("a second server on a data directory is refused; kill -9 of the first frees it", async () => {
  const first = await start();
  expect(await refusal()).toBe(`carillon: ${dir}: another process uses this data directory`);
  process.kill(await first.serverPid(), "SIGKILL");
  await first.exited;
  await using second = await start();
  expect(await statusOf(second, "/ws")).toBe("101");
});

test.each([
  ["no database", () => Buffer.from("not a database, but somebody's notes\n".repeat(100))],
  [
    "damaged",
    (before: Buffer) => Buffer.concat([before.subarray(0, 4_096), Buffer.alloc(before.length, 0xff)]),
  ],
  ["cut off", (before: Buffer) => before.subarray(0, before.length / 2)],
])("a data file that is %s is named and left as it is", async (_, spoil) => {
  const file = join(dir, "carillon.db");
  {
    await using server = await start("--admin-key", "a-key-for-these-tests");
    const client = new Sdk(server.httpUrl, { token: "a-key-for-these-tests" });
    await client.channel("push").publish("kept");
    client.close();
  }
  const spoilt = spoil(await readFile(file));
  await Bun.write(file, spoilt);
  expect(await refusal()).toStartWith(`carillon: ${file}: it is `);
  expect(await readFile(file)).toEqual(Buffer.from(spoilt));
});

test("the admin key is printed at the first start alone, and kept for its owner alone", async () => {
  const file = join(dir, "admin.key");
  const keyLine = /Admin key, shown this once, kept in (.+): (\S+)$/;
  let key: string | undefined;
  {
    await using server = await start();
    const [, path, printed] = keyLine.exec(await server.out.line(keyLine)) ?? [];
    expect(path).toBe(file);
    key = printed;
  }
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await readFile(file, "utf8")).trim()).toBe(key ?? "");
  await using again = await start();
  expect(again.out.all.filter((line) => keyLine.test(line))).toEqual([]);
  expect(await statusOf(again, `/ws?channel=news&token=${key}`)).toBe("101");
  expect(await statusOf(again, "/ws?channel=news")).toBe("401");
});

test("--anonymous off: nobody gets in without a token", async () => {
  await using server = await start("--anonymous", "off", "--admin-key", "a-key-for-these-tests");
  expect(await statusOf(server, "/ws")).toBe("401");
  expect(await statusOf(server, "/ws?token=a-key-for-these-tests")).toBe("101");
});

test("/readyz and /healthz answer 200", async () => {
  await using server = await start();
  for (const [path, state] of [
    ["/readyz", "ready"],
    ["/healthz", "alive"],
  ]) {
    const response = await fetch(server.httpUrl + path);
    expect({ status: response.status, body: await response.json() }).toEqual({
      status: 200,
      body: { status: state },
    });
  }
});
