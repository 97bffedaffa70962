import { describe, expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { createLog } from "../../lib/log.ts";
import { timestampFormat } from "../../lib/timestamp.ts";
import { Endpoints } from "./endpoints.ts";
import { type Post, PushServices } from "./push-services.ts";

type Reply = number | Response | Error | "mute";

/** Push services that answer as the test says. */
function setUp(reply: (url: string, count: number) => Reply = () => 201) {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line.slice("[2026-11-24 09:30:00] ".length));
  const log = createLog({ format: "pretty", level: "info", clock, timestamp: timestampFormat("UTC"), write });
  const posted: { readonly url: string; readonly init: BunFetchRequestInit; readonly atMs: number }[] = [];
  const state = { address: "93.184.216.34" };
  const post: Post = (url, init) => {
    posted.push({ url, init, atMs: clock.monotonicMs() });
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    init.signal?.addEventListener("abort", () => reject(init.signal?.reason));
    const answer = reply(url, posted.length);
    if (answer instanceof Error) reject(answer);
    else if (answer !== "mute") {
      resolve(typeof answer === "number" ? new Response(null, { status: answer }) : answer);
    }
    return promise;
  };
  const endpoints = new Endpoints([], async (name) => {
    if (name.startsWith("mute-name")) return new Promise(() => {});
    return [state.address];
  });
  const services = new PushServices({ endpoints, clock, log, post });
  const never = new AbortController();
  const send = (endpoint = "https://push.example/secret", signal = never.signal) =>
    services.post({ endpoint, headers: { ttl: "60" }, body: "x" }, signal);
  return { clock, lines, posted, state, services, send };
}

