import { expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { MAX_ATTEMPTS } from "./retry.ts";
import { type Behaviour, KIND, SECRET, settled, setUp } from "./testing/receiver.ts";

const status = (code: number, retryAfter?: string) =>
  new Response(null, {
    status: code,
    headers: retryAfter === undefined ? {} : { "retry-after": retryAfter },
  });

test("an event is one POST, signed and with its time", async () => {
  const { webhooks, posted, pass, counts } = setUp();
  webhooks.tell(KIND);
  await pass(1);
  expect(posted).toHaveLength(1);
  const [{ id = "", url, headers, body, redirect } = {}] = posted;
  expect(url).toBe("https://hooks.example/T0/B0?key=hidden");
  expect(redirect).toBe("manual");
  expect(JSON.parse(body ?? "")).toEqual({ time: "2026-11-24T09:30:00.000Z", ...KIND });
  const signed = `${id}.${Date.UTC(2026, 10, 24, 9, 30) / 1_000}.${body}`;
  expect(headers).toEqual({
    "content-type": "application/json",
    "webhook-id": expect.stringMatching(/^msg_[\w-]+$/),
    "webhook-timestamp": "1795512600",
    "webhook-signature": `v1,${createHmac("sha256", SECRET).update(signed).digest("base64")}`,
  });
  expect(await counts()).toEqual({ delivered: 1 });
  expect(webhooks.waiting).toBe(0);
});

test("credentials of the address go into a header", async () => {
  const { webhooks, posted, pass } = setUp({ authorization: "Basic abc" });
  webhooks.tell(KIND);
  await pass(1);
  expect(posted[0]?.headers["authorization"]).toBe("Basic abc");
});

test("only what was asked for is wanted", () => {
  const { webhooks } = setUp({ events: ["connected", "publication"] });
  const types = ["connected", "disconnected", "publication", "device_offline"] as const;
  expect(types.filter((type) => webhooks.wants(type))).toEqual(["connected", "publication"]);
});

test("nothing is sent in the turn in which it is told, which is a delivery's", async () => {
  const { webhooks, posted, pass } = setUp();
  for (let told = 0; told < 100; told++) webhooks.tell(KIND);
  await settled();
  expect(posted).toEqual([]);
  await pass(1);
  expect(posted).toHaveLength(100);
});

test.each<[string, () => Behaviour]>([
  ["500", () => 500],
  ["503", () => 503],
  ["429", () => 429],
  ["a network error", () => new TypeError("Unable to connect")],
])("%s: again after longer and longer, eight times, and then never", async (_, answer) => {
  const { webhooks, posted, pass, counts } = setUp({ answer });
  webhooks.tell(KIND);
  await pass(86_400_000);
  const seconds = posted.map(({ atMs }) => atMs / 1_000);
  expect(seconds).toEqual([0, 5, 20, 65, 200, 605, 1_820, 5_465]);
  expect(new Set(posted.map(({ id }) => id)).size).toBe(1);
  expect(new Set(posted.map(({ body }) => body)).size).toBe(1);
  // The time of the attempt: a receiver takes nothing that is old.
  const sentS = posted.map(({ headers }) => Number(headers["webhook-timestamp"]) - 1_795_512_600);
  expect(sentS).toEqual(seconds);
  expect(new Set(posted.map(({ headers }) => headers["webhook-signature"])).size).toBe(MAX_ATTEMPTS);
  expect(await counts()).toEqual({ retried: 7, dead: 1 });
  expect(webhooks.waiting).toBe(0);
});

test("what is taken at last is delivered", async () => {
  const { webhooks, pass, counts } = setUp({ answer: (_, count) => (count < 3 ? 500 : 204) });
  webhooks.tell(KIND);
  await pass(20_001);
  expect(await counts()).toEqual({ retried: 2, delivered: 1 });
});

test("a receiver that does not answer is given ten seconds", async () => {
  const { webhooks, posted, pass, lines } = setUp({ answer: (_, count) => (count === 1 ? "mute" : 200) });
  webhooks.tell(KIND);
  await pass(20_000);
  expect(posted.map(({ atMs }) => atMs)).toEqual([0, 15_000]);
  expect(lines.map(({ message }) => message)).toEqual([
    "Webhooks to https://hooks.example: no answer in time",
  ]);
});

test.each([302, 400, 401, 404, 410])("%i is final", async (code) => {
  const { webhooks, posted, pass, counts } = setUp({ answer: () => code });
  webhooks.tell(KIND);
  await pass(86_400_000);
  expect(posted).toHaveLength(1);
  expect(await counts()).toEqual({ dead: 1 });
});

test.each([429, 503])("%i with Retry-After: nothing at all is sent before", async (code) => {
  const { webhooks, posted, pass } = setUp({
    answer: (_, count) => (count === 1 ? status(code, "60") : 200),
  });
  webhooks.tell(KIND);
  await pass(1);
  webhooks.tell(KIND);
  await pass(59_998);
  expect(posted).toHaveLength(1);
  await pass(10_000);
  expect(posted.map(({ atMs }) => atMs)).toEqual([0, 60_000, 65_000]);
});

test("a Retry-After of a year is an hour", async () => {
  const { webhooks, posted, pass } = setUp({
    answer: (_, count) => status(count === 1 ? 429 : 200, "31536000"),
  });
  webhooks.tell(KIND);
  await pass(3_605_000);
  expect(posted).toHaveLength(2);
});

test("four at a time", async () => {
  const { webhooks, posted, load, pass } = setUp({ takesMs: 100 });
  for (let told = 0; told < 50; told++) webhooks.tell(KIND);
  await pass(50);
  expect(posted).toHaveLength(4);
  await pass(2_000);
  expect(posted).toHaveLength(50);
  expect(load.most).toBe(4);
});

test("ten thousand wait at most; what comes then is dropped and counted", async () => {
  const { webhooks, posted, pass, counts, lines } = setUp({ answer: () => "mute" });
  await pass(1);
  for (let told = 0; told < 10_005; told++) webhooks.tell(KIND);
  await settled();
  expect(webhooks.waiting).toBe(10_000);
  expect(await counts()).toEqual({ dropped: 5 });
  expect(lines).toMatchObject([
    { level: "warn", message: "Webhooks to https://hooks.example: too many events wait", waiting: 10_000 },
  ]);
  expect(posted).toEqual([]);
});

test("sixty-four megabytes wait at most, and room is made by what is done", async () => {
  const { webhooks, pass, counts } = setUp({ events: ["publication"] });
  const data = JSON.stringify("x".repeat(1024 * 1024));
  const base = { id: "a", channel: "a", timeMs: 0, lane: 1, data, meta: "", offset: 1, prev: 0 } as const;
  const fill = () => {
    for (let told = 0; told < 100; told++) webhooks.tell({ type: "publication", publication: base });
  };
  fill();
  expect(webhooks.waiting).toBe(64);
  await pass(1);
  expect(webhooks.waiting).toBe(0);
  fill();
  expect(webhooks.waiting).toBe(64);
  await pass(1);
  expect(await counts()).toEqual({ dropped: 72, delivered: 128 });
});

test("at most a line a minute tells of trouble, without the address's path and query", async () => {
  const { webhooks, pass, lines } = setUp({
    answer: () =>
      Object.assign(new Error("https://hooks.example/T0/B0?key=hidden"), { code: "ECONNREFUSED" }),
  });
  for (let second = 0; second < 150; second++) {
    webhooks.tell(KIND);
    await pass(1_000);
  }
  expect(lines.map(({ message, level }) => `${level} ${message}`)).toEqual(
    Array.from({ length: 3 }, () => "warn Webhooks to https://hooks.example: ECONNREFUSED"),
  );
  expect(JSON.stringify(lines)).not.toMatch(/hidden|\/T0/);
});

test("the stop waits for what can be sent", async () => {
  const { webhooks, pass, counts, lines, clock } = setUp({ takesMs: 300 });
  for (let told = 0; told < 12; told++) webhooks.tell(KIND);
  await pass(1);
  const stopped = webhooks.stop();
  await pass(901);
  await stopped;
  expect(await counts()).toEqual({ delivered: 12 });
  expect(lines).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});

test("the stop takes two seconds at most; what is left is dropped and told in one line", async () => {
  const { webhooks, pass, counts, lines, clock, load } = setUp({ answer: () => "mute" });
  for (let told = 0; told < 12; told++) webhooks.tell(KIND);
  await pass(1);
  let isStopped = false;
  const stopped = webhooks.stop().then(() => {
    isStopped = true;
  });
  await pass(1_999);
  expect(isStopped).toBe(false);
  await pass(1);
  await stopped;
  await settled();
  expect(load).toEqual({ now: 0, most: 4 });
  expect(await counts()).toEqual({ dropped: 12 });
  expect(lines).toMatchObject([
    { level: "warn", message: "Webhooks: 12 events dropped, as the server stops" },
  ]);
  expect(clock.pendingTimers).toBe(0);
  webhooks.tell(KIND);
  await webhooks.stop();
  expect(await counts()).toEqual({ dropped: 13 });
  expect(lines).toHaveLength(1);
});

test("what is told during the stop is dropped", async () => {
  const { webhooks, pass, counts, posted } = setUp({ takesMs: 300 });
  webhooks.tell(KIND);
  await pass(1);
  const stopped = webhooks.stop();
  webhooks.tell(KIND);
  await pass(2_000);
  await stopped;
  expect(posted).toHaveLength(1);
  expect(await counts()).toEqual({ delivered: 1, dropped: 1 });
});

test.each<[string, () => Behaviour]>([
  ["rests", () => 500],
  ["was asked to wait", () => status(429, "100")],
])("the stop does not wait for what %s", async (_, answer) => {
  const { webhooks, pass, counts, clock } = setUp({ answer });
  for (let told = 0; told < 5; told++) webhooks.tell(KIND);
  await pass(1);
  await webhooks.stop();
  expect((await counts())["dropped"]).toBe(5);
  expect(clock.pendingTimers).toBe(0);
});

test("each event is delivered, dead, dropped or waiting, whatever the receiver does", async () => {
  const behaviour = fc.constantFrom<() => Behaviour>(
    () => 200,
    () => 204,
    () => 302,
    () => 404,
    () => 429,
    () => 500,
    () => status(503, "20"),
    () => new Error("reset"),
    () => "mute",
  );
  const act = fc.record({ tells: fc.nat(8), passMs: fc.nat(30_000) });
  const run = async (
    answers: (() => Behaviour)[],
    acts: { tells: number; passMs: number }[],
    stops: boolean,
  ) => {
    const answer = (_: unknown, count: number) => answers[count % answers.length]?.() ?? 200;
    const { webhooks, posted, load, pass, counts, clock } = setUp({ answer, takesMs: 50 });
    let told = 0;
    const check = async () => {
      const { delivered = 0, dead = 0, dropped = 0 } = await counts();
      expect(delivered + dead + dropped + webhooks.waiting).toBe(told);
    };
    for (const { tells, passMs } of acts) {
      for (let more = tells; more > 0; more--) webhooks.tell(KIND);
      told += tells;
      await pass(passMs);
      await check();
    }
    if (stops) await Promise.all([webhooks.stop(), pass(2_000)]);
    else await pass(7 * 86_400_000);
    await settled();
    expect(clock.pendingTimers).toBe(0);
    if (!stops) expect(webhooks.waiting).toBe(0);
    if (!stops) await check();
    expect(load.most).toBeLessThanOrEqual(4);
    const attempts = new Map<string, number>();
    for (const { id } of posted) attempts.set(id, (attempts.get(id) ?? 0) + 1);
    expect(Math.max(0, ...attempts.values())).toBeLessThanOrEqual(MAX_ATTEMPTS);
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(behaviour, { minLength: 1, maxLength: 6 }),
      fc.array(act, { maxLength: 6 }),
      fc.boolean(),
      run,
    ),
  );
});
