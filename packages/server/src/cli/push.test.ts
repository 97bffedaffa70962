import { expect, test } from "bun:test";
import { push } from "./push.ts";
import { runCommandLine } from "./run.ts";
import { type Answer, answerWith, fakeIo, problem, type World } from "./testing/fake-io.ts";

const KEY = "a-key-for-these-tests";
const TIME = "2026-11-24T09:30:00.000Z";
const result = (channel: string, offset?: number, more = {}) => ({
  id: `id-${offset}`,
  channel,
  epoch: "k3v9Zq",
  ...(offset !== undefined && { offset }),
  time: TIME,
  ...more,
});

async function run(typed: readonly string[], world: World = {}) {
  const fake = fakeIo({ answer: () => answerWith(result("news", 43), 201), ...world });
  const code = await runCommandLine(["push", ...typed, "--key", KEY], [push], fake.io);
  return { ...fake, code };
}

test("a text is published, and its offset told", async () => {
  const { code, out, err, requests } = await run(["news", "Tea is ready"]);
  expect({ code, out, err }).toEqual({ code: 0, out: ["Published to news at offset 43"], err: [] });
  expect(requests).toHaveLength(1);
  expect(requests[0]).toMatchObject({
    method: "POST",
    url: "http://localhost:8080/v1/channels/news/messages",
    body: { data: "Tea is ready" },
  });
});

test("all that can be said about it reaches the server", async () => {
  const flags = ["--ttl", "1h", "--urgency", "high", "--collapse-key", "c", "--idempotency-key", "i"];
  const { requests } = await run(["a/b", "--data", '{"n":1}', ...flags, "--tag", "x", "--tag", "y"]);
  expect(requests[0]?.url).toEndWith("/v1/channels/a/b/messages");
  expect(requests[0]?.body).toEqual({
    data: { n: 1 },
    ttl: 3_600,
    urgency: "high",
    collapseKey: "c",
    idempotencyKey: "i",
    tags: ["x", "y"],
  });
});

test.each([
  ["0", 0],
  ["90", 90],
  ["365d", 31_536_000],
  ["2000ms", 2],
])("--ttl %s is %i seconds", async (typed, ttl) => {
  expect((await run(["news", "Tea", "--ttl", typed])).requests[0]?.body).toMatchObject({ ttl });
});

test.each([
  [result("news"), "Sent to those connected to news; kept for nobody"],
  [
    result("news", 7, { duplicate: true }),
    "Already published to news at offset 7: the idempotency key is known",
  ],
])("%#: what became of it is told", async (answer, said) => {
  expect((await run(["news", "Tea"], { answer: () => answerWith(answer) })).out).toEqual([said]);
});

test("--to: to somebody, in place of a channel", async () => {
  const answer = { id: "0mrn7w2c", epoch: "k3v9Zq", offset: 2, time: TIME };
  const { code, out, requests } = await run(["--to", "user:ann", "Tea", "--urgency", "high"], {
    answer: () => answerWith(answer, 201),
  });
  expect({ code, out }).toEqual({ code: 0, out: ["Published to user:ann as 0mrn7w2c"] });
  expect(requests[0]).toMatchObject({ method: "POST", url: "http://localhost:8080/v1/messages" });
  expect(requests[0]?.body).toEqual({ to: "user:ann", data: "Tea", urgency: "high" });
  const { out: json } = await run(["--to", "everyone", "--data", "1", "--json"], {
    answer: () => answerWith(answer, 201),
  });
  expect(JSON.parse(json.join())).toEqual(answer);
});

test("--to: what is withdrawn from other devices, and whose receipts are kept", async () => {
  const { requests } = await run(["--to", "user:ann", "Tea", "--withdraw-on", "read", "--receipts"]);
  expect(requests[0]?.body).toEqual({ to: "user:ann", data: "Tea", withdrawOn: "read", receipts: true });
});

test("--to --delay: it is told when, and how to cancel it", async () => {
  const { out, requests } = await run(["--to", "tag:a|tag:b", "Tea", "--delay", "3m"], {
    answer: () => answerWith(later, 202),
  });
  expect(requests[0]?.body).toEqual({ to: "tag:a|tag:b", data: "Tea", delay: "3m" });
  expect(out).toEqual(["To be published in 3 min; carillon schedules delete k3v9ZqaB cancels it"]);
});

const later = { schedule: "k3v9ZqaB", dueAt: "2026-11-24T09:33:00.000Z" };

