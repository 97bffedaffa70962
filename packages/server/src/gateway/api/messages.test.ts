import { expect, test } from "bun:test";
import { MAX_DATA_BYTES } from "@carillon/protocol/limits";
import { settle } from "../../hub/testing/hub-set-up.ts";
import { ADMIN_KEY, setUpApi } from "./testing/api-set-up.ts";

const TIME = "2026-11-24T09:30:00.000Z";

test("a body that is no JSON is published as the text it is, whatever curl calls it", async () => {
  const { request, call, connect } = await setUpApi();
  const client = connect({ channels: ["news"] });
  const response = await request("POST", "/v1/channels/news/messages", {
    token: ADMIN_KEY,
    body: "Backup done",
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });
  expect(response.status).toBe(201);
  const published = await response.json();
  expect(published).toMatchObject({ channel: "news", offset: 1, time: TIME });
  expect(client.outbound.frames).toEqual(["Backup done"]);
  const { body } = await call("GET", "/v1/channels/news/messages");
  expect(body).toEqual({
    messages: [{ id: published.id, offset: 1, prev: 0, time: TIME, data: "Backup done" }],
    next: null,
    epoch: published.epoch,
  });
});

test("a JSON body carries data and options; the headers of RFC 8030 say the same for a text", async () => {
  const { request, call } = await setUpApi();
  const options = { ttl: 60, urgency: "high", collapseKey: "score" };
  await call("POST", "/v1/channels/a/messages", { data: { n: [1] }, ...options, tags: ["x"] });
  await request("POST", "/v1/channels/b/messages", {
    token: ADMIN_KEY,
    body: "2:1",
    headers: { ttl: "60", urgency: "high", topic: "score" },
  });
  const read = async (channel: string) =>
    (await call("GET", `/v1/channels/${channel}/messages`)).body.messages[0];
  expect(await read("a")).toMatchObject({ data: { n: [1] }, ...options, tags: ["x"] });
  expect(await read("b")).toMatchObject({ data: "2:1", ...options });
});

test("a repeat under one idempotency key is answered as the first", async () => {
  const { call } = await setUpApi();
  const first = await call("POST", "/v1/channels/a/messages", { data: 1, idempotencyKey: "k" });
  const again = await call("POST", "/v1/channels/a/messages", { data: 2 }, { "idempotency-key": "k" });
  expect(again.status).toBe(201);
  expect(again.body).toEqual({ ...first.body, duplicate: true });
});

test("ttl 0 has no offset and is kept for nobody", async () => {
  const { call } = await setUpApi();
  const { body } = await call("POST", "/v1/channels/a/messages", { data: 1, ttl: 0 });
  expect(body.offset).toBeUndefined();
  expect((await call("GET", "/v1/channels/a/messages")).body.messages).toEqual([]);
});

test("history is paged without holes or repeats", async () => {
  const { call, publish } = await setUpApi();
  for (let n = 1; n <= 25; n++) await publish(`${n}`, "a");
  const seen: string[] = [];
  for (let since: number | null = 0; since !== null; ) {
    const { body } = await call("GET", `/v1/channels/a/messages?since=${since}&limit=10`);
    expect(body.messages.length).toBeLessThanOrEqual(10);
    seen.push(...body.messages.map(({ data }: { data: string }) => data));
    since = body.next;
  }
  expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => `${index + 1}`));
});

test.each(["a/b", "a%2Fb"])("a channel with a slash may be written %s", async (written) => {
  const { call } = await setUpApi();
  expect((await call("POST", `/v1/channels/${written}/messages`, { data: 1 })).body.channel).toBe("a/b");
  expect((await call("GET", `/v1/channels/${written}`)).body).toMatchObject({
    channel: "a/b",
    offset: 1,
    count: 1,
  });
  expect((await call("GET", `/v1/channels/${written}/messages`)).body.messages).toHaveLength(1);
});

test("a batch is all or nothing, in order", async () => {
  const { call } = await setUpApi();
  const good = [
    { channel: "a", data: 1 },
    { channel: "b", data: 2 },
    { channel: "a", data: 3, urgency: "low" },
  ];
  const { status, body } = await call("POST", "/v1/batch", { messages: good });
  expect(status).toBe(201);
  expect(body.results.map(({ channel, offset }: never) => `${channel} ${offset}`)).toEqual([
    "a 1",
    "b 1",
    "a 2",
  ]);
  const bad = await call("POST", "/v1/batch", { messages: [...good, { channel: "$x", data: 1 }] });
  expect(bad.status).toBe(400);
  expect(bad.body.detail).toStartWith("messages.3.channel: ");
  expect((await call("GET", "/v1/channels/a")).body.offset).toBe(2);
});

