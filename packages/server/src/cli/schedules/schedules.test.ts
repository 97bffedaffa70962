import { expect, test } from "bun:test";
import { runCommandLine } from "../run.ts";
import { type Answer, answerWith, fakeIo, problem } from "../testing/fake-io.ts";
import { schedules } from "./schedules.ts";

const morning = {
  id: "k3v9ZqaB",
  channel: "news",
  data: "Good morning",
  cron: "0 9 * * 1-5",
  timeZone: "Asia/Shanghai",
  enabled: true,
  createdAt: "2026-11-24T09:30:00.000Z",
  runs: 2,
  nextDueAt: "2026-11-24T09:33:00.000Z",
};
const done: Answer = () => answerWith(morning);

async function run(typed: readonly string[], answer: Answer = done) {
  const fake = fakeIo({ env: { CARILLON_KEY: "a-key-for-these-tests" }, answer });
  const code = await runCommandLine(["schedules", ...typed], schedules, fake.io);
  const asked = fake.requests.map(
    ({ method, url }) => `${method} ${url.replace("http://localhost:8080", "")}`,
  );
  return { ...fake, code, asked, bodies: fake.requests.map(({ body }) => body) };
}

test("add: as in the help", async () => {
  const flags = ["--cron", "0 9 * * 1-5", "--time-zone", "Asia/Shanghai", "--text", "Good morning"];
  const { code, out, err, asked, bodies } = await run(["add", "news", ...flags]);
  expect({ code, err }).toEqual({ code: 0, err: [] });
  expect(out).toEqual(["Made k3v9ZqaB: news, 0 9 * * 1-5 in Asia/Shanghai, next in 3 min"]);
  expect(asked).toEqual(["POST /v1/schedules"]);
  expect(bodies).toEqual([
    { channel: "news", data: "Good morning", cron: "0 9 * * 1-5", timeZone: "Asia/Shanghai" },
  ]);
});

test("add: all that can be said reaches the server", async () => {
  const rule = ["--every", "5m", "--align", "--jitter", "30s", "--until", "2026-12-31T00:00:00Z"];
  const more = ["--max-runs", "3", "--misfire", "20", "--disabled", "--time-zone", "Asia/Tokyo"];
  const delivery = ["--ttl", "1h", "--urgency", "low", "--collapse-key", "c", "--tag", "x", "--tag", "y"];
  const { bodies } = await run(["add", "a/b", "Tea at {{now|HH:mm}}", ...rule, ...more, ...delivery]);
  expect(bodies[0]).toEqual({
    channel: "a/b",
    data: "Tea at {{now|HH:mm}}",
    every: "5m",
    align: true,
    timeZone: "Asia/Tokyo",
    jitter: "30s",
    until: "2026-12-31T00:00:00Z",
    maxRuns: 3,
    misfire: 20,
    enabled: false,
    ttl: 3_600,
    urgency: "low",
    collapseKey: "c",
    tags: ["x", "y"],
  });
});

test.each([
  [["--at", "2026-12-24T18:00:00+01:00"], { at: "2026-12-24T18:00:00+01:00" }],
  [["--delay", "10m"], { delay: "10m" }],
  [["--every", "1s", "--misfire", "all"], { every: "1s", misfire: "all" }],
])("add %j", async (flags, rule) => {
  expect((await run(["add", "news", "Tea", ...flags])).bodies).toEqual([
    { channel: "news", data: "Tea", ...rule },
  ]);
});

test("add --to: in place of a channel, for somebody", async () => {
  const told = { ...morning, channel: undefined, to: "tag:a & !tag:b" };
  const { bodies, out } = await run(["add", "--to", "tag:a & !tag:b", "Tea", "--every", "5m"], () =>
    answerWith(told),
  );
  expect(bodies).toEqual([{ to: "tag:a & !tag:b", data: "Tea", every: "5m" }]);
  expect(out).toEqual(["Made k3v9ZqaB: tag:a & !tag:b, 0 9 * * 1-5 in Asia/Shanghai, next in 3 min"]);
  const list = await run(["list"], () => answerWith({ schedules: [told], next: null }));
  expect(list.out[1]).toContain("  tag:a & !tag:b  ");
  const shown = await run(["show", "k3v9ZqaB"], () => answerWith(told));
  expect(shown.out.slice(0, 2)).toEqual(["id         k3v9ZqaB", "to         tag:a & !tag:b"]);
});