test.each([
  [["--at", "2026-11-24T09:33:00Z"], { at: "2026-11-24T09:33:00Z" }],
  [["--delay", "3m"], { delay: "3m" }],
])("%j: it is told when, and how to cancel it", async (flags, when) => {
  const { out, requests } = await run(["news", "Tea", ...flags], { answer: () => answerWith(later, 202) });
  expect(requests[0]?.body).toEqual({ data: "Tea", ...when });
  expect(out).toEqual(["To be published in 3 min; carillon schedules delete k3v9ZqaB cancels it"]);
  const { out: json } = await run(["news", "Tea", ...flags, "--json"], {
    answer: () => answerWith(later, 202),
  });
  expect(JSON.parse(json.join())).toEqual(later);
});

test("--delay with an idempotency key that was used before", async () => {
  const answer = () => answerWith({ ...later, duplicate: true }, 202);
  const { out } = await run(["news", "Tea", "--delay", "3m", "--idempotency-key", "i"], { answer });
  expect(out).toEqual(["Accepted before, for 2026-11-24T09:33:00.000Z: the idempotency key is known"]);
});

test("--json prints the server's answer", async () => {
  const { out } = await run(["news", "Tea", "--json"]);
  expect(JSON.parse(out.join("\n"))).toEqual(result("news", 43));
});

test.each([
  [["Tea\n"], "Tea"],
  [["Tea\r\n"], "Tea"],
  [["Tea\n\n"], "Tea\n"],
  [["T", "ea"], "Tea"],
  [[new Uint8Array([0xe8, 0x8c]), new Uint8Array([0xb6, 0x0a])], "茶"],
  [[], ""],
])("standard input %j is the text %j", async (input, data) => {
  expect((await run(["news"], { input })).requests[0]?.body).toEqual({ data });
});

test("a text that is given empty is published empty", async () => {
  expect((await run(["news", ""], { input: ["not read"] })).requests[0]?.body).toEqual({ data: "" });
});

test.each([
  [["$all", "Tea"], '"$all": channel names that begin with $'],
  [["news", "Tea", "--ttl", "1500ms"], "--ttl"],
  [["news", "Tea", "--ttl", "366d"], "--ttl"],
  [["news", "Tea", "--ttl", "soon"], "--ttl"],
  [["news", "Tea", "--urgency", "hihg"], "--urgency"],
  [["news", "--data", "{"], "--data: expected JSON"],
  [["news", "Tea", "--data", "1"], "TEXT and --data do not go together"],
  [["news", "--file", "f", "--data", "1"], "--data and --file do not go together"],
  [["news", "Tea", "--lines"], "--lines and TEXT do not go together"],
  [["news", "--data", "1", "--lines"], "--lines and --data do not go together"],
  [["news", "Tea", "--at", "tomorrow"], "--at: a time such as"],
  [["news", "Tea", "--delay", "0s"], "--delay: a length of time from 1ms"],
  [["news", "Tea", "--at", "2036-12-24T18:00:00Z", "--delay", "1m"], "--at and --delay do not go together"],
  [["news", "--lines", "--delay", "1m"], "--lines and --delay do not go together"],
  [["Tea", "--to", "ann"], '--to "ann": device:ID, user:ID, channel:NAME, tag:NAME or everyone is expected'],
  [["Tea", "--to", "tag:a tag:b"], '--to "tag:a tag:b": expected & or |'],
  [["news", "Tea", "--to", "everyone"], 'unexpected argument "Tea": with --to there is no CHANNEL'],
  [["news", "Tea", "--receipts"], "--receipts goes with --to only; a channel is --to channel:NAME"],
  [["news", "Tea", "--withdraw-on", "ack"], "--withdraw-on goes with --to only"],
  [["Tea", "--to", "everyone", "--withdraw-on", "ack"], "--withdraw-on goes with --to user:ID only"],
  [["Tea", "--to", "user:ann", "--withdraw-on", "never"], '--withdraw-on "never": expected ack or read'],
  [["--to", "everyone", "--lines"], "--lines and --to do not go together"],
  [["--urgency", "high"], "CHANNEL is missing, or --to in its place"],
  [["news", "--file", "/nonexistent"], "--file /nonexistent: ENOENT"],
  [["news", "--file", "/nonexistent", "--lines"], "--file /nonexistent: ENOENT"],
])("%j is wrong usage, and nothing is sent", async (typed, said) => {
  const { code, err, requests } = await run(typed);
  expect({ code, requests }).toEqual({ code: 2, requests: [] });
  expect(err.join("\n")).toContain(said);
});

test("what is too long or no UTF-8 is not sent, however much there is of it", async () => {
  const endless = {
    *[Symbol.iterator]() {
      for (;;) yield "x".repeat(50_000);
    },
  };
  for (const [input, said] of [
    [endless, "61440 bytes"],
    [[new Uint8Array([0xff])], "not UTF-8"],
  ] as const) {
    for (const flags of [[], ["--lines"]]) {
      const { code, err, requests } = await run(["news", ...flags], { input: input as never });
      expect({ code, requests }).toEqual({ code: 2, requests: [] });
      expect(err.join()).toContain(said);
    }
  }
});

