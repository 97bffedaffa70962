/** The command line as a process, against real servers: what it sends, prints and ends with, and where the key goes. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon, root, Server } from "./support/carillon.ts";

const KEY = "a-key-for-these-tests";
const SECRET = "a-secret-for-these-tests-of-32-letters";

let dir: string;
let server: Server;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-cli-"));
  server = await Server.start(["--push-every", "off", "--admin-key", KEY, "--jwt-secret", SECRET]);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});

interface Ended {
  readonly code: number;
  readonly out: readonly string[];
  readonly err: readonly string[];
}

/** Runs to the end with the admin key of the server, and `input` for standard input. */
async function run(args: readonly string[], env: Record<string, string> = {}, input = ""): Promise<Ended> {
  const all = { CARILLON_URL: server.httpUrl, CARILLON_KEY: KEY, ...env };
  await using carillon = new Carillon(args, { env: all });
  carillon.process.stdin.write(input);
  await carillon.process.stdin.end();
  return await endOf(carillon);
}

async function endOf({ exited, out, err }: Carillon): Promise<Ended> {
  const code = await exited;
  await Promise.all([out.ended, err.ended]);
  return { code, out: out.all, err: err.all };
}

/** What a channel holds. */
async function textsOf(channel: string): Promise<readonly unknown[]> {
  const texts: unknown[] = [];
  for (let since: number | null = 0; since !== null; ) {
    const url: string = `${server.httpUrl}/v1/channels/${channel}/messages?limit=1000&since=${since}`;
    const response: Response = await fetch(url, { headers: { authorization: `Bearer ${KEY}` } });
    const page = (await response.json()) as { messages: { data: unknown }[]; next: number | null };
    texts.push(...page.messages.map(({ data }) => data));
    since = page.next;
  }
  return texts;
}

test("push: a text, JSON and standard input arrive as they were", async () => {
  expect(await run(["push", "news/de", "茶\u001b[2J"])).toEqual({
    code: 0,
    out: ["Published to news/de at offset 1"],
    err: [],
  });
  expect((await run(["push", "news/de", "--data", '{"n":[1,null]}', "--json"])).out[0]).toContain(
    '"offset":2',
  );
  expect((await run(["push", "news/de"], {}, "two\nlines\n")).code).toBe(0);
  expect(await textsOf("news/de")).toEqual(["茶\u001b[2J", { n: [1, null] }, "two\nlines"]);
});

test("push --lines: ten thousand lines arrive once, in order; the same again adds none", async () => {
  const lines = Array.from({ length: 10_000 }, (_, index) => `line ${index + 1}`);
  const input = `${lines.join("\n")}\n`;
  const args = ["push", "log", "--lines", "--idempotency-key", "run"];
  expect((await run(args, {}, input)).out).toEqual(["Published 10,000 to log, offsets 1 to 10000"]);
  expect((await run(args, {}, input)).out).toEqual(["Published 0 to log; 10,000 had been before"]);
  expect(await textsOf("log")).toEqual(lines);
});

test("push --lines follows what comes slowly: each line goes out when it is there", async () => {
  const env = { CARILLON_URL: server.httpUrl, CARILLON_KEY: KEY };
  await using listener = new Carillon(["listen", "--channel", "slow", "--json"], { env });
  await listener.err.line(/"Connected"/);
  await using follower = new Carillon(["push", "slow", "--lines"], { env });
  for (const text of ["one", "two"]) {
    follower.process.stdin.write(`${text}\n`);
    await follower.process.stdin.flush();
    await listener.out.line(new RegExp(`"${text}"`));
  }
  await follower.process.stdin.end();
  expect((await endOf(follower)).out).toEqual(["Published 2 to slow, offsets 1 to 2"]);
});