test("edit --to", async () => {
  expect((await run(["edit", "k3v9ZqaB", "--to", "everyone"])).bodies).toEqual([{ to: "everyone" }]);
});

test("add: JSON, and names in it", async () => {
  const { bodies } = await run(["add", "news", "--delay", "1s", "--data", '{"run":"{{run}}"}']);
  expect(bodies[0]).toMatchObject({ data: { run: "{{run}}" } });
});

test.each([
  [["add", "$all", "Tea", "--every", "5m"], '"$all": channel names'],
  [["add", "news", "Tea"], "say when: --every, --cron, --at or --delay"],
  [["add", "news", "--every", "5m"], "say what is published: TEXT, --text or --data"],
  [["add", "news", "Tea", "--every", "5m", "--delay", "1s"], "--every and --delay do not go together"],
  [["add", "news", "Tea", "--text", "Tea", "--every", "5m"], "TEXT and --text do not go together"],
  [["add", "news", "--text", "Tea", "--data", "1", "--every", "5m"], "--text and --data do not go together"],
  [["add", "news", "Tea", "--every", "10ms"], "--every: a length of time from 1s"],
  [["add", "news", "Tea", "--cron", "61 * * * *"], "--cron: "],
  [["add", "news", "Tea", "--cron", "0 0 30 2 *"], "--cron: "],
  [["add", "news", "Tea", "--at", "tomorrow"], "--at: a time such as 2026-11-24T09:30:00Z"],
  [["add", "news", "Tea", "--at", "2027-02-30T09:00:00Z"], "--at: a time such as"],
  [["add", "news", "Tea", "--delay", "soon"], "--delay: a length of time"],
  [["add", "news", "Tea", "--cron", "0 9 * * *", "--align"], "--align: goes with every only"],
  [["add", "news", "Tea", "--cron", "0 9 * * *", "--time-zone", "Asia/Shangai"], "--time-zone: no such"],
  [["add", "news", "Tea", "--every", "5m", "--jitter", "2d"], "--jitter: a length of time up to 1d"],
  [["add", "news", "Tea", "--every", "5m", "--until", "later"], "--until: a time such as"],
  [["add", "news", "Tea", "--every", "5m", "--max-runs", "0"], "--max-runs: a whole number from 1"],
  [["add", "news", "Tea", "--every", "5m", "--max-runs", "many"], "--max-runs: a whole number from 1"],
  [["add", "news", "Tea", "--every", "5m", "--misfire", "100000"], "--misfire: skip, one, all or a whole"],
  [["add", "news", "Tea", "--every", "5m", "--misfire", "constructor"], "--misfire: skip, one, all"],
  [["add", "news", "{{name}}", "--every", "5m"], "TEXT: unknown name in {{name}}"],
  [["add", "news", "--every", "5m", "--data", '{"a":["{{now|QQ}}"]}'], "--data: unknown letters QQ"],
  [["add", "news", "--every", "5m", "--data", "{"], "--data: expected JSON"],
  [["add", "news", "x".repeat(61_440), "--every", "5m"], "TEXT: up to 61442 bytes"],
  [["add", "news", "Tea", "--every", "5m", "--ttl", "soon"], "--ttl"],
  [["add", "news", "Tea", "--every", "5m", "--urgency", "hihg"], "--urgency"],
  [["edit", "k3v9ZqaB"], "say what is to change: TEXT or a flag"],
  [["edit", "k3v9ZqaB", "--remove", "cron"], '--remove "cron": expected align, jitter'],
  [["edit", "k3v9ZqaB", "--remove", "constructor"], '--remove "constructor": expected'],
  [["edit", "k3v9ZqaB", "--channel", "a b"], '"a b": '],
  [["add", "--every", "5m"], "CHANNEL is missing, or --to in its place"],
  [["add", "news", "Tea", "--to", "everyone", "--every", "5m"], 'unexpected argument "Tea": with --to there'],
  [["add", "Tea", "--to", "ann", "--every", "5m"], '--to "ann": device:ID, user:ID, channel:NAME'],
  [["add", "Tea", "--to", "tag:a &", "--every", "5m"], '--to "tag:a &": expected tag:NAME'],
  [["edit", "k3v9ZqaB", "--to", "user:"], '--to "user:": a user is named by'],
  [["edit", "k3v9ZqaB", "--to", "everyone", "--channel", "news"], "--channel and --to do not go together"],
  [["edit", "k3v9ZqaB", "--jitter", "2d"], "--jitter"],
  [["next"], "say which: an ID, or --every, --cron, --at or --delay"],
  [["next", "--jitter", "1s"], "say which: an ID, or"],
  [["next", "k3v9ZqaB", "--every", "5m"], "ID and flags that say when do not go together"],
  [["next", "k3v9ZqaB", "--from", "2026-12-24T18:00:00Z"], "ID and flags that say when"],
  [["next", "k3v9ZqaB", "--count", "0"], '--count "0": expected a whole number from 1 to 1000'],
  [["next", "k3v9ZqaB", "--count", "1001"], "--count"],
  [["runs", "k3v9ZqaB", "--count", "101"], '--count "101": expected a whole number from 1 to 100'],
  [["runs", "k3v9ZqaB", "--count", "x"], "--count"],
  [["pause"], "ID is missing"],
  [["remove", "k3v9ZqaB"], "expected list, add, show, next, edit, pause, resume, run, runs or delete"],
])("%j is wrong usage, and nothing is sent", async (typed, said) => {
  const { code, err, out, requests } = await run(typed);
  expect({ code, out, lines: err.length, requests }).toEqual({ code: 2, out: [], lines: 1, requests: [] });
  expect(err.join()).toContain(said);
});

