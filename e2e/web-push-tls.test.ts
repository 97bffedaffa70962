/**
 * What keeps a push service's name from leading elsewhere: the request goes to the address that was checked, and the
 * certificate there has to be the name's. That is the runtime's doing, so it is tried with its own TLS.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Endpoints } from "../packages/server/src/gateway/notifiers/endpoints.ts";
import { PushServices } from "../packages/server/src/gateway/notifiers/push-services.ts";
import { systemClock as clock } from "../packages/server/src/lib/clock.ts";
import { createLog } from "../packages/server/src/lib/log.ts";
import { timestampFormat } from "../packages/server/src/lib/timestamp.ts";

let dir: string;
const hosts: (string | null)[] = [];
let server: Bun.Server<undefined>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-push-tls-"));
  const names = ["-subj", "/CN=push.example", "-addext", "subjectAltName=DNS:push.example"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const files = ["-keyout", join(dir, "key.pem"), "-out", join(dir, "cert.pem")];
  const made = Bun.spawn(["openssl", "req", "-x509", "-days", "2", ...curve, ...names, ...files], {
    stderr: "ignore",
  });
  expect(await made.exited).toBe(0);
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert: Bun.file(join(dir, "cert.pem")), key: Bun.file(join(dir, "key.pem")) },
    fetch({ headers }) {
      hosts.push(headers.get("host"));
      return new Response(null, { status: 201 });
    },
  });
});
afterAll(async () => {
  server.stop(true);
  await rm(dir, { recursive: true });
});

test.each([
  ["push.example", "sent"],
  ["other.example", { retryAfterMs: 0 }],
] as const)("%s, of which a name server says that it is there: %p", async (name, outcome) => {
  const write = () => {};
  const log = createLog({
    format: "pretty",
    level: "error",
    clock,
    timestamp: timestampFormat("UTC"),
    write,
  });
  const ca = await Bun.file(join(dir, "cert.pem")).text();
  const services = new PushServices({
    endpoints: new Endpoints(["*.example"], async () => ["127.0.0.1"]),
    clock,
    log,
    post: (url, init) => fetch(url, { ...init, tls: { ...init.tls, ca } }),
  });
  const endpoint = `https://${name}:${server.port}/x`;
  const { signal } = new AbortController();
  hosts.length = 0;
  for (let count = 0; count < 2; count++) {
    expect(await services.post({ endpoint, headers: {}, body: "x" }, signal)).toEqual(outcome);
  }
  expect(hosts).toEqual(outcome === "sent" ? Array(2).fill(`push.example:${server.port}`) : []);
});
