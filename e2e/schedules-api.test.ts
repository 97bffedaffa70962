/** Schedules over HTTP: what is refused and leaves nothing behind, who may do what, previews, and the one of the flags. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Answer, Caller } from "./support/api.ts";
import { Server } from "./support/carillon.ts";

const KEY = "a-key-for-these-tests";

let server: Server;
let admin: Caller;
beforeAll(async () => {
  server = await Server.start(["--push-every", "1h", "--push-text", "Hourly", "--admin-key", KEY]);
  admin = new Caller(server, KEY);
});
afterAll(() => server[Symbol.asyncDispose]());

const all = async (caller = admin) => (await caller.call("GET", "/v1/schedules?limit=1000")).body.schedules;
const idsOf = (schedules: readonly { readonly id: string }[]) => schedules.map(({ id }) => id);
const news = (more: object) => ({ channel: "news", data: "Tea", ...more });

/** A detail that begins with the field; a key that there is not stands where the parser puts it. */
const naming = (field: string) => new RegExp(`^(Unrecognized key: ")?${field}\\b`);

describe("what is wrong is named, and nothing is kept", () => {
  const BAD: readonly (readonly [string, object, field: string])[] = [
    ["no rule", {}, "every"],
    ["30 February, by cron", { cron: "0 0 30 2 *" }, "cron"],
    ["30 February, once", { at: "2099-02-30T09:00:00Z" }, "at"],
    ["a time without a zone", { at: "2099-02-20T09:00:00" }, "at"],
    ["a time that has passed", { at: "2001-01-01T00:00:00Z" }, "at"],
    ["an unknown zone", { every: "5m", timeZone: "Mars/Phobos" }, "timeZone"],
    ["every 10ms", { every: "10ms" }, "every"],
    ["every 0s", { every: "0s" }, "every"],
    ["a negative delay", { delay: "-5m" }, "delay"],
    ["until in the past", { every: "5m", until: "2001-01-01T00:00:00Z" }, "until"],
    ["until before the first run", { at: "2099-01-02T00:00:00Z", until: "2099-01-01T00:00:00Z" }, "until"],
    ["an unknown name", { every: "5m", data: "Hello {{name}}" }, "data"],
    ["an unknown format", { every: "5m", data: ["{{now|QQ}}"] }, "data"],
    ["a text that is too large", { every: "5m", data: "x".repeat(61_440) }, "data"],
    ["one that is too large when it is filled in", { every: "5m", data: "{{now}}".repeat(6_000) }, "data"],
    ["an empty text", { every: "5m", data: "" }, "data"],
    ["misfire 100000", { every: "5m", misfire: 100_000 }, "misfire"],
    ["misfire often", { every: "5m", misfire: "often" }, "misfire"],
    ["two rules", { every: "5m", cron: "0 9 * * *" }, "cron"],
    ["two times", { at: "2099-01-01T00:00:00Z", delay: "5m" }, "delay"],
    ["align without every", { cron: "0 9 * * *", align: true }, "align"],
    ["jitter of two days", { every: "5m", jitter: "2d" }, "jitter"],
    ["no runs", { every: "5m", maxRuns: 0 }, "maxRuns"],
    ["a number for a length of time", { every: 300 }, "every"],
    ["an unknown urgency", { every: "5m", urgency: "utmost" }, "urgency"],
    ["an unknown key", { every: "5m", everyy: "5m" }, "everyy"],
    ["a channel of the server", { every: "5m", channel: "$all" }, "channel"],
  ];

  test.each(BAD)("%s", async (_, fields, field) => {
    const before = await all();
    const refused = await admin.call("POST", "/v1/schedules", news(fields));
    expect(refused).toMatchObject({ status: 400, body: { code: "bad_field" } });
    expect(refused.body.detail).toMatch(naming(field));
    expect(await all()).toEqual(before);
  });

  test.each(BAD)("in a change: %s", async (_, fields, field) => {
    const { body: kept } = await admin.call("POST", "/v1/schedules", news({ every: "1h" }));
    const refused = await admin.call("PATCH", `/v1/schedules/${kept.id}`, { every: null, ...fields });
    expect(refused).toMatchObject({ status: 400, body: { code: "bad_field" } });
    expect(refused.body.detail).toMatch(naming(field));
    expect((await admin.call("GET", `/v1/schedules/${kept.id}`)).body).toEqual(kept);
    expect((await admin.call("DELETE", `/v1/schedules/${kept.id}`)).status).toBe(204);
  });

  test.each([
    [{ at: "2001-01-01T00:00:00Z" }, "at"],
    [{ at: "2099-01-01T00:00:00Z", delay: "5m" }, "delay"],
    [{ delay: "soon" }, "delay"],
  ])("published later: %j", async (when, field) => {
    const before = await all();
    const refused = await admin.call("POST", "/v1/channels/news/messages", { data: "Tea", ...when });
    expect(refused).toMatchObject({ status: 400, body: { code: "bad_field" } });
    expect(refused.body.detail).toMatch(naming(field));
    expect(await all()).toEqual(before);
  });

  test("on the command line: the flag is named, and what the server's clock says", async () => {
    const wrong = await admin.run("schedules", "add", "news", "Tea", "--cron", "0 0 30 2 *");
    expect(wrong).toMatchObject({ code: 2, out: [] });
    expect(wrong.err.join()).toStartWith("carillon: --cron: ");
    const late = await admin.run("schedules", "add", "news", "Tea", "--at", "2001-01-01T00:00:00Z");
    expect(late).toMatchObject({ code: 1, err: ["carillon: 400 bad_field: at: is in the past"] });
  });
});

