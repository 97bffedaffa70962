/** `carillon backup` and `restore`: against a running server, a stopped one, and connections that are cut. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon, root, Server } from "./support/carillon.ts";
import { Network } from "./support/network.ts";

const KEY = "a-key-for-these-tests";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-cli-"));
});
afterEach(() => rm(dir, { recursive: true }));

const at = (name: string) => join(dir, name);
const start = (data: string) => Server.start(["--data", at(data), "--push-every", "off", "--admin-key", KEY]);
const begin = (url: string, ...args: readonly string[]) =>
  new Carillon(args, { env: { CARILLON_URL: url, CARILLON_KEY: KEY } });

async function run(url: string, ...args: readonly string[]) {
  await using carillon = begin(url, ...args);
  await carillon.process.stdin.end();
  const code = await carillon.exited;
  await Promise.all([carillon.out.ended, carillon.err.ended]);
  return { code, out: carillon.out.all.join("\n"), err: carillon.err.all.join("\n") };
}

/** Publishes; resolves to the offset. */
async function publish({ httpUrl }: Server, text: string): Promise<number> {
  const { out } = await run(httpUrl, "push", "news", text, "--json");
  return JSON.parse(out).offset;
}

/** Enough for a restore of several pieces. */
async function fill({ httpUrl }: Server): Promise<void> {
  const lines = Array.from({ length: 40 }, (_, index) => `${index} ${"x".repeat(50_000)}`);
  await Bun.write(at("lines"), `${lines.join("\n")}\n`);
  expect((await run(httpUrl, "push", "news", "--lines", "--file", at("lines"))).code).toBe(0);
}

async function textsOf({ httpUrl }: Server): Promise<string[]> {
  const texts: string[] = [];
  for (let since: number | null = 0; since !== null; ) {
    const url: string = `${httpUrl}/v1/channels/news/messages?since=${since}`;
    const response: Response = await fetch(url, { headers: { authorization: `Bearer ${KEY}` } });
    const page = (await response.json()) as { messages: { data: string }[]; next: number | null };
    texts.push(...page.messages.map(({ data }) => data.slice(0, 20)));
    since = page.next;
  }
  return texts;
}

test("a backup goes back into the running server, which is waited for", async () => {
  await using server = await start("data");
  await fill(server);
  const kept = await textsOf(server);
  expect(kept).toHaveLength(40);
  expect((await run(server.httpUrl, "backup", at("b.db"))).code).toBe(0);
  expect((await stat(at("b.db"))).mode & 0o777).toBe(0o600);
  await publish(server, "after the backup");
  const restored = await run(server.httpUrl, "restore", at("b.db"), "--yes");
  expect(restored).toMatchObject({ code: 0, err: "" });
  // At once: it came back before the command ended.
  expect(await textsOf(server)).toEqual(kept);
  expect(await publish(server, "after the restore")).toBe(41);
});

test("a backup on standard output is the same file, and goes into a server that does not run", async () => {
  {
    await using server = await start("data");
    await publish(server, "1");
    const launcher = join(root, "packages/server/bin/carillon.mjs");
    const env = { ...process.env, CARILLON_URL: server.httpUrl, CARILLON_KEY: KEY };
    const child = Bun.spawn(["node", launcher, "backup", "-"], { env, stdout: Bun.file(at("out.db")) });
    expect(await child.exited).toBe(0);
    expect((await run(server.httpUrl, "backup", at("b.db"))).code).toBe(0);
    expect(await readFile(at("out.db"))).toEqual(await readFile(at("b.db")));
  }
  const staged = await run("", "restore", at("out.db"), "--data", at("fresh"), "--yes");
  expect(staged).toMatchObject({ code: 0, err: "" });
  await using fresh = await start("fresh");
  expect(await textsOf(fresh)).toEqual(["1"]);
});

test("a file that is damaged inside is refused by the server, which goes on as it was", async () => {
  await using server = await start("data");
  await fill(server);
  await run(server.httpUrl, "backup", at("b.db"));
  const bytes = new Uint8Array(await readFile(at("b.db")));
  bytes.fill(0xff, 8_192, 100_000);
  await Bun.write(at("damaged.db"), bytes);
  const { code, err } = await run(server.httpUrl, "restore", at("damaged.db"), "--yes");
  expect(code).toBe(1);
  expect(err).toStartWith("carillon: 422 ");
  expect(await publish(server, "goes on")).toBe(41);
});

test("nothing on disk, nothing to back up; and no answer is needed that nobody can give", async () => {
  await using server = await Server.start(["--push-every", "off", "--admin-key", KEY]);
  const backup = await run(server.httpUrl, "backup", at("b.db"));
  expect(backup).toMatchObject({
    code: 1,
    err: "carillon: 409 nothing_on_disk: this server keeps nothing on disk",
  });
  expect(await readdir(dir)).toEqual([]);
});

test("a network that breaks in the middle of a backup, and Ctrl-C, leave nothing behind", async () => {
  const piece = new Uint8Array(1_000_000);
  piece.set(new TextEncoder().encode("SQLite format 3\0"));
  // A server that sends a beginning and no end.
  const stuck = Bun.serve({
    port: 0,
    fetch: () => new Response(new ReadableStream({ start: (controller) => controller.enqueue(piece) })),
  });
  await using network = await Network.to(stuck.port ?? 0);
  for (const [end, code, said] of [
    [() => network.cut(), 3, "cut before the answer was complete"],
    [(backup: Carillon) => backup.kill("SIGINT"), 1, "stopped by SIGINT"],
  ] as const) {
    network.mend();
    await using backup = begin(network.httpUrl, "backup", at("b.db"));
    await partHas(piece.length);
    end(backup);
    expect(await backup.exited).toBe(code);
    await backup.err.ended;
    expect(backup.err.all.join()).toContain(said);
    expect(await readdir(dir)).toEqual([]);
  }
  await stuck.stop(true);
});

/** Resolves when the file under way has so many bytes. */
async function partHas(bytes: number): Promise<void> {
  for (;;) {
    const { size } = await stat(at("b.db.part")).catch(() => ({ size: 0 }));
    if (size >= bytes) return;
    await new Promise(setImmediate);
  }
}

test("on a terminal a person is asked, and no is no", async () => {
  await using server = await start("data");
  await publish(server, "1");
  await run(server.httpUrl, "backup", at("b.db"));
  const launcher = join(root, "packages/server/bin/carillon.mjs");
  const command = `node ${launcher} restore ${at("b.db")}`;
  const answer = async (typed: string) => {
    const env = { ...process.env, CARILLON_URL: server.httpUrl, CARILLON_KEY: KEY };
    const terminal = Bun.spawn(["script", "-qec", command, "/dev/null"], {
      env,
      stdin: "pipe",
      stdout: "pipe",
    });
    terminal.stdin.write(`${typed}\n`);
    await terminal.stdin.flush();
    const shown = await new Response(terminal.stdout).text();
    return { code: await terminal.exited, shown };
  };
  const no = await answer("no");
  expect(no.code).toBe(1);
  expect(no.shown).toContain(`This replaces everything that ${server.httpUrl} keeps`);
  expect(await publish(server, "2")).toBe(2);
  expect((await answer("yes")).code).toBe(0);
  expect(await textsOf(server)).toEqual(["1"]);
});
