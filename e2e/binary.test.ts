/** The single executable: all of Carillon in one file, with no Node, no modules and no sources around it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon as Sdk } from "@carillon/client";
import type { Subprocess } from "bun";
import { root, Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";
import { Lines } from "./support/lines.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-binary-"));
  const build = Bun.spawn(["npm", "run", "--silent", "build:binary", "--", join(dir, "carillon")], {
    cwd: root,
    stdout: "ignore",
    stderr: "inherit",
  });
  expect(await build.exited).toBe(0);
  await mkdir(join(dir, "elsewhere"));
});
afterAll(() => rm(dir, { recursive: true }));

/** The executable at work, in a directory and an environment that are empty. */
class Executable implements AsyncDisposable {
  readonly process: Subprocess<"ignore", "pipe", "pipe">;
  readonly out: Lines;
  readonly err: Lines;

  constructor(...args: readonly string[]) {
    this.process = Bun.spawn([join(dir, "carillon"), ...args], {
      cwd: join(dir, "elsewhere"),
      env: {},
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.out = new Lines(this.process.stdout);
    this.err = new Lines(this.process.stderr);
  }

  /** Starts `carillon serve`; resolves to its port as soon as it listens. */
  static async serve(...args: readonly string[]) {
    const server = new Executable("serve", "--host", "127.0.0.1", "--port", "0", ...args);
    const port = Number(/localhost:(\d+)/.exec(await server.out.line(/listening on/))?.[1]);
    return { server, port, url: `http://127.0.0.1:${port}` };
  }

  /** Runs to the end. */
  static async run(...args: readonly string[]) {
    await using executable = new Executable(...args);
    const code = await executable.process.exited;
    await Promise.all([executable.out.ended, executable.err.ended]);
    return { code, out: executable.out.all, err: executable.err.all };
  }

  async stop(): Promise<number> {
    this.process.kill("SIGTERM");
    return await this.process.exited;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

test("it serves the page and all its files as npm start does", async () => {
  await using fromSource = await Server.start(["--push-every", "off"]);
  const { server, url } = await Executable.serve("--memory", "--push-every", "off");
  await using _ = server;
  const page = await (await fetch(url)).text();
  const files = [...page.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path = ""]) => path);
  expect(files.filter((path) => path.endsWith(".js"))).toHaveLength(1);
  for (const path of ["/", "/sw.js", ...files]) {
    const [ours, theirs] = await Promise.all([fetch(url + path), fetch(fromSource.httpUrl + path)]);
    expect(ours.status).toBe(200);
    expect(await ours.text()).toBe(await theirs.text());
    for (const header of ["content-type", "cache-control", "content-security-policy", "etag"]) {
      expect(ours.headers.get(header)).toBe(theirs.headers.get(header));
    }
  }
});

test("a client of others is pushed to and answered", async () => {
  const { server, port } = await Executable.serve("--memory", "--push-every", "1s", "--push-text", "ding");
  await using _ = server;
  await using client = await Client.connect("ws", `ws://127.0.0.1:${port}/ws`);
  client.send("Heartbeat");
  await client.received("Server received: Heartbeat");
  await client.received("ding");
});

test("a restart keeps the key, the publications and the epoch", async () => {
  const data = join(dir, "data");
  const first = await Executable.serve("--data", data, "--push-every", "off");
  const key = /Admin key.*: (\S+)$/.exec(await first.server.out.line(/Admin key/))?.[1] ?? "";
  const before = await publish(first.url, key, "one");
  expect(await first.server.stop()).toBe(0);

  const second = await Executable.serve("--data", data, "--push-every", "off");
  await using _ = second.server;
  expect(second.server.out.all.join("\n")).not.toContain("Admin key");
  const after = await publish(second.url, key, "two");
  expect(after.publications.map(({ data: each }) => each)).toEqual(["one", "two"]);
  expect(after.publications.slice(0, 1)).toEqual([...before.publications]);
  expect(after.epoch).toBe(before.epoch);
});

test("a backup is put back: what came later is gone, and the epoch is another", async () => {
  const data = join(dir, "restored");
  const file = join(dir, "backup.db");
  const first = await Executable.serve("--data", data, "--push-every", "off");
  const key = (await Bun.file(join(data, "admin.key")).text()).trim();
  await publish(first.url, key, "one");
  expect(await Executable.run("backup", file, "--url", first.url, "--key", key)).toMatchObject({ code: 0 });
  const before = await publish(first.url, key, "two");
  expect(await first.server.stop()).toBe(0);

  expect(await Executable.run("restore", file, "--data", data, "--yes")).toMatchObject({ code: 0 });
  const second = await Executable.serve("--data", data, "--push-every", "off");
  await using _ = second.server;
  const after = await publish(second.url, key, "three");
  expect(after.publications.map(({ data: each }) => each)).toEqual(["one", "three"]);
  expect(after.epoch).not.toBe(before.epoch);
});

/** Publishes to a channel; resolves to all that the channel holds then. */
async function publish(url: string, token: string, text: string) {
  const client = new Sdk(url, { token });
  const channel = client.channel("news");
  await channel.publish(text);
  const history = await channel.history();
  client.close();
  return history;
}

test("help, version and exit codes are those of the sources", async () => {
  const launch = (...args: readonly string[]) =>
    Bun.spawnSync(["node", join(root, "packages/server/bin/carillon.mjs"), ...args]);
  for (const args of [["help"], ["help", "serve"], ["--version"], ["serve", "--port", "99999"], ["dance"]]) {
    const { code, out, err } = await Executable.run(...args);
    const { exitCode, stdout, stderr } = launch(...args);
    expect({ args, code, out: out.join("\n"), err: err.join("\n") }).toEqual({
      args,
      code: exitCode,
      out: stdout.toString().trimEnd(),
      err: stderr.toString().trimEnd(),
    });
  }
});

test("a data directory in use: one line, exit code 1", async () => {
  const data = join(dir, "in-use");
  const { server } = await Executable.serve("--data", data);
  await using _ = server;
  const { code, err } = await Executable.run("serve", "--host", "127.0.0.1", "--port", "0", "--data", data);
  expect({ code, err }).toEqual({
    code: 1,
    err: [`carillon: ${data}: another process uses this data directory`],
  });
});

test("SIGHUP reads the settings anew", async () => {
  const { server } = await Executable.serve("--memory");
  await using _ = server;
  server.process.kill("SIGHUP");
  await server.out.line(/Reloaded/);
});

test("files that lie about where it is started change nothing", async () => {
  await Bun.write(join(dir, "elsewhere/.env"), "CARILLON_PUSH_EVERY=nonsense\n");
  await Bun.write(join(dir, "elsewhere/bunfig.toml"), 'preload = ["./missing.ts"]\n');
  const { server, url } = await Executable.serve("--memory");
  await using _ = server;
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});