describe("a token for one channel", () => {
  let mine: Caller;
  let nobody: Caller;
  let foreign: { readonly id: string };
  beforeAll(async () => {
    const tokenFor = async (grants: object) =>
      (await admin.call("POST", "/v1/tokens", { name: "t", ...grants })).body.token;
    mine = new Caller(server, await tokenFor({ publish: ["mine"] }));
    nobody = new Caller(server, await tokenFor({ subscribe: ["*"], history: ["*"] }));
    foreign = (await admin.call("POST", "/v1/schedules", news({ every: "1h" }))).body;
  });

  test("makes and sees schedules of that channel", async () => {
    const made = await mine.call("POST", "/v1/schedules", { channel: "mine", data: "Tea", every: "1h" });
    expect(made.status).toBe(201);
    expect(idsOf(await all(mine))).toEqual([made.body.id]);
    expect((await mine.call("GET", `/v1/schedules/${made.body.id}`)).status).toBe(200);
    expect((await mine.call("POST", `/v1/schedules/${made.body.id}/run`)).status).toBe(201);
    const { out } = await mine.run("schedules", "list");
    expect(out).toHaveLength(2);
    expect(idsOf(await all(nobody))).toEqual([]);
    expect((await nobody.call("GET", `/v1/schedules/${made.body.id}`)).status).toBe(404);
    const moved = await mine.call("PATCH", `/v1/schedules/${made.body.id}`, { channel: "news" });
    expect(moved).toMatchObject({ status: 403, body: { code: "forbidden" } });
    expect((await mine.call("DELETE", `/v1/schedules/${made.body.id}`)).status).toBe(204);
  });

  test("makes none for another", async () => {
    const before = await all();
    const refused = await mine.call("POST", "/v1/schedules", news({ every: "1h" }));
    expect(refused).toMatchObject({ status: 403, body: { code: "forbidden" } });
    expect((await mine.call("POST", "/v1/channels/news/messages", { data: "x", delay: "1h" })).status).toBe(
      403,
    );
    expect(await all()).toEqual(before);
  });

  test("does not learn that there are others", async () => {
    const pages = async (path: string) => (await mine.call("GET", path)).body.schedules;
    expect(idsOf(await pages("/v1/schedules?limit=1"))).not.toContain(foreign.id);
    const asks = (id: string): Promise<Answer>[] => [
      mine.call("GET", `/v1/schedules/${id}`),
      mine.call("PATCH", `/v1/schedules/${id}`, { enabled: false }),
      mine.call("DELETE", `/v1/schedules/${id}`),
      mine.call("POST", `/v1/schedules/${id}/run`),
      mine.call("GET", `/v1/schedules/${id}/runs`),
    ];
    const refused = await Promise.all(asks(foreign.id));
    const unknown = await Promise.all(asks("none-of-this-id"));
    expect(refused.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    const detailsOf = (answers: readonly Answer[], id: string) =>
      answers.map(({ body }) => JSON.stringify(body).replaceAll(id, "ID"));
    expect(detailsOf(refused, foreign.id)).toEqual(detailsOf(unknown, "none-of-this-id"));
    expect(await all()).toContainEqual(foreign);
  });

  test("without a token there is nothing to see", async () => {
    for (const path of ["/v1/schedules", `/v1/schedules/${foreign.id}`]) {
      expect((await fetch(server.httpUrl + path)).status).toBe(401);
    }
  });
});

describe("a preview", () => {
  const BERLIN = { cron: "30 2 * * *", timeZone: "Europe/Berlin" };
  // On 28 March 2027 the clocks in Berlin jump from 02:00 to 03:00, which is 01:00 in UTC.
  const DUE = ["2027-03-27T01:30:00.000Z", "2027-03-28T01:00:00.000Z", "2027-03-29T00:30:00.000Z"];

  test("over HTTP, in UTC, and nothing is kept", async () => {
    const before = await all();
    const body = { ...BERLIN, from: "2027-03-27T00:00:00Z", count: 3 };
    expect(await admin.call("POST", "/v1/schedules/preview", body)).toEqual({
      status: 200,
      body: { dueAt: DUE },
    });
    const bad = await admin.call("POST", "/v1/schedules/preview", { ...body, from: "tomorrow" });
    expect(bad.body.detail).toStartWith("from: ");
    expect(await all()).toEqual(before);
  });

  test("on the command line, by flags", async () => {
    const flags = ["--cron", BERLIN.cron, "--time-zone", BERLIN.timeZone, "--from", "2027-03-27T00:00:00Z"];
    const json = await admin.run("schedules", "next", ...flags, "--count", "3", "--json");
    expect(JSON.parse(json.out.join())).toEqual({ dueAt: DUE });
    const told = await admin.run("schedules", "next", ...flags, "--count", "1");
    expect(told.out[1]).toStartWith("2027-03-27 01:30:00  ");
  });

  test.each([
    { every: "7m" },
    { every: "7m", align: true },
    { cron: "*/5 * * * *" },
    { delay: "2h" },
    { at: "2099-01-01T00:00:00Z" },
    { every: "1h", maxRuns: 2 },
  ])("of a schedule that there is: %j", async (rule) => {
    const { body } = await admin.call("POST", "/v1/schedules", news(rule));
    const { code, out } = await admin.run("schedules", "next", body.id, "--count", "3", "--json");
    expect(code).toBe(0);
    const { dueAt } = JSON.parse(out.join());
    expect(dueAt[0]).toBe(body.nextDueAt);
    expect(dueAt).toHaveLength("delay" in rule || "at" in rule ? 1 : (rule.maxRuns ?? 3));
    const everyMs = rule.every === "7m" ? 420_000 : rule.every === "1h" ? 3_600_000 : 300_000;
    if (dueAt.length > 1) expect(Date.parse(dueAt[1]) - Date.parse(dueAt[0])).toBe(everyMs);
    await admin.call("DELETE", `/v1/schedules/${body.id}`);
  });
});

test("the schedule of --push-every is shown, runs by hand, and is changed by no request", async () => {
  const path = "/v1/schedules/push-every";
  const managed = (await all()).find(({ id }: { id: string }) => id === "push-every");
  expect(managed).toMatchObject({ channel: "push", data: "Hourly", every: "3600000ms", managed: true });
  for (const [method, body] of [["PATCH", { enabled: false }], ["DELETE"]] as const) {
    const refused = await admin.call(method, path, body);
    expect(refused).toMatchObject({ status: 409, body: { code: "managed" } });
  }
  expect((await admin.call("GET", path)).body).toEqual(managed);
  const { code, err } = await admin.run("schedules", "pause", "push-every");
  expect({ code, err }).toEqual({
    code: 1,
    err: ["carillon: 409 managed: the server's flags say what push-every is"],
  });
  const { out } = await admin.run("schedules", "list");
  expect(out.find((line) => line.startsWith("push-every"))).toMatch(/^push-every +push +every 1h +/);
  expect((await admin.call("POST", `${path}/run`)).status).toBe(201);
  expect((await admin.history("push")).map(({ data }) => data)).toEqual(["Hourly"]);
});
