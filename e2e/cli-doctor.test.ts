/** `carillon doctor` against real servers, proxies that do harm, and TLS with an authority of one's own. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon, Server } from "./support/carillon.ts";

const KEY = "a-key-for-these-tests";

let dir: string;
const at = (name: string) => join(dir, name);
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-cli-"));
});
afterAll(() => rm(dir, { recursive: true }));

const start = (...args: readonly string[]) =>
  Server.start(["--push-every", "off", "--admin-key", KEY, ...args]);

async function run(url: string, ...args: readonly string[]) {
  await using carillon = new Carillon(args, { env: { CARILLON_URL: url, CARILLON_KEY: KEY } });
  await carillon.process.stdin.end();
  const code = await carillon.exited;
  await Promise.all([carillon.out.ended, carillon.err.ended]);
  const about = (check: string) => carillon.out.all.find((line) => line.slice(2).startsWith(`${check}:`));
  return { code, out: carillon.out.all, err: carillon.err.all, about };
}

/** A proxy that knows nothing of WebSockets and hands on an answer when all of it has come. */
function naiveProxy({ httpUrl }: Server) {
  const proxy = Bun.serve({
    port: 0,
    idleTimeout: 60,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const headers = new Headers(request.headers);
      for (const name of ["upgrade", "connection", "host"]) headers.delete(name);
      const answer = await fetch(httpUrl + pathname + search, { method: request.method, headers });
      const told = new Headers(answer.headers);
      told.set("server", "naive");
      return new Response(await answer.bytes(), { status: answer.status, headers: told });
    },
  });
  return { url: `http://127.0.0.1:${proxy.port}`, [Symbol.dispose]: () => void proxy.stop(true) };
}

test("a server that is well, and its data directory: nothing is broken", async () => {
  await using server = await start("--data", at("data"));
  const { code, out, err, about } = await run(server.httpUrl, "doctor", "--data", at("data"));
  expect({ code, err, broken: out.filter((line) => line.startsWith("✗")) }).toEqual({
    code: 0,
    err: [],
    broken: [],
  });
  for (const check of [
    "Server",
    "Readiness",
    "Clock",
    "Key",
    "WebSocket",
    "Event stream",
    "Disk space",
    "Database",
  ]) {
    expect(about(check)).toStartWith("✓");
  }
});

test("a proxy that strips the upgrade and holds streams back is found and named", async () => {
  await using server = await start();
  using proxy = naiveProxy(server);
  const { code, about } = await run(proxy.url, "doctor");
  expect(code).toBe(1);
  expect(about("Server")).toStartWith("✓");
  expect(about("Key")).toStartWith("✓");
  expect(about("WebSocket")).toContain("✗ WebSocket: a proxy takes the upgrade out of the handshake");
  expect(about("Event stream")).toContain("nothing arrives within 5 s: a proxy (naive) holds it back");
});

test("what nobody may see is told where it can be seen", async () => {
  await using server = await Server.start(["--push-every", "off", "--data", at("open")]);
  await chmod(at("open/admin.key"), 0o644);
  const { code, about } = await run(server.httpUrl, "doctor", "--data", at("open"));
  expect(code).toBe(1);
  expect(about("Admin key")).toStartWith(`✗ Admin key: others can read ${at("open/admin.key")}`);
});

test("no server: exit code 1, and JSON for programs", async () => {
  const { code, out } = await run("http://127.0.0.1:1", "doctor", "--json");
  expect(code).toBe(1);
  const { ok, findings } = JSON.parse(out.join("\n"));
  expect({ ok, first: findings[0] }).toMatchObject({
    ok: false,
    first: { check: "Server", state: "failed" },
  });
});

test("TLS: an authority of one's own is believed by --ca in every command, and by nothing else", async () => {
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const files = ["-keyout", at("key.pem"), "-out", at("cert.pem")];
  const make = ["openssl", "req", "-x509", "-days", "2", "-newkey", "rsa:2048", "-nodes", ...names, ...files];
  expect(await Bun.spawn(make, { stderr: "ignore" }).exited).toBe(0);
  await using server = await start(
    "--data",
    at("tls"),
    "--tls-cert",
    at("cert.pem"),
    "--tls-key",
    at("key.pem"),
  );
  const url = `https://localhost:${server.port}`;

  const stranger = await run(url, "push", "news", "x");
  expect(stranger.code).toBe(3);
  expect(stranger.err.join()).toContain("its certificate is not trusted");
  const ca = ["--ca", at("cert.pem")];
  expect((await run(url, "push", "news", "x", ...ca)).out).toEqual(["Published to news at offset 1"]);
  expect((await run(url, "backup", at("b.db"), ...ca)).code).toBe(0);
  const { code, about } = await run(url, "doctor", ...ca);
  expect(about("WebSocket")).toStartWith("✓");
  expect(about("Event stream")).toStartWith("✓");
  expect(code).toBe(0);
  const env = { CARILLON_CA: at("cert.pem"), CARILLON_KEY: KEY };
  await using listener = new Carillon(["listen", "--url", url, "--channel", "news"], { env });
  await listener.err.line(/Connected$/);
  const other = await run(`https://127.0.0.1:${server.port}`, "push", "news", "x", ...ca);
  expect(other.err.join()).toContain("its certificate is for another name");
});
