import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import manifest from "../../../package.json" with { type: "json" };
import type { OpenSocket } from "../command.ts";
import { runCommandLine } from "../run.ts";
import { type Answer, answerWith, type FakeIo, fakeIo, problem, type Request } from "../testing/fake-io.ts";
import { doctor } from "./doctor.ts";
import { examineMachine } from "./machine.ts";

const KEY = "a-key-for-these-tests";
/** Not this machine: what is found out about that does not matter here. */
const URL_ELSEWHERE = "https://push.example.com";
const DATE = "Tue, 24 Nov 2026 09:30:00 GMT";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "carillon-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

interface Script {
  /** Answers in place of a server that is well, where it wants to. */
  readonly instead?: (path: string, request: Request) => Response | Promise<Response> | undefined;
  readonly openSocket?: OpenSocket;
  readonly date?: string;
  readonly version?: string;
  readonly server?: string;
}

/** A server that is well but for what is said. */
function serverOf({ instead, date = DATE, version = manifest.version, server }: Script): Answer {
  const headers = { date, ...(server !== undefined && { server }) };
  return (request) => {
    const { pathname } = new URL(request.url);
    const other = instead?.(pathname, request);
    if (other !== undefined) return other;
    if (pathname === "/healthz") return Response.json({ status: "alive" }, { headers });
    if (pathname === "/openapi.json") return answerWith({ info: { title: "Carillon", version } });
    if (pathname === "/readyz") return answerWith({ status: "ready" });
    if (pathname === "/v1/channels") return answerWith({ channels: [], next: null });
    if (pathname === "/v1/channels/main/stream") return new Response("retry: 2000\n\n");
    return new Response("?", { status: 404 });
  };
}

/** A WebSocket that answers each frame with what `answer` says, if anything. */
function socketOf(answer: (frame: { type: string; id: number }) => object | undefined): OpenSocket {
  return () => {
    const target = new EventTarget();
    queueMicrotask(() => target.dispatchEvent(new Event("open")));
    const send = (text: string) => {
      const said = answer(JSON.parse(text));
      if (said === undefined) return;
      const event = new MessageEvent("message", { data: JSON.stringify(said) });
      queueMicrotask(() => target.dispatchEvent(event));
    };
    return Object.assign(target, { send, close() {} }) as unknown as WebSocket;
  };
}
const goodSocket = socketOf(({ type, id }) =>
  type === "connect" ? { type: "connected", id, defaultChannel: "main" } : { type: "pong", id },
);

/** One that does not open, in the words of Bun. */
const brokenSocket =
  (reason: string): OpenSocket =>
  () => {
    const target = new EventTarget();
    const message = `WebSocket connection to 'ws://h/' failed: ${reason}`;
    queueMicrotask(() => target.dispatchEvent(new ErrorEvent("error", { message })));
    return Object.assign(target, { send() {}, close() {} }) as unknown as WebSocket;
  };

/** Runs it, moving the clock on whenever everybody waits. */
async function run(script: Script, ...flags: string[]): Promise<FakeIo & { code: number }> {
  const fake = fakeIo({
    env: { CARILLON_URL: URL_ELSEWHERE, CARILLON_KEY: KEY },
    answer: serverOf(script),
    openSocket: script.openSocket ?? goodSocket,
  });
  let code: number | undefined;
  const done = runCommandLine(["doctor", ...flags], [doctor], fake.io).then((ended) => {
    code = ended;
  });
  while (code === undefined) {
    await Promise.race([done, new Promise(setImmediate)]);
    if (code === undefined) fake.clock.advance(100);
  }
  return { ...fake, code };
}

/** The line about one thing. */
const about = ({ out }: FakeIo, check: string) => out.find((line) => line.slice(2).startsWith(`${check}:`));

