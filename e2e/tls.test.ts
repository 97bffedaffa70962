/** `--tls-cert` and `--tls-key`: the page over https, pushes over wss, and files that are no certificate. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchBrowser } from "./support/browser.ts";
import { Carillon, Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";

let dir: string;
let server: Server;
const at = (name: string) => join(dir, name);
/** Whom the client programs trust. */
const trust = () => ({
  SSL_CERT_FILE: at("cert.pem"),
  NODE_EXTRA_CA_CERTS: at("cert.pem"),
  CURL_CA_BUNDLE: at("cert.pem"),
});

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-tls-"));
  await Promise.all([makeCertificate("cert.pem", "key.pem"), makeCertificate("other.pem", "other-key.pem")]);
  await Bun.write(at("nonsense.pem"), "no certificate\n");
  server = await Server.start(["--push-every", "1s", ...tls("cert.pem", "key.pem")]);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});

function tls(cert: string, key: string): readonly string[] {
  return ["--tls-cert", at(cert), "--tls-key", at(key)];
}

/** A certificate for this machine, signed by itself. */
async function makeCertificate(cert: string, key: string): Promise<void> {
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const files = ["-keyout", at(key), "-out", at(cert)];
  const made = Bun.spawn(["openssl", "req", "-x509", "-days", "2", ...curve, ...names, ...files], {
    stderr: "ignore",
  });
  expect(await made.exited).toBe(0);
}

async function curl(...args: readonly string[]) {
  const child = Bun.spawn(["curl", "-sS", "-m", "5", ...args], {
    env: { ...process.env, ...trust() },
    stderr: "ignore",
  });
  const out = await new Response(child.stdout).text();
  return { code: await child.exited, out };
}

test("it says that it is https", () => {
  expect(server.out.all.join("\n")).toContain(`listening on https://localhost:${server.port}/`);
});

test("clients that check the certificate reach it, and without TLS nobody does", async () => {
  const ready = `localhost:${server.port}/readyz`;
  expect(await curl(`https://${ready}`)).toEqual({ code: 0, out: '{"status":"ready"}' });
  expect((await curl("--tls-max", "1.1", `https://${ready}`)).code).not.toBe(0);
  expect((await curl(`http://${ready}`)).code).not.toBe(0);
});

test.each(["ws", "python"] as const)("%s: pushes and answers over wss", async (kind) => {
  await using client = await Client.connect(kind, `wss://localhost:${server.port}/ws`, trust());
  client.send("Heartbeat");
  await client.received("Server received: Heartbeat");
  await client.next(1);
});

test("carillon listen, over the SDK", async () => {
  await using listen = new Carillon(["listen", "--url", `https://localhost:${server.port}`], {
    env: trust(),
  });
  await listen.out.line(/Server push message/);
});

test("the page, in a browser", async () => {
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    await page.goto(`https://localhost:${server.port}/`);
    await page.locator("[data-testid=messages] li").first().waitFor({ state: "attached" });
  } finally {
    await browser.close();
  }
});

test.each([
  ["a missing certificate", ["cert-that-is-not.pem", "key.pem"], "--tls-cert"],
  ["a missing key", ["cert.pem", "key-that-is-not.pem"], "--tls-key"],
  ["a file that is no certificate", ["nonsense.pem", "key.pem"], "--tls-cert"],
  ["a file that is no key", ["cert.pem", "nonsense.pem"], "--tls-key"],
  ["the two the wrong way round", ["key.pem", "cert.pem"], "--tls-cert"],
  ["the key of another certificate", ["cert.pem", "other-key.pem"], "--tls-key"],
] as const)("%s: one line that names the flag, exit code 2", async (_, [cert, key], named) => {
  expect(await refusal(...tls(cert, key))).toContain(named);
});

test("one of the two alone: one line, exit code 2", async () => {
  expect(await refusal("--tls-cert", at("cert.pem"))).toContain("--tls-key");
  expect(await refusal("--tls-key", at("key.pem"))).toContain("--tls-cert");
});

/** Starts a server that cannot; the one line it says. */
async function refusal(...args: readonly string[]): Promise<string> {
  await using carillon = new Carillon(["serve", "--host", "127.0.0.1", "--port", "0", "--memory", ...args]);
  const code = await carillon.exited;
  await Promise.all([carillon.out.ended, carillon.err.ended]);
  expect({ code, out: carillon.out.all }).toEqual({ code: 2, out: [] });
  expect(carillon.err.all).toHaveLength(1);
  expect(carillon.err.all[0]).toStartWith("carillon: ");
  return carillon.err.all[0] ?? "";
}