test("what only the server knows is said in its words", async () => {
  const { code, err } = await run(
    ["add", "news", "Tea", "--every", "5m", "--until", "2001-01-01T00:00:00Z"],
    () => problem(400, "bad_field", "until: is in the past"),
  );
  expect({ code, err }).toEqual({ code: 1, err: ["carillon: 400 bad_field: until: is in the past"] });
});

test("edit sends what is named; another rule takes the place of the one before", async () => {
  const { asked, bodies, out } = await run(["edit", "k3v9ZqaB", "Good evening", "--urgency", "low"]);
  expect({ asked, bodies }).toEqual({
    asked: ["PATCH /v1/schedules/k3v9ZqaB"],
    bodies: [{ data: "Good evening", urgency: "low" }],
  });
  expect(out[0]).toStartWith("Changed k3v9ZqaB: news, ");
  const other = await run(["edit", "k3v9ZqaB", "--cron", "0 18 * * *", "--channel", "evening"]);
  expect(other.bodies).toEqual([
    { every: null, align: null, cron: "0 18 * * *", at: null, delay: null, channel: "evening" },
  ]);
  const aligned = await run(["edit", "k3v9ZqaB", "--every", "1h", "--align"]);
  expect(aligned.bodies).toEqual([{ every: "1h", align: true, cron: null, at: null, delay: null }]);
});

test("edit --remove takes away; --align alone is for a schedule that has --every", async () => {
  const removed = await run([
    "edit",
    "k3v9ZqaB",
    "--remove",
    "until",
    "--remove",
    "collapse-key",
    "--remove",
    "tag",
  ]);
  expect(removed.bodies).toEqual([{ until: null, collapseKey: null, tags: null }]);
  expect((await run(["edit", "k3v9ZqaB", "--align"])).bodies).toEqual([{ align: true }]);
});