test("a server that is well: all good, exit code 0, and nothing is asked twice", async () => {
  const { code, out, requests } = await run({});
  expect(out.map((line) => line.replace(/[\d.]+ ms/, "N ms"))).toEqual([
    `✓ Server: Carillon ${manifest.version} answers at ${URL_ELSEWHERE} in N ms`,
    "✓ Readiness: a write to disk and back takes N ms",
    "✓ Clock: this machine and the server agree",
    "✓ Key: accepted, for everything",
    "✓ WebSocket: opens, and a heartbeat is answered in N ms",
    "✓ Event stream: begins after N ms",
  ]);
  expect(code).toBe(0);
  const keyed = requests.filter(({ headers }) => headers.has("authorization"));
  expect(keyed.map(({ url }) => url.replace(URL_ELSEWHERE, ""))).toEqual([
    "/v1/channels?limit=1",
    "/v1/channels/main/stream",
  ]);
});

test("--json tells the same to programs", async () => {
  const { out, code } = await run({ date: "Tue, 24 Nov 2026 10:30:00 GMT" }, "--json");
  const { ok, findings } = JSON.parse(out.join("\n"));
  expect({ code, ok, checks: findings.length }).toEqual({ code: 1, ok: false, checks: 6 });
  expect(findings[2]).toMatchObject({ check: "Clock", state: "failed", advice: expect.any(String) });
});

const never = () => new Promise<Response>(() => {});
const endless = (text: string) =>
  new Response(
    new ReadableStream({
      start(controller) {
        if (text !== "") controller.enqueue(new TextEncoder().encode(text));
      },
    }),
  );
const at = (path: string, answer: () => Response | Promise<Response>): Script => ({
  instead: (asked) => (asked === path ? answer() : undefined),
});

test.each([
  ["Server", at("/openapi.json", () => new Response("<html>")), "✗", "is no Carillon"],
  ["Server", at("/healthz", never), "✗", "has not answered within 10 s"],
  ["Server", { version: "0.0.1" }, "!", `this command line is ${manifest.version}`],
  [
    "Readiness",
    at("/readyz", () => answerWith({ status: "unavailable" }, 503)),
    "✗",
    "cannot keep publications",
  ],
  ["Clock", { date: "Tue, 24 Nov 2026 09:30:20 GMT" }, "!", "differ by 2"],
  ["Clock", { date: "Tue, 24 Nov 2026 09:28:00 GMT" }, "✗", "differ by 1"],
  ["Clock", { date: "" }, "!", "no date"],
  [
    "Key",
    at("/v1/channels", () => problem(401, "invalid_token", "the token is not valid")),
    "✗",
    "401 invalid_token",
  ],
  ["Key", at("/v1/channels", () => problem(403, "forbidden", "no")), "✓", "for what it was made for"],
  ["WebSocket", { openSocket: brokenSocket("Expected 101 status code: 426") }, "✗", "Upgrade and Connection"],
  ["WebSocket", { openSocket: brokenSocket("Expected 101 status code: 404") }, "✗", "answered with 404"],
  ["WebSocket", { openSocket: brokenSocket("Connection ended") }, "✗", "Connection ended"],
  ["WebSocket", { openSocket: socketOf(() => undefined) }, "✗", "no answer within 10 s"],
  [
    "Event stream",
    { ...at("/v1/channels/main/stream", never), server: "nginx" },
    "✗",
    "a proxy (nginx) holds it back",
  ],
  [
    "Event stream",
    at("/v1/channels/main/stream", () => endless("")),
    "✗",
    "nothing arrives within 5 s: something on the way",
  ],
  ["Event stream", at("/v1/channels/main/stream", () => endless("retry: 2000\n\n")), "✓", "begins after"],
  [
    "Event stream",
    at("/v1/channels/main/stream", () => problem(403, "forbidden", "no grant")),
    "!",
    "give a key that may receive main",
  ],
] as const satisfies readonly (readonly [string, Script, string, string])[])(
  "%#: %s",
  async (check, script, mark, said) => {
    const fake = await run(script);
    const line = about(fake, check) ?? "";
    expect(line).toStartWith(mark);
    expect(line).toContain(said);
    expect(line.includes("What to do:")).toBe(mark !== "✓");
    expect(fake.code).toBe(mark === "✗" ? 1 : 0);
  },
);

test("without a server nothing else about it is told", async () => {
  const { out, err, code } = await run(
    at("/healthz", () => Promise.reject(Object.assign(new TypeError(), { code: "ENOTFOUND" }))),
  );
  expect({ code, err }).toEqual({ code: 1, err: [] });
  expect(out).toHaveLength(1);
  expect(out[0]).toContain("no host of this name");
});