test("tokens: made, used, listed, revoked", async () => {
  const made = await run(["tokens", "add", "ci", "--publish", "builds/*", "--expires", "1d"]);
  expect({ code: made.code, lines: made.out.length }).toEqual({ code: 0, lines: 1 });
  const [token = ""] = made.out;
  const id = /^Token (\S+)|Token (\S+) \(/.exec(made.err.join())?.slice(1).find(Boolean) ?? "";
  const asCi = { CARILLON_KEY: token };
  expect((await run(["push", "builds/main", "green"], asCi)).code).toBe(0);
  const refused = await run(["push", "news", "x"], asCi);
  expect(refused.code).toBe(1);
  expect(refused.err.join()).toStartWith("carillon: 403 forbidden: ");
  const list = await run(["tokens", "list"]);
  expect(list.out.join("\n")).toMatch(
    new RegExp(`^${id} +ci +\\d{4}-\\S+ \\S+ +\\S+ +\\S* *publish builds/\\*$`, "m"),
  );
  expect(await run(["tokens", "revoke", id])).toMatchObject({ code: 0, out: [`Revoked ${id}`] });
  expect((await run(["push", "builds/main", "green"], asCi)).err.join()).toContain("401 invalid_token");
  expect((await run(["tokens", "revoke", id])).code).toBe(1);
  for (const { out, err } of [refused, list]) expect(`${out}${err}`).not.toContain(token);
});

test("tokens sign: the server takes what was signed with its secret", async () => {
  const signed = await run(["tokens", "sign", "--subject", "alice", "--publish", "chat", "--expires", "1m"], {
    CARILLON_JWT_SECRET: SECRET,
  });
  expect(signed.code).toBe(0);
  const asAlice = { CARILLON_KEY: signed.out[0] ?? "" };
  expect((await run(["push", "chat", "hello"], asAlice)).code).toBe(0);
  expect((await run(["push", "news", "hello"], asAlice)).code).toBe(1);
});

test.each([
  [["push", "news", "x", "--key", "guess-guess"], 1, "401 invalid_token"],
  [["push", "news", "x", "--url", "http://127.0.0.1:1"], 3, "nothing listens there"],
  [["push", "news", "x", "--url", "https://127.0.0.1:1"], 3, "cannot be reached"],
  [["push", "news", "--url", "https://no-such-host.invalid", "x"], 3, "no host of this name"],
  [["push"], 2, "CHANNEL is missing"],
  [["push", "news", "x", "--tttl", "1"], 2, "did you mean --ttl?"],
  [["psuh", "news"], 2, "did you mean push?"],
] as const)("%j ends with %i and one line", async (args, code, said) => {
  const ended = await run(args);
  expect({ code: ended.code, out: ended.out, lines: ended.err.length }).toEqual({ code, out: [], lines: 1 });
  expect(ended.err[0]).toContain(said);
  expect(ended.err[0]).not.toMatch(/guess-guess|a-key-for/);
});

/** A server that notes whose requests it gets. */
function recorder() {
  const authorizations: (string | null)[] = [];
  const answer = { id: "1", channel: "news", epoch: "e", offset: 1, time: "2026-11-24T09:30:00.000Z" };
  const recording = Bun.serve({
    port: 0,
    fetch(request) {
      authorizations.push(request.headers.get("authorization"));
      return Response.json(answer, { status: 201 });
    },
  });
  return { authorizations, port: recording.port, [Symbol.dispose]: () => void recording.stop(true) };
}

/** Runs where a server keeps its key, without one in the environment. */
async function runBesideKey(args: readonly string[]) {
  await mkdir(join(dir, "data"), { recursive: true });
  await Bun.write(join(dir, "data", "admin.key"), `${KEY}\n`);
  const { CARILLON_KEY: _, CARILLON_URL: __, ...env } = process.env;
  const launcher = join(root, "packages/server/bin/carillon.mjs");
  const child = Bun.spawn(["node", launcher, ...args], { cwd: dir, env, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, out, err };
}

test("the key in ./data is used, and said to be, for a server on this machine and for no other", async () => {
  using other = recorder();
  const here = await runBesideKey(["push", "news", "x", "--url", `http://127.0.0.1:${other.port}`]);
  expect(here).toMatchObject({ code: 0, err: "carillon: using the key in data/admin.key\n" });
  // Linux connects to this machine for an address that no rule takes for a loopback one.
  const elsewhere = await runBesideKey(["push", "news", "x", "--url", `http://0.0.0.0:${other.port}`]);
  expect(elsewhere).toMatchObject({ code: 0, err: "" });
  expect(other.authorizations).toEqual([`Bearer ${KEY}`, null]);
});

test("a proxy for the world outside gets nothing that is for this machine", async () => {
  using proxy = recorder();
  const address = `http://127.0.0.1:${proxy.port}`;
  const env = { HTTP_PROXY: address, http_proxy: address, ALL_PROXY: address };
  expect((await run(["push", "news", "x"], env)).code).toBe(0);
  expect((await run(["doctor"], env)).code).toBe(0);
  expect(proxy.authorizations).toEqual([]);
});

test("a redirect is not followed with the key", async () => {
  using target = recorder();
  const redirecting = Bun.serve({
    port: 0,
    fetch: () => Response.redirect(`http://127.0.0.1:${target.port}/`, 307),
  });
  const ended = await run(["push", "news", "x", "--url", `http://127.0.0.1:${redirecting.port}`]);
  await redirecting.stop(true);
  expect(ended.code).toBe(1);
  expect(ended.err.join()).toContain(`points to http://127.0.0.1:${target.port}/`);
  expect(target.authorizations).toEqual([]);
});

test("completion: bash offers commands, flags, values and files", async () => {
  const script = (await run(["completion", "bash"])).out.join("\n");
  await Bun.write(join(dir, "backup of today.db"), "");
  const offered = async (...words: readonly string[]) => {
    const typed = words.map((word) => `'${word}'`).join(" ");
    const ask = `COMP_WORDS=(${typed}); COMP_CWORD=${words.length - 1}; _carillon; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const bash = Bun.spawn(["bash", "--norc", "-c", `${script}\n${ask}`], { cwd: dir, stderr: "pipe" });
    expect(await new Response(bash.stderr).text()).toBe("");
    return (await new Response(bash.stdout).text()).trimEnd().split("\n");
  };
  expect(await offered("carillon", "pu")).toEqual(["push"]);
  expect(await offered("carillon", "tokens", "")).toEqual(["list", "add", "revoke", "sign"]);
  expect(await offered("carillon", "tokens", "add", "ci", "--sub")).toEqual(["--subscribe"]);
  expect(await offered("carillon", "push", "news", "--urgency", "h")).toEqual(["high"]);
  expect(await offered("carillon", "push", "--urgency", "=", "v")).toEqual(["very-low"]);
  expect(await offered("carillon", "restore", "backup")).toEqual(["backup of today.db"]);
  expect(await offered("carillon", "help", "tokens", "s")).toEqual(["sign"]);
});