test("list: all pages, in aligned columns", async () => {
  const others = [
    { ...morning, id: "b", enabled: false, nextDueAt: null, data: { text: "x".repeat(100) } },
    { ...morning, id: "push-every", cron: undefined, every: "300000ms", data: "茶\u001b[2J", managed: true },
    { ...morning, id: "z", cron: undefined, at: "2026-11-24T09:00:00Z", nextDueAt: null },
  ];
  const pages = [
    { schedules: [morning], next: morning.id },
    { schedules: others, next: null },
  ];
  const { asked, out } = await run(["list"], (_, index) => answerWith(pages[index]));
  expect(asked).toEqual(["GET /v1/schedules?limit=1000", `GET /v1/schedules?limit=1000&after=${morning.id}`]);
  expect(out).toEqual([
    "ID          TO    WHEN                          NEXT      RUNS  PUBLISHES",
    "k3v9ZqaB    news  0 9 * * 1-5 in Asia/Shanghai  in 3 min  2     Good morning",
    `b           news  0 9 * * 1-5 in Asia/Shanghai  paused    2     {"text":"${"x".repeat(31)}…`,
    "push-every  news  every 5m                      in 3 min  2     茶\ufffd[2J",
    "z           news  once                          ended     2     Good morning",
  ]);
});

test("list: none is said; --json is one document with what later versions add", async () => {
  const none = await run(["list"], () => answerWith({ schedules: [], next: null }));
  expect(none.out).toEqual(["There are none; carillon schedules add makes one"]);
  const later = { ...morning, colour: 1 };
  const { out } = await run(["list", "--json"], () => answerWith({ schedules: [later], next: null }));
  expect(JSON.parse(out.join())).toEqual({ schedules: [later] });
});

test("show: what is said, and nothing that is not", async () => {
  const { asked, out } = await run(["show", "a/../b"], () =>
    answerWith({ ...morning, data: "Tea\u001b[2J", ttl: 0, tags: ["x", "y"] }),
  );
  expect(asked).toEqual(["GET /v1/schedules/a%2F..%2Fb"]);
  const said = out.join("\n");
  expect(said).toContain("publishes  Tea\ufffd[2J");
  expect(said).toMatch(/^next {7}in 3 min \(2026-11-2\d \d\d:33:00\)$/m);
  expect(said).toMatch(/^misfire {4}one$/m);
  expect(said).toMatch(/^ttl {8}0$/m);
  expect(said).toMatch(/^tags {7}x, y$/m);
  expect(said).not.toMatch(/undefined|jitter|made by/);
  const managed = await run(["show", "x"], () => answerWith({ ...morning, managed: true }));
  expect(managed.out.join("\n")).toContain("the server's flags, which alone can change it");
});

test("runs: how late each was", async () => {
  const times = { dueAt: morning.nextDueAt, startedAt: morning.nextDueAt };
  const runs = [
    { ...times, latenessMs: 0, outcome: "manual" },
    { ...times, latenessMs: 7_200_000, outcome: "missed" },
  ];
  const { asked, out } = await run(["runs", "k3v9ZqaB", "--count", "7"], () => answerWith({ runs }));
  expect(asked).toEqual(["GET /v1/schedules/k3v9ZqaB/runs?limit=7"]);
  expect(out.map((line) => line.replace(/^2026-\S+ \S+/, ""))).toEqual([
    "DUE                  LATE  OUTCOME",
    "  0 ms  manual",
    "  2 h   missed",
  ]);
  expect((await run(["runs", "x"], () => answerWith({ runs: [] }))).out).toEqual(["It has not run yet"]);
});