test("a slow disk is told", async () => {
  const fake = fakeIo({
    env: { CARILLON_URL: URL_ELSEWHERE, CARILLON_KEY: KEY },
    openSocket: goodSocket,
    answer: (request, index) => {
      if (request.url.endsWith("/readyz")) fake.clock.advance(1_500);
      return serverOf({})(request, index);
    },
  });
  expect(await runCommandLine(["doctor"], [doctor], fake.io)).toBe(0);
  expect(about(fake, "Readiness")).toBe(
    "! Readiness: a write to disk and back takes 1500 ms. What to do: every publish waits as long; use a faster disk, on this machine",
  );
});

test.each([
  ["unlimited", "✓", "no limit"],
  ["1048576", "✓", "1,048,476 clients"],
  ["4096", "warning", "3,996 clients"],
  ["256", "failed", "156 clients"],
])("a limit of %s open files", (limit, state, said) => {
  const limits = `Limit                     Soft Limit           Hard Limit           Units     \nMax open files            256                  ${limit.padEnd(20)} files     \n`;
  const [finding] = examineMachine(fakeIo().io, () => limits);
  expect(finding).toMatchObject({ state: state === "✓" ? "good" : state, check: "Open files" });
  expect(finding?.says).toContain(said);
});

test("where the limit cannot be read it says so", () => {
  expect([...examineMachine(fakeIo().io, () => undefined)][0]?.state).toBe("warning");
});

/** What is told about a data directory. */
async function examine(prepare: () => void) {
  prepare();
  const fake = await run({}, "--data", dir);
  return { ...fake, about: (check: string) => about(fake, check) };
}

test("a data directory as the server leaves it is good, and nothing is changed", async () => {
  const seen = await examine(() => {
    chmodSync(dir, 0o700);
    writeFileSync(join(dir, "admin.key"), "k\n", { mode: 0o600 });
    writeFileSync(join(dir, "carillon.db"), "x".repeat(2_048));
  });
  expect(seen.code).toBe(0);
  expect(seen.about("Database")).toBe("✓ Database: 2.0 KB, and 0 bytes in its log");
  expect(seen.about("Admin key")).toBe("✓ Admin key: for its owner alone");
  expect(seen.about("Disk space")).toMatch(/free for/);
  expect(seen.about("Time zone")).toMatch(/^✓/);
  expect(seen.about("Privacy")).toBeUndefined();
});

test.each([
  ["Admin key", () => writeFileSync(join(dir, "admin.key"), "k", { mode: 0o640 }), "✗", "chmod 600"],
  ["Admin key", () => {}, "✓", "--admin-key"],
  ["Database", () => {}, "!", "there is none"],
  [
    "Privacy",
    () => {
      chmodSync(dir, 0o755);
      writeFileSync(join(dir, "carillon.db"), "", { mode: 0o644 });
    },
    "!",
    "chmod o-rwx",
  ],
  [
    "Data directory",
    () => {
      rmSync(dir, { recursive: true });
      writeFileSync(dir, "");
    },
    "✗",
    "there is no directory",
  ],
] as const)("%#: %s of a data directory", async (check, prepare, mark, said) => {
  const seen = await examine(prepare);
  expect(seen.about(check)).toStartWith(mark);
  expect(seen.about(check)).toContain(said);
  expect(seen.code).toBe(mark === "✗" ? 1 : 0);
});

test("the key of the data directory that is named is taken for a server on this machine", async () => {
  mkdirSync(join(dir, "data"));
  writeFileSync(join(dir, "data", "admin.key"), `${KEY}\n`, { mode: 0o600 });
  const fake = fakeIo({ answer: serverOf({}), openSocket: goodSocket });
  await runCommandLine(["doctor", "--data", join(dir, "data")], [doctor], fake.io);
  expect(fake.requests.find(({ url }) => url.includes("/v1/"))?.headers.get("authorization")).toBe(
    `Bearer ${KEY}`,
  );
  expect(fake.err).toEqual([`carillon: using the key in ${join(dir, "data", "admin.key")}`]);
});