/** Answers a batch, offsets counting up over all calls. */
function batches(): { sizes: number[]; answer: Answer } {
  const sizes: number[] = [];
  let offset = 42;
  const answer: Answer = ({ body }) => {
    const { messages } = body as { messages: { channel: string }[] };
    sizes.push(messages.length);
    return answerWith({ results: messages.map(({ channel }) => result(channel, ++offset)) }, 201);
  };
  return { sizes, answer };
}
const lines = (count: number) => Array.from({ length: count }, (_, index) => `line ${index + 1}\n`).join("");

test("--lines: each line is one, a hundred go in one call, in order", async () => {
  const { sizes, answer } = batches();
  const { code, out, requests } = await run(["news", "--lines", "--ttl", "60"], {
    answer,
    input: [lines(250)],
  });
  expect({ code, out, sizes }).toEqual({
    code: 0,
    out: ["Published 250 to news, offsets 43 to 292"],
    sizes: [100, 100, 50],
  });
  const sent = requests.flatMap(({ body }) => (body as { messages: object[] }).messages);
  expect(sent[249]).toEqual({ channel: "news", data: "line 250", ttl: 60 });
  expect(requests[0]?.url).toEndWith("/v1/batch");
});

test("--lines: what has come in goes out, and a line may come in pieces", async () => {
  const { sizes, answer } = batches();
  const { requests } = await run(["news", "--lines"], { answer, input: ["a\n\nb", "c\r\n", "d"] });
  expect(sizes).toEqual([1, 1, 1]);
  const sent = requests.flatMap(({ body }) => (body as { messages: { data: string }[] }).messages);
  expect(sent.map(({ data }) => data)).toEqual(["a", "bc", "d"]);
});

test("--lines: long lines make for fewer in a call, so that proxies let them through", async () => {
  const { sizes, answer } = batches();
  const long = `${"x".repeat(60_000)}\n`;
  await run(["news", "--lines"], { answer, input: [long.repeat(20)] });
  expect(sizes).toEqual([8, 8, 4]);
});

test("--lines --json tells the counts", async () => {
  const { answer } = batches();
  const { out } = await run(["news", "--lines", "--json"], { answer, input: ["a\nb\n"] });
  expect(JSON.parse(out.join())).toEqual({
    channel: "news",
    published: 2,
    duplicates: 0,
    first: 43,
    last: 44,
  });
});

test("--lines: an idempotency key makes one for each line; what had been before is told", async () => {
  const answer: Answer = ({ body }) =>
    answerWith({
      results: (body as { messages: { idempotencyKey: string }[] }).messages.map(({ idempotencyKey }) =>
        idempotencyKey === "run-3" ? result("news", 9) : result("news", 5, { duplicate: true }),
      ),
    });
  const { out } = await run(["news", "--lines", "--idempotency-key", "run"], { answer, input: ["a\n\nc\n"] });
  expect(out).toEqual(["Published 1 to news, offsets 9 to 9; 1 had been before"]);
});

test("--lines: a refusal names the line of the file and what was published before", async () => {
  const good = batches().answer;
  const answer: Answer = (request, index) =>
    index === 0 ? good(request, index) : problem(413, "payload_too_large", "messages.5.data: 70000 bytes");
  const { code, err } = await run(["news", "--lines"], { answer, input: [`\n${lines(150)}`] });
  expect({ code, err }).toEqual({
    code: 1,
    err: ["carillon: 413 payload_too_large: line 107.data: 70000 bytes; published before: 100"],
  });
});

test("--lines: when the server goes away it is told which lines may have been published", async () => {
  const good = batches().answer;
  const answer: Answer = (request, index) => {
    if (index === 0) return good(request, index);
    throw Object.assign(new TypeError(), { code: "ECONNRESET" });
  };
  const { code, err } = await run(["news", "--lines"], { answer, input: [lines(150)] });
  expect(code).toBe(3);
  expect(err.join()).toContain("lines 101 to 150 may have been published; published before: 100");
});

test("--lines: too fast for the server, it waits as long as it is told", async () => {
  const good = batches().answer;
  const answer: Answer = (request, index) =>
    index === 0 ? problem(429, "rate_limited", "too many", { "retry-after": "2" }) : good(request, index);
  const fake = fakeIo({ answer, input: ["a\n"] });
  const done = runCommandLine(["push", "news", "--lines", "--key", KEY], [push], fake.io);
  while (fake.requests.length < 1) await Promise.resolve();
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  fake.clock.advance(1_999);
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  expect(fake.requests).toHaveLength(1);
  fake.clock.advance(1);
  expect(await done).toBe(0);
  expect(fake.out).toEqual(["Published 1 to news, offsets 43 to 43"]);
});
