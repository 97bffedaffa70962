/** `carillon` as a process: how it starts, what it says, how it ends. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon, root, Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";
import { Lines } from "./support/lines.ts";
import { RawSocket } from "./support/raw-socket.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-"));
});
afterAll(() => rm(dir, { recursive: true }));

async function file(name: string, content: string): Promise<string> {
  const path = join(dir, name);
  await Bun.write(path, content);
  return path;
}

/** Runs to the end: exit code and all lines. */
async function run(...args: string[]) {
  await using carillon = new Carillon(args);
  const code = await carillon.exited;
  await Promise.all([carillon.out.ended, carillon.err.ended]);
  return { code, out: carillon.out.all, err: carillon.err.all };
}

const STOP_LIMIT_MS = 10_000;

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s: clients are closed with 1012, exit 0 in time",
  async (signal) => {
    await using server = await Server.start();
    await using node = await Client.connect("ws", server.wsUrl);
    await using python = await Client.connect("python", server.wsUrl);
    await using mute = await RawSocket.webSocket(server.port);
    mute.pause();
    const start = performance.now();
    server.kill(signal);
    expect(await node.closed()).toMatchObject({ code: 1012, reason: "server restarts" });
    expect((await python.closed()).code).toBe(1012);
    expect(await server.exited).toBe(0);
    expect(performance.now() - start).toBeLessThan(STOP_LIMIT_MS);
  },
);

test("a signal to npm start, or to the server itself, stops it just so", async () => {
  const npm = Bun.spawn(["npm", "start", "--", "--port", "0", "--host", "127.0.0.1", "--memory"], {
    cwd: root,
    stdout: "pipe",
    stderr: "ignore",
  });
  const out = new Lines(npm.stdout);
  const port = Number(/localhost:(\d+)/.exec(await out.line(/listening on/))?.[1]);
  await using client = await Client.connect("ws", `ws://127.0.0.1:${port}/ws`);
  npm.kill("SIGTERM");
  expect((await client.closed()).code).toBe(1012);
  expect(await npm.exited).toBe(0);

  await using server = await Server.start();
  process.kill(await server.serverPid(), "SIGTERM");
  expect(await server.exited).toBe(0);
});

test("while it stops, nobody new gets in", async () => {
  await using server = await Server.start();
  await using mute = await RawSocket.webSocket(server.port);
  mute.pause();
  await using client = await Client.connect("ws", server.wsUrl);
  server.kill();
  await client.closed();
  await expect(RawSocket.webSocket(server.port)).rejects.toThrow();
  expect(await server.exited).toBe(0);
});

test("output that nobody reads does not stop it", async () => {
  await using server = await Server.start();
  await server.process.stdout.cancel().catch(() => {});
  await using client = await Client.connect("ws", server.wsUrl);
  client.send("Heartbeat");
  await client.received("Server received: Heartbeat");
});

test("a port in use: one line, exit code 1", async () => {
  await using server = await Server.start();
  const { code, out, err } = await run(
    "serve",
    "--host",
    "127.0.0.1",
    "--memory",
    "--port",
    String(server.port),
  );
  expect({ code, out }).toEqual({ code: 1, out: [] });
  expect(err).toHaveLength(1);
  expect(err[0]).toContain(String(server.port));
});

test.each([
  [["serve", "--prot", "1"], "--prot"],
  [["serve", "--port", "99999"], "--port"],
  [["serve", "--push-every", "5"], "--push-every"],
  [["serve", "--push-text", "{{then}}"], "--push-text"],
  [["serve", "--retention", "news 7x"], "--retention"],
  [["serve", "--admin-key", "short"], "--admin-key"],
  [["serve", "--time-zone", "Mars/Base"], "--time-zone"],
  [["serve", "--config", "/nonexistent.toml"], "/nonexistent.toml"],
  [["serve", "stray"], "stray"],
  [["listen", "--url", "nonsense"], "--url"],
  [["listen", "--heartbeat", "0s"], "--heartbeat"],
  [["listen", "--channel", "$all"], "--channel"],
  [["listen", "--device", "a b"], "--device"],
  [["listen", "--store", "/dev"], "/dev"],
  [["listen", "--port", "1"], "--port"],
  [["dance"], "dance"],
])("%j: one line that names it, exit code 2", async (args, named) => {
  const { code, out, err } = await run(...args);
  expect({ code, out }).toEqual({ code: 2, out: [] });
  expect(err).toHaveLength(1);
  expect(err[0]).toStartWith("carillon: ");
  expect(err[0]).toContain(named);
});

test.each([
  ["c.toml", 'push-text = "by file"\npush-every = "1s"\n'],
  ["c.json", '{"push-text": "by file", "push-every": "1s"}'],
  ["c.yaml", "push-text: by file\npush-every: 1s\n"],
])("%s: the file is read; the environment wins over it, a flag over both", async (name, content) => {
  const config = ["--config", await file(name, content)];
  const pushed = async (args: readonly string[], env: Readonly<Record<string, string>>) => {
    await using server = await Server.start([...config, ...args], { env });
    await using client = await Client.connect("ws", server.wsUrl);
    return (await client.next(1))[0];
  };
  const env = { CARILLON_PUSH_TEXT: "by environment" };
  expect(
    await Promise.all([pushed([], {}), pushed([], env), pushed(["--push-text", "by flag"], env)]),
  ).toEqual(["by file", "by environment", "by flag"]);
});

test("--log json: every line is JSON, and says who", async () => {
  await using server = await Server.start(["--log", "json"]);
  await using client = await Client.connect("ws", server.wsUrl);
  client.send("unsubscribe");
  const line = await server.out.line(/unsubscribe/);
  expect(JSON.parse(line)).toMatchObject({
    level: "info",
    message: "unsubscribe: 关闭推送",
    session: expect.any(String),
    address: "127.0.0.1",
  });
  for (const each of server.out.all) expect(() => JSON.parse(each)).not.toThrow();
});

test("help and version", async () => {
  const all = await run("help");
  expect(all.code).toBe(0);
  for (const command of ["serve", "listen"]) {
    expect(all.out.join("\n")).toContain(command);
    expect((await run("help", command)).out).toEqual((await run(command, "--help")).out);
  }
  expect((await run("help", "serve")).out.join("\n")).toContain("CARILLON_PUSH_EVERY");
  expect((await run("--version")).out[0]).toMatch(/^\d+\.\d+\.\d+/);
});