test.each([
  [["pause", "x"], morning, "PATCH /v1/schedules/x", { enabled: false }, "Paused k3v9ZqaB"],
  [["resume", "x"], morning, "PATCH /v1/schedules/x", { enabled: true }, "Resumed k3v9ZqaB, next in 3 min"],
  [
    ["run", "x"],
    { dueAt: "", startedAt: "", latenessMs: 0, outcome: "manual" },
    "POST /v1/schedules/x/run",
    undefined,
    "Published what x says",
  ],
] as const)("%j", async (typed, answer, request, body, said) => {
  const { code, asked, bodies, out } = await run(typed, () => answerWith(answer));
  expect({ code, asked, bodies, out }).toEqual({ code: 0, asked: [request], bodies: [body], out: [said] });
  const { out: json } = await run([...typed, "--json"], () => answerWith(answer));
  expect(JSON.parse(json.join())).toEqual(answer);
});

test("delete", async () => {
  const gone: Answer = () => new Response(null, { status: 204 });
  const { asked, out } = await run(["delete", "x"], gone);
  expect({ asked, out }).toEqual({ asked: ["DELETE /v1/schedules/x"], out: ["Deleted x"] });
  expect(JSON.parse((await run(["delete", "x", "--json"], gone)).out.join())).toEqual({
    id: "x",
    deleted: true,
  });
  const managed = await run(["delete", "push-every"], () =>
    problem(409, "managed", "the server's flags say"),
  );
  expect(managed).toMatchObject({ code: 1, err: ["carillon: 409 managed: the server's flags say"] });
});

test("next: flags go to the preview as they are", async () => {
  const dueAt = ["2026-11-24T09:35:00.000Z", "2027-11-24T09:35:00.000Z"];
  const flags = ["--cron", "35 9 24 11 *", "--time-zone", "UTC", "--from", "2026-11-01T00:00:00Z"];
  const { asked, bodies, out } = await run(["next", ...flags, "--count", "2"], () => answerWith({ dueAt }));
  expect(asked).toEqual(["POST /v1/schedules/preview"]);
  expect(bodies).toEqual([{ cron: "35 9 24 11 *", timeZone: "UTC", from: "2026-11-01T00:00:00Z", count: 2 }]);
  expect(out[0]).toBe("DUE                  THAT IS");
  expect(out[1]).toEndWith("  in 5 min");
  expect(out[2]).toMatch(/^2027-11-2\S+ \S+ {2}2027-11-2\S+ \d\d:35$/);
  const json = await run(["next", ...flags, "--json"], () => answerWith({ dueAt }));
  expect(JSON.parse(json.out.join())).toEqual({ dueAt });
});

test.each([
  [{ every: "5m", cron: undefined }, "2026-11-24T09:28:00.000Z", {}],
  [{ every: "5m", align: true, cron: undefined }, "2026-11-24T09:32:59.999Z", {}],
  [{ delay: "1h", cron: undefined }, "2026-11-24T08:33:00.000Z", {}],
  [{ maxRuns: 5 }, "2026-11-24T09:32:59.999Z", { maxRuns: 3 }],
  [{ maxRuns: 1 }, "2026-11-24T09:32:59.999Z", { maxRuns: 1 }],
])("next ID of one with %j asks so that its next run is the first", async (rule, from, more) => {
  const found = { ...morning, ...rule };
  const { asked, bodies } = await run(["next", "k3v9ZqaB"], (_, index) =>
    answerWith(index === 0 ? found : { dueAt: [morning.nextDueAt] }),
  );
  expect(asked).toEqual(["GET /v1/schedules/k3v9ZqaB", "POST /v1/schedules/preview"]);
  const { cron, timeZone } = found;
  const { every, align, delay } = rule as { every?: string; align?: boolean; delay?: string };
  expect(bodies[1]).toEqual({ every, align, delay, cron, timeZone, from, count: 10, ...more });
});

test("next ID of one that is paused: none is due", async () => {
  const { code, out, asked } = await run(["next", "x"], () => answerWith({ ...morning, nextDueAt: null }));
  expect({ code, out }).toEqual({ code: 0, out: ["None is due: it is paused or has ended"] });
  expect(asked).toHaveLength(1);
});
