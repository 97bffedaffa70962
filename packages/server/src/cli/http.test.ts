import { expect, test } from "bun:test";
import { z } from "zod";
import { RefusedError, UnreachableError } from "./errors.ts";
import { Api } from "./http.ts";
import { type Answer, answerWith, fakeIo, problem } from "./testing/fake-io.ts";

const KEY = "a-key-for-these-tests";
const answerSchema = z.object({ n: z.int() });

function setUp(answer?: Answer, url = "http://localhost:8080/base") {
  const world = fakeIo(answer === undefined ? {} : { answer });
  const isLoopback = url.includes("localhost");
  return { ...world, api: new Api({ url, key: KEY, isLoopback }, world.io) };
}

/** What a call says that fails. */
async function failure(answer: Answer | undefined): Promise<Error> {
  const { api } = setUp(answer);
  const error = await api.json("GET", "/v1/x", answerSchema).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Error);
  expect((error as Error).message).not.toContain(KEY);
  expect((error as Error).message).not.toContain("\n");
  return error as Error;
}

test("a call carries the key, the body and the query, and its answer is checked", async () => {
  const { api, requests } = setUp(() => answerWith({ n: 1 }));
  const options = { body: { data: "Tea" }, query: { limit: 1, after: "a b" } };
  expect(await api.json("POST", "/v1/x", answerSchema, options)).toEqual({ n: 1 });
  const [request] = requests;
  expect(request).toMatchObject({
    method: "POST",
    url: "http://localhost:8080/base/v1/x?limit=1&after=a+b",
    body: { data: "Tea" },
  });
  expect(request?.headers.get("authorization")).toBe(`Bearer ${KEY}`);
  expect(request?.headers.get("content-type")).toBe("application/json");
});

test("an anonymous call carries no key", async () => {
  const { api, requests } = setUp(() => answerWith({ n: 1 }));
  await api.json("GET", "/readyz", answerSchema, { isAnonymous: true });
  expect(requests[0]?.headers.has("authorization")).toBe(false);
});

test("a problem is one line that cannot drive the terminal", async () => {
  const error = await failure(() => problem(403, "forbidden", "no grant\u001b[2J\nfor news"));
  expect(error).toBeInstanceOf(RefusedError);
  expect(error.message).toBe("403 forbidden: no grant\ufffd[2J\ufffdfor news");
  expect(error).toMatchObject({ status: 403, code: "forbidden", retryAfterS: undefined });
});

test("a problem says when to try again, and how to give a key", async () => {
  const slow = await failure(() => problem(429, "rate_limited", "too many", { "retry-after": "3" }));
  expect(slow).toMatchObject({ status: 429, retryAfterS: 3 });
  const open = await failure(() => problem(401, "token_required", "a token is needed"));
  expect(open.message).toContain("CARILLON_KEY");
});

test.each([
  [
    () => new Response("{", { status: 500, headers: { "content-type": "application/problem+json" } }),
    RefusedError,
    "500 without a reason",
  ],
  [
    () => new Response("<html>", { status: 404, headers: { server: "nginx" } }),
    RefusedError,
    "404  from nginx, not in Carillon's words",
  ],
  [
    () => new Response("<html>", { status: 502, headers: { server: "nginx" } }),
    UnreachableError,
    "502  from nginx, a proxy that finds no Carillon behind it",
  ],
  [
    () => new Response("", { status: 301, headers: { location: "https://other/" } }),
    RefusedError,
    "points to https://other/; give that as --url",
  ],
  [() => new Response("<html>"), RefusedError, "is no Carillon"],
  [() => answerWith({ n: "one" }), RefusedError, "is no Carillon"],
  [undefined, UnreachableError, "http://localhost:8080/base cannot be reached: nothing listens there"],
] as const)("%#: what is no answer of Carillon is told in words", async (answer, kind, said) => {
  const error = await failure(answer);
  expect(error).toBeInstanceOf(kind);
  expect(error.message).toContain(said);
});

test.each([
  ["ENOTFOUND", "no host of this name"],
  ["ECONNRESET", "cut before the answer was complete"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "--ca FILE"],
  ["Malformed_HTTP_Response", "does not speak HTTP"],
  ["ESTRANGE", "Strange things happened"],
])("%s is told in words", async (code, said) => {
  const error = await failure(() => {
    throw Object.assign(new TypeError("Strange things happened. Pass `verbose: true`"), { code });
  });
  expect(error).toBeInstanceOf(UnreachableError);
  expect(error.message).toContain(said);
  expect(error.message).not.toContain("verbose");
});

test("silence ends after the limit, also in the middle of an answer", async () => {
  for (const answer of [() => new Promise<never>(() => {}), () => new Response(endless("{"))]) {
    const { api, clock } = setUp(answer);
    const call = api.json("GET", "/v1/x", answerSchema).catch((reason: unknown) => reason);
    clock.advance(29_999);
    expect(Bun.peek.status(call)).toBe("pending");
    clock.advance(1);
    expect(((await call) as Error).message).toBe("http://localhost:8080/base has not answered within 30 s");
    expect(clock.pendingTimers).toBe(0);
  }
});

/** A body that begins and does not end. */
function endless(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode(text)) });
}

test("a download is read as it comes; a pause ends it, and so does a stop", async () => {
  const { api, clock } = setUp(() => new Response(endless("abc"), { headers: { "content-length": "9" } }));
  const stopped = new AbortController();
  for (const [end, said] of [
    [() => clock.advance(30_000), "has not answered within 30 s"],
    [() => stopped.abort(new Error("stopped by a person")), "stopped by a person"],
  ] as const) {
    const { headers, chunks } = await api.download("/v1/backup", { signal: stopped.signal });
    expect(headers.get("content-length")).toBe("9");
    const reader = chunks[Symbol.asyncIterator]();
    expect(Buffer.from((await reader.next()).value as Uint8Array).toString()).toBe("abc");
    const rest = reader.next().catch((reason: unknown) => reason);
    end();
    expect(((await rest) as Error).message).toContain(said);
  }
});

test("a download's refusal is told before it begins", async () => {
  const { api } = setUp(() => problem(409, "nothing_on_disk", "this server keeps nothing on disk"));
  await expect(api.download("/v1/backup")).rejects.toThrow("409 nothing_on_disk");
});
