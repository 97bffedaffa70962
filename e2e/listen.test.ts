/** `carillon listen` as a process: what it prints, what it remembers, how it ends. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon as Sdk } from "@carillon/client";
import { Carillon, Server } from "./support/carillon.ts";

const KEY = "a-key-for-these-tests";

let dir: string;
let server: Server;
let publisher: Sdk;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-"));
  server = await Server.start([
    "--push-every",
    "off",
    "--admin-key",
    KEY,
    "--retention",
    "short 3",
    "--log",
    "json",
  ]);
  publisher = new Sdk(server.httpUrl, { token: KEY });
});
afterAll(async () => {
  publisher.close();
  await server[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});

const listen = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  new Carillon(["listen", "--json", "--url", server.httpUrl, ...args], { env });
const texts = ({ out }: Carillon): readonly string[] => out.all.map((line) => JSON.parse(line).text);

/** Waits until somebody is subscribed: what is published from now on is for them. */
const isIn = (channel: string) =>
  server.out.until((lines) =>
    lines.some((line) => line.includes("开启推送") && JSON.parse(line).channel === channel),
  );

async function publish(channel: string, ...all: string[]): Promise<void> {
  for (const text of all) await publisher.channel(channel).publish(text);
}

test("the default channel without a key; told to stop it ends with 0", async () => {
  await using listener = listen([]);
  await isIn("push");
  await publish("push", "你好");
  await publisher.channel("push").publish({ n: 1 });
  await listener.out.count(/./, 2);
  expect(texts(listener)).toEqual(["你好", '{"n":1}']);
  listener.kill();
  expect(await listener.exited).toBe(0);
  await listener.err.ended;
  expect(listener.err.all.map((line) => JSON.parse(line).status)).toEqual([
    `Connecting to ${server.wsUrl}`,
    "Connected",
    "Closed",
  ]);
});

test.each([
  ["--store", () => ["--store", join(dir, "positions.json")]],
  ["--device", () => ["--device", "laptop"]],
] as const)("%s: started anew, it prints what it missed, and nothing twice", async (name, flags) => {
  const channel = `news/${name}`;
  const args = ["--channel", channel, ...flags()];
  {
    await using first = listen([...args, "--token", KEY]);
    await isIn(channel);
    await publish(channel, "1", "2");
    await first.out.line(/"2"/);
    first.kill();
    expect(await first.exited).toBe(0);
  }
  await publish(channel, "3", "4");
  await using second = listen(args, { CARILLON_TOKEN: KEY });
  await second.out.line(/"4"/);
  await publish(channel, "5");
  await second.out.line(/"5"/);
  expect(texts(second)).toEqual(["3", "4", "5"]);
});

test("what cannot be had any more is told on standard error", async () => {
  const args = ["--channel", "short", "--store", join(dir, "short.json"), "--token", KEY];
  {
    await using first = listen(args);
    await isIn("short");
    // The server knows that it is there before it knows itself where it stands.
    await publish("short", "first");
    await first.out.line(/"first"/);
    first.kill();
    await first.exited;
  }
  await publish("short", ...Array.from({ length: 10 }, (_, index) => `${index}`));
  await using second = listen(args);
  await second.err.line(/Missed for good: 2 to 8;/);
  await second.out.line(/"9"/);
  expect(texts(second)).toEqual(["7", "8", "9"]);
});

test.each([
  ["a wrong key", ["--token", "guess"], "token is not valid"],
  ["a channel that needs a key", ["--channel", "news"], "does not allow to receive news"],
])("%s: it says so and ends with 1", async (_, args, said) => {
  await using listener = listen(args);
  expect(await listener.exited).toBe(1);
  await listener.err.ended;
  expect(listener.err.all.join("\n")).toContain(said);
  expect(listener.out.all).toEqual([]);
});
