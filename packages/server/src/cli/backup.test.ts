import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backup } from "./backup.ts";
import { runCommandLine } from "./run.ts";
import { databaseOf } from "./testing/database.ts";
import { type Answer, fakeIo, problem, type World } from "./testing/fake-io.ts";

const bytes = databaseOf(3);

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "carillon-"));
});
afterEach(() => rmSync(dir, { recursive: true }));
const at = (name: string) => join(dir, name);

const whole: Answer = () => new Response(bytes);
/** An answer that breaks off, or stands still, after so many bytes. */
const partly = (count: number, end?: (controller: ReadableStreamDefaultController) => void): Answer => {
  return () => {
    const stream = new ReadableStream({
      pull(controller) {
        if (count > 0) controller.enqueue(bytes.slice(0, count));
        end?.(controller);
      },
    });
    return new Response(stream, { headers: { "content-length": String(bytes.length) } });
  };
};
const reset = () => Object.assign(new TypeError("cut"), { code: "ECONNRESET" });

function begin(typed: readonly string[], world: World) {
  const fake = fakeIo({ env: { CARILLON_KEY: "a-key-for-these-tests" }, ...world });
  return { ...fake, done: runCommandLine(["backup", ...typed], [backup], fake.io) };
}
async function run(typed: readonly string[], world: World) {
  const fake = begin(typed, world);
  return { ...fake, code: await fake.done };
}

test("the file is what was sent, for its owner's eyes alone, and nothing else is left", async () => {
  const { code, out, requests } = await run([at("b.db")], { answer: whole });
  expect({ code, out }).toEqual({
    code: 0,
    out: [`Backed up http://localhost:8080 to ${at("b.db")} (12.0 KB)`],
  });
  expect(requests[0]).toMatchObject({ method: "GET", url: "http://localhost:8080/v1/backup" });
  expect(new Uint8Array(readFileSync(at("b.db")))).toEqual(bytes);
  expect(statSync(at("b.db")).mode & 0o777).toBe(0o600);
  expect(readdirSync(dir)).toEqual(["b.db"]);
});

test("a file that is there is left alone, before anybody is asked; --force replaces it", async () => {
  writeFileSync(at("b.db"), "older");
  const refused = await run([at("b.db")], { answer: whole });
  expect({ code: refused.code, requests: refused.requests }).toEqual({ code: 1, requests: [] });
  expect(refused.err.join()).toContain("--force replaces it");
  expect(readFileSync(at("b.db"), "utf8")).toBe("older");
  const { code, out } = await run([at("b.db"), "--force", "--json"], { answer: whole });
  expect(code).toBe(0);
  expect(JSON.parse(out.join())).toEqual({ file: at("b.db"), bytes: bytes.length });
  expect(statSync(at("b.db")).size).toBe(bytes.length);
});

test("a file that appears meanwhile is left alone", async () => {
  const answer: Answer = () => {
    writeFileSync(at("b.db"), "newer");
    return new Response(bytes);
  };
  expect((await run([at("b.db")], { answer })).code).toBe(1);
  expect(readFileSync(at("b.db"), "utf8")).toBe("newer");
  expect(readdirSync(dir)).toEqual(["b.db"]);
});

test.each([
  [
    "a connection that is cut",
    partly(5_000, (controller) => controller.error(reset())),
    "cut before the answer",
  ],
  [
    "a length that is not reached",
    partly(5_000, (controller) => controller.close()),
    "incomplete: 5000 of 12288",
  ],
  ["a proxy that swallows the end", () => new Response(bytes.slice(0, 8_192)), "incomplete: 8192 of 12288"],
  ["nothing", () => new Response(""), "not a database"],
  ["a page of a proxy", () => new Response("<html>".repeat(100)), "not a database"],
] as const)("%s: exit code 3, and the file from before is untouched", async (_, answer, said) => {
  writeFileSync(at("b.db"), "older");
  const { code, err, out } = await run([at("b.db"), "--force"], { answer });
  expect({ code, out }).toEqual({ code: 3, out: [] });
  expect(err.join()).toContain(said);
  expect(readdirSync(dir)).toEqual(["b.db"]);
  expect(readFileSync(at("b.db"), "utf8")).toBe("older");
});

test("a length that is announced and not reached is told also of a file that does not count its pages", async () => {
  const uncounted = bytes.slice();
  uncounted[95] = 1;
  const answer = () => {
    const stream = new Response(uncounted.slice(0, 8_192)).body;
    return new Response(stream, { headers: { "content-length": String(uncounted.length) } });
  };
  const { code, err } = await run([at("b.db")], { answer });
  expect(code).toBe(3);
  expect(err.join()).toContain("incomplete: 8192 of 12288");
});

test("a refusal is told, and leaves nothing", async () => {
  const answer = () => problem(409, "nothing_on_disk", "this server keeps nothing on disk");
  const { code, err } = await run([at("b.db")], { answer });
  expect({ code, err }).toEqual({
    code: 1,
    err: ["carillon: 409 nothing_on_disk: this server keeps nothing on disk"],
  });
  expect(readdirSync(dir)).toEqual([]);
});

test("Ctrl-C and silence end it and leave nothing", async () => {
  for (const [end, code, said] of [
    [({ stop }) => stop(), 1, "stopped by SIGINT"],
    [({ clock }) => clock.advance(60_000), 3, "has not answered within 60 s"],
  ] as const satisfies readonly [(fake: ReturnType<typeof begin>) => void, number, string][]) {
    const { promise: reading, resolve } = Promise.withResolvers<void>();
    let pulls = 0;
    const stream = new ReadableStream(
      {
        pull(controller) {
          if (pulls++ === 0) return controller.enqueue(bytes.slice(0, 5_000));
          resolve();
          return new Promise<void>(() => {});
        },
      },
      { highWaterMark: 0 },
    );
    const fake = begin([at("b.db")], { answer: () => new Response(stream) });
    await reading;
    expect(readdirSync(dir)).toEqual(["b.db.part"]);
    end(fake);
    expect(await fake.done).toBe(code);
    expect(fake.err.join()).toContain(said);
    expect(readdirSync(dir)).toEqual([]);
  }
});

test("one that is under way to the same file is not disturbed", async () => {
  writeFileSync(at("b.db.part"), "half");
  const { code, err } = await run([at("b.db")], { answer: whole });
  expect(code).toBe(1);
  expect(err.join()).toContain("b.db.part is there");
  expect(readdirSync(dir)).toEqual(["b.db.part"]);
});

test("a directory that cannot be written is named", async () => {
  const { code, err } = await run([at("missing/b.db")], { answer: whole });
  expect(code).toBe(1);
  expect(err.join()).toContain(at("missing/b.db.part"));
});

test("to standard output: the bytes alone, never into a terminal, and a cut is told", async () => {
  const { code, out, written } = await run(["-"], { answer: whole });
  expect({ code, out }).toEqual({ code: 0, out: [] });
  expect(new Uint8Array(written())).toEqual(bytes);
  const seen = await run(["-"], { answer: whole, outputIsTerminal: true });
  expect({ code: seen.code, requests: seen.requests }).toEqual({ code: 2, requests: [] });
  expect((await run(["-"], { answer: () => new Response(bytes.slice(0, 4_096)) })).code).toBe(3);
});