test("a batch needs the grant for each of its channels", async () => {
  const { request } = await setUpApi();
  const response = await request("POST", "/v1/batch", {
    token: "publish:a*",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      messages: [
        { channel: "a1", data: 1 },
        { channel: "b", data: 1 },
      ],
    }),
  });
  expect(response.status).toBe(403);
  expect(await response.json()).toMatchObject({
    code: "forbidden",
    detail: expect.stringContaining("messages.1"),
  });
});

const huge = "x".repeat(MAX_DATA_BYTES);
test.each([
  [{ data: 1, ttl: -1 }, 400, "ttl: "],
  [{ data: 1, ttl: 1.5 }, 400, "ttl: "],
  [{ data: 1, ttl: "1" }, 400, "ttl: "],
  [{ data: 1, urgency: "urgent" }, 400, "urgency: "],
  [{ data: 1, collapseKey: "a b" }, 400, "collapseKey: "],
  [{ data: 1, idempotencyKey: "" }, 400, "idempotencyKey: "],
  [{ data: 1, tags: [""] }, 400, "tags.0: "],
  [{ data: 1, more: 1 }, 400, "more"],
  [{}, 400, "data: "],
  [[], 400, ""],
  [{ data: huge }, 413, "data: "],
])("%j is refused with the field named", async (body, status, detail) => {
  const { call } = await setUpApi();
  const answer = await call("POST", "/v1/channels/a/messages", body);
  expect(answer.status).toBe(status);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.body.detail).toContain(detail);
  expect((await call("GET", "/v1/channels")).body.channels).toEqual([]);
});

test.each([
  [{ ttl: "1x" }, "header ttl"],
  [{ ttl: "-1" }, "header ttl"],
  [{ urgency: "hi" }, "header urgency"],
  [{ topic: "a b" }, "header topic"],
])("headers %j are refused by name", async (headers, place) => {
  const { request } = await setUpApi();
  const response = await request("POST", "/v1/channels/a/messages", { token: ADMIN_KEY, headers, body: "x" });
  expect(response.status).toBe(400);
  expect((await response.json()).detail).toStartWith(place);
});

test.each([
  ["not JSON", "{", "bad_json"],
  ["too deep", `{"data":${"[".repeat(60_000)}`, "bad_json"],
  ["not UTF-8", new Uint8Array([0x22, 0xff, 0x22]), "bad_encoding"],
])("a body that is %s is a problem", async (_, body, code) => {
  const { request } = await setUpApi();
  const headers = { "content-type": "application/json" };
  const response = await request("POST", "/v1/channels/a/messages", { token: ADMIN_KEY, headers, body });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ code });
});

test("who publishes too much is told when to come back", async () => {
  const { call, limits, clock } = await setUpApi();
  limits.maxPublishesPerSecond = 10;
  const publish = () => call("POST", "/v1/channels/a/messages", { data: 1 });
  const answers = await Promise.all(Array.from({ length: 40 }, publish));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(15);
  expect(refused[0]?.body.code).toBe("rate_limited");
  expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  clock.advance(3_000);
  expect((await publish()).status).toBe(201);
});

test("publishing for later makes a schedule, which its key finds again, also when publishing at once", async () => {
  const { call, clock, scheduler, schedules } = await setUpApi();
  const later = await call("POST", "/v1/channels/a/messages", {
    data: "{{x}}",
    delay: "1h",
    idempotencyKey: "k",
  });
  expect(later.status).toBe(202);
  expect(later.body.dueAt).toBe("2026-11-24T10:30:00.000Z");
  const again = await call("POST", "/v1/channels/a/messages", { data: 2, delay: "5h", idempotencyKey: "k" });
  expect(again.body).toEqual({ ...later.body, duplicate: true });
  const now = await call("POST", "/v1/channels/a/messages", { data: 3, idempotencyKey: "k" });
  expect({ status: now.status, body: now.body }).toEqual({
    status: 202,
    body: { ...later.body, duplicate: true },
  });
  expect(await schedules.get(later.body.schedule)).toMatchObject({ by: "admin", channel: "a" });
  expect((await call("GET", "/v1/channels")).body.channels).toEqual([]);
  clock.advance(3_600_000);
  scheduler.wake();
  await settle();
  await scheduler.stop();
  const { messages } = (await call("GET", "/v1/channels/a/messages")).body;
  expect(messages).toMatchObject([
    { data: "{{x}}", schedule: later.body.schedule, dueAt: "2026-11-24T10:30:00.000Z" },
  ]);
});

test.each([
  [{ at: "yesterday" }, "at"],
  [{ at: "2020-01-01T00:00:00Z" }, "at"],
  [{ delay: "0s" }, "delay"],
  [{ at: "2036-01-01T00:00:00Z", delay: "1h" }, "delay"],
])("for later by %j is refused by its field", async (when, field) => {
  const { call, schedules } = await setUpApi();
  const { status, body } = await call("POST", "/v1/channels/a/messages", { data: 1, ...when });
  expect(status).toBe(400);
  expect(body.detail).toStartWith(`${field}: `);
  expect(await schedules.list("", 10)).toEqual([]);
});