/** Lets what waits for no timer happen. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test("a message is one POST to the address that was checked, in the name of the service", async () => {
  const { send, posted } = setUp();
  expect(await send()).toBe("sent");
  expect(posted).toHaveLength(1);
  expect(posted[0]?.url).toBe("https://93.184.216.34/secret");
  expect(posted[0]?.init).toMatchObject({
    method: "POST",
    redirect: "manual",
    headers: { ttl: "60", host: "push.example" },
    body: "x",
    tls: { serverName: "push.example" },
  });
});

test.each([
  [200, "sent"],
  [201, "sent"],
  [204, "sent"],
  [404, "gone"],
  [410, "gone"],
  [413, "too large"],
  [301, "refused"],
  [307, "refused"],
  [400, "refused"],
  [401, "refused"],
  [403, "refused"],
  [429, { retryAfterMs: 0 }],
  [500, { retryAfterMs: 0 }],
  [503, { retryAfterMs: 0 }],
] as const)("%i: %p", async (status, outcome) => {
  const { send } = setUp(() => status);
  expect(await send()).toEqual(outcome);
});

test.each([429, 503])("%i with Retry-After asks for that time, an hour at most", async (status) => {
  const asked = ["60", "86400"];
  const { send } = setUp((_, count) => {
    return new Response(null, { status, headers: { "retry-after": asked[count - 1] ?? "" } });
  });
  expect(await send()).toEqual({ retryAfterMs: 60_000 });
  expect(await send()).toEqual({ retryAfterMs: 3_600_000 });
});

test("a service that cannot be reached is asked again later, and the log does not say the endpoint", async () => {
  const { send, lines } = setUp(() =>
    Object.assign(new Error("no route to /secret"), { code: "ECONNREFUSED" }),
  );
  expect(await send()).toEqual({ retryAfterMs: 0 });
  expect(lines).toEqual(["WARN Push service https://push.example: ECONNREFUSED"]);
});

test.each([
  ["a service", "https://push.example/x"],
  ["a name", "https://mute-name.example/x"],
])("%s that does not answer is given ten seconds", async (_, endpoint) => {
  const { send, clock, lines } = setUp(() => "mute");
  let outcome: unknown;
  void send(endpoint).then((value) => {
    outcome = value;
  });
  await settled();
  clock.advance(9_999);
  await settled();
  expect(outcome).toBeUndefined();
  clock.advance(1);
  await settled();
  expect(outcome).toEqual({ retryAfterMs: 0 });
  expect(lines[0]).toEndWith(": no answer in time");
  expect(clock.pendingTimers).toBe(0);
});

test("at the end nothing is waited for", async () => {
  const { send, clock } = setUp(() => "mute");
  const stopping = new AbortController();
  const sending = send("https://push.example/x", stopping.signal);
  await settled();
  stopping.abort();
  expect(await sending).toEqual({ retryAfterMs: 0 });
  expect(clock.pendingTimers).toBe(0);
});

test("a name that leads to a private address by now is not asked, nor is an endpoint that is none", async () => {
  const { send, state, posted, lines } = setUp();
  expect(await send()).toBe("sent");
  state.address = "169.254.169.254";
  expect(await send()).toBe("refused");
  expect(await send("http://push.example/x")).toBe("refused");
  expect(posted).toHaveLength(1);
  expect(lines).toEqual(["WARN Push service https://push.example: its name leads to a private address"]);
});

test("what is answered is not read", async () => {
  let isCancelled = false;
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(1_000)),
    cancel: () => {
      isCancelled = true;
    },
  });
  const { send } = setUp(() => new Response(endless, { status: 400 }));
  expect(await send()).toBe("refused");
  expect(isCancelled).toBeTrue();
});

test("one line a minute, however often it fails", async () => {
  const { send, clock, lines } = setUp(() => 403);
  for (let count = 0; count < 100; count++) await send();
  expect(lines).toEqual(["WARN Push service https://push.example: answered 403"]);
  clock.advance(60_000);
  await send();
  expect(lines).toHaveLength(2);
});

describe("a service that fails five times in a row", () => {
  test("is left alone for longer and longer, asked once, and well after an answer", async () => {
    let status = 500;
    const { send, clock, posted } = setUp(() => status);
    for (let count = 0; count < 5; count++) expect(await send()).toEqual({ retryAfterMs: 0 });
    expect(await send()).toEqual({ retryAfterMs: 5_000 });
    expect(posted).toHaveLength(5);
    const attempts: number[] = [];
    for (let seconds = 0; seconds < 1_000; seconds++) {
      clock.advance(1_000);
      const before = posted.length;
      await Promise.all([send(), send(), send()]);
      expect(posted.length - before).toBeLessThanOrEqual(1);
      if (posted.length > before) attempts.push(clock.monotonicMs() / 1_000);
    }
    expect(attempts).toEqual([5, 15, 35, 75, 155, 315, 615, 915]);
    status = 201;
    clock.advance(300_000);
    expect(await send()).toBe("sent");
    expect(await send()).toBe("sent");
    status = 500;
    expect(await send()).toEqual({ retryAfterMs: 0 });
    expect(await send()).toEqual({ retryAfterMs: 0 });
  });

  test("does not stop the others, nor does one that is well but for one endpoint", async () => {
    const { send } = setUp((url) => (url.endsWith("/bad") ? 500 : 201));
    for (let count = 0; count < 20; count++) {
      await send("https://down.example/bad");
      await send("https://push.example/bad");
      expect(await send("https://push.example/good")).toBe("sent");
    }
    expect(await send("https://down.example/bad")).not.toEqual({ retryAfterMs: 0 });
  });

  test("is left alone for as long as it has asked for", async () => {
    const { send, clock, posted } = setUp(() => {
      return new Response(null, { status: 429, headers: { "retry-after": "600" } });
    });
    for (let count = 0; count < 5; count++) await send();
    expect(await send()).toEqual({ retryAfterMs: 600_000 });
    clock.advance(599_999);
    await send();
    expect(posted).toHaveLength(5);
    clock.advance(1);
    await send();
    expect(posted).toHaveLength(6);
  });

  test("is one failure more for all that were under way together", async () => {
    const { send, clock } = setUp(() => 500);
    await Promise.all(Array.from({ length: 32 }, () => send()));
    clock.advance(5_000);
    await send();
    expect(await send()).toEqual({ retryAfterMs: 10_000 });
  });
});
