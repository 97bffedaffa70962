import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { restore } from "./restore.ts";
import { runCommandLine } from "./run.ts";
import { databaseOf } from "./testing/database.ts";
import { type Answer, answerWith, type FakeIo, fakeIo, problem, type World } from "./testing/fake-io.ts";

const bytes = databaseOf(5);
const CHUNK = 8_192;

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "carillon-"));
  file = join(dir, "b.db");
  writeFileSync(file, bytes);
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A server that takes the file; `instead` answers first where it wants to. */
function server(instead: (index: number, url: string) => Response | undefined = () => undefined) {
  const received = new Uint8Array(bytes.length);
  const answer: Answer = ({ method, url, body }, index) => {
    const other = instead(index, url);
    if (other !== undefined) return other;
    if (method === "PUT") {
      const offset = Number(new URL(url).searchParams.get("offset"));
      received.set(body as Uint8Array, offset);
      return answerWith({ bytes: offset });
    }
    if (url.endsWith("/apply")) return new Response(null, { status: 202 });
    if (url.endsWith("/readyz")) return answerWith({ status: "ready" });
    return answerWith({ id: "r1", chunkBytes: CHUNK }, 201);
  };
  return { received, answer };
}

/** Runs it, moving the clock on whenever everybody waits. */
async function run(typed: readonly string[], world: World): Promise<FakeIo & { code: number }> {
  const fake = fakeIo({ env: { CARILLON_KEY: "a-key-for-these-tests" }, ...world });
  let code: number | undefined;
  const done = runCommandLine(["restore", ...typed], [restore], fake.io).then((ended) => {
    code = ended;
  });
  while (code === undefined) {
    await Promise.race([done, new Promise(setImmediate)]);
    fake.clock.advance(100);
  }
  return { ...fake, code };
}

test("the file arrives in pieces, is applied, and the server is waited for", async () => {
  let red = 2;
  const { received, answer } = server((_, url) => {
    if (!url.endsWith("/readyz") || red-- <= 0) return undefined;
    if (red === 1) return answerWith({ status: "unavailable" }, 503);
    throw Object.assign(new TypeError(), { code: "ECONNREFUSED" });
  });
  const { code, out, requests } = await run([file, "--yes"], { answer });
  expect({ code, out }).toEqual({ code: 0, out: [`Restored ${file} (20.0 KB) to http://localhost:8080`] });
  expect(received).toEqual(bytes);
  expect(requests.map(({ method, url }) => `${method} ${url.replace("http://localhost:8080", "")}`)).toEqual([
    "POST /v1/restore",
    "PUT /v1/restore/r1?offset=0",
    "PUT /v1/restore/r1?offset=8192",
    "PUT /v1/restore/r1?offset=16384",
    "POST /v1/restore/r1/apply",
    ...Array(3).fill("GET /readyz"),
  ]);
  expect(requests[1]?.headers.get("content-type")).toBe("application/octet-stream");
});

test("a piece that is cut off is sent again", async () => {
  let cuts = 3;
  const { received, answer } = server((_, url) => {
    if (!url.endsWith("offset=8192") || cuts-- <= 0) return undefined;
    throw Object.assign(new TypeError(), { code: "ECONNRESET" });
  });
  const { code } = await run([file, "--yes"], { answer });
  expect(code).toBe(0);
  expect(received).toEqual(bytes);
});

test.each([
  [
    "offset=8192",
    () => {
      throw Object.assign(new TypeError(), { code: "ECONNRESET" });
    },
    3,
    "nothing was changed",
  ],
  [
    "offset=8192",
    () => problem(404, "not_found", "there is no restore of this id"),
    1,
    "404 not_found: there is no restore of this id; nothing was changed",
  ],
  [
    "/apply",
    () => problem(422, "not_restorable", "the file is damaged"),
    1,
    "422 not_restorable: the file is damaged",
  ],
  [
    "/apply",
    () => {
      throw Object.assign(new TypeError(), { code: "ECONNRESET" });
    },
    3,
    "whether it was restored is not known",
  ],
  [
    "/readyz",
    () => answerWith({ status: "unavailable" }, 503),
    3,
    "it was restored, but http://localhost:8080 is not ready",
  ],
] as const)("%#: failing at %s it says how things stand", async (where, fail, expected, said) => {
  const { answer } = server((_, url) => (url.endsWith(where) ? fail() : undefined));
  const { code, err, out } = await run([file, "--yes", "--json"], { answer });
  expect({ code, out }).toEqual({ code: expected, out: [] });
  expect(err.join()).toContain(said);
});

test("a person is asked, and only yes is yes", async () => {
  const { answer } = server();
  const no = await run([file], { answer, reply: "y" });
  expect({ code: no.code, requests: no.requests }).toEqual({ code: 1, requests: [] });
  expect(no.questions[0]).toStartWith(
    `This replaces everything that http://localhost:8080 keeps with ${file} (20.0 KB).`,
  );
  expect((await run([file], { answer, reply: " yes" })).code).toBe(0);
  const nobody = await run([file], { answer });
  expect({ code: nobody.code, requests: nobody.requests }).toEqual({ code: 2, requests: [] });
  expect(nobody.err.join()).toContain("--yes");
});

test.each([
  ["a cut file", () => writeFileSync(file, bytes.slice(0, 8_192)), [], "incomplete: 8192 of 20480"],
  ["another file", () => writeFileSync(file, "text"), [], "not a database"],
  ["no file", () => rmSync(file), [], "ENOENT"],
  ["a data file in use", () => writeFileSync(`${file}-wal`, "log"), [], "carillon backup makes one"],
  ["two places", () => {}, ["--data", "d", "--url", "http://h"], "--data is for a server that does not run"],
] as const)("%s is refused before anybody is asked", async (_, prepare, flags, said) => {
  prepare();
  const { code, err, requests } = await run([file, "--yes", ...flags], { answer: server().answer });
  expect({ code, requests }).toEqual({ code: 2, requests: [] });
  expect(err.join()).toContain(said);
});
