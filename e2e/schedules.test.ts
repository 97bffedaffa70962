/** Schedules on a real server, by HTTP and by the command line: made, changed, run, and what arrives at real clients. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Caller } from "./support/api.ts";
import { Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";

const KEY = "a-key-for-these-tests";

let server: Server;
let admin: Caller;
/** Hears of every second that passes, by a schedule that no test touches. */
let seconds: Client;
beforeAll(async () => {
  server = await Server.start(["--push-every", "off", "--admin-key", KEY, "--time-zone", "Asia/Tokyo"]);
  admin = new Caller(server, KEY);
  seconds = await listen("seconds");
  await make({ channel: "seconds", data: "{{dueAt}}", every: "1s" });
});
afterAll(async () => {
  await seconds[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const listen = (channel: string) => Client.connect("ws", `${server.wsUrl}?channel=${channel}&token=${KEY}`);

async function make(fields: object) {
  const { status, body } = await admin.call("POST", "/v1/schedules", fields);
  expect(status).toBe(201);
  return body;
}

/** Waits until everything that was due by `ms` has been published, in every channel: runs go out in their order. */
async function passed(ms: number): Promise<void> {
  for (;;) {
    const [dueAt = ""] = await seconds.next(1);
    if (Date.parse(dueAt) > ms) return;
  }
}

test("made with curl: each push arrives with its names filled in", async () => {
  await using client = await listen("curl");
  const data = "Run {{run}} of {{schedule}}, due {{dueAt}}, at {{now|HH:mm|UTC}}: {{now}}";
  const coming = client.next(3);
  const { status, body } = await admin.curl("/v1/schedules", { channel: "curl", data, every: "1s" });
  expect(status).toBe(201);
  expect(body).toMatchObject({ channel: "curl", data, every: "1s", timeZone: "Asia/Tokyo", runs: 0 });
  const createdMs = Date.parse(body.createdAt);
  expect(Date.parse(body.nextDueAt)).toBe(createdMs + 1_000);
  for (const [index, push] of (await coming).entries()) {
    const dueAt = new Date(createdMs + (index + 1) * 1_000).toISOString();
    expect(push).toStartWith(`Run ${index + 1} of ${body.id}, due ${dueAt}, at `);
    // What Tokyo's clocks show is nine hours ahead of those of UTC, with another minute at most.
    const [, minute = "", tokyo = ""] = / at (\d\d:\d\d): (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)$/.exec(push) ?? [];
    const nowMs = Date.parse(`${tokyo.replace(" ", "T")}+09:00`);
    expect(new Date(nowMs).toISOString().slice(11, 16)).toBe(minute);
    expect(nowMs - Date.parse(dueAt)).toBeWithin(-1_000, 60_000);
  }
  expect((await admin.call("GET", `/v1/schedules/${body.id}`)).body.runs).toBeGreaterThanOrEqual(3);
});

test("made on the command line: it arrives, and the list says that it has ended", async () => {
  await using client = await listen("cli");
  const text = "It is {{now|HH:mm|Europe/Berlin}} in Berlin";
  const coming = client.next(1);
  const made = await admin.run("schedules", "add", "cli", "--delay", "1s", "--text", text);
  expect(made).toMatchObject({ code: 0, err: [] });
  const id = /^Made (\S+): cli, once, next in \d s$/.exec(made.out.join())?.[1] ?? "";
  expect((await coming)[0]).toMatch(/^It is \d\d:\d\d in Berlin$/);
  const { out } = await admin.run("schedules", "list");
  expect(out[0]).toMatch(/^ID +TO +WHEN +NEXT +RUNS +PUBLISHES$/);
  expect(out.find((line) => line.startsWith(id))).toMatch(/^\S+ +cli +once +ended +1 +It is /);
  expect(out.find((line) => line.includes(" seconds "))).toMatch(
    / every 1s +(now|in 1 s) +\d+ +\{\{dueAt\}\}$/,
  );
  const shown = await admin.run("schedules", "show", id);
  expect(shown.out).toContain("channel    cli");
});

test("JSON, urgency, ttl and tags are the publication's", async () => {
  const delivery = { urgency: "low", ttl: 60, tags: ["x"] };
  const data = { text: ["Run {{run}}"], n: 1, "{{run}}": null };
  const { id, nextDueAt } = await make({ channel: "json", data, delay: "100ms", ...delivery });
  await passed(Date.parse(nextDueAt));
  const [message] = await admin.history("json");
  expect(message).toMatchObject({ data: { text: ["Run 1"], n: 1, "{{run}}": null }, ...delivery });
  expect(message).toMatchObject({ schedule: id, dueAt: nextDueAt });
});

test("carillon.v1: a publication says which schedule made it and when it was due", async () => {
  const socket = new WebSocket(server.wsUrl, "carillon.v1");
  const frames: { readonly type: string; readonly publication?: object }[] = [];
  const { promise: came, resolve } = Promise.withResolvers<void>();
  const { promise: subscribed, resolve: go } = Promise.withResolvers<void>();
  const say = (command: object) => socket.send(JSON.stringify(command));
  socket.onopen = () => {
    say({ type: "connect", id: 1, token: KEY });
    say({ type: "subscribe", id: 2, channel: "v1" });
  };
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(String(data));
    frames.push(frame);
    if (frame.type === "subscribed") go();
    if (frame.type === "publication") resolve();
  };
  await subscribed;
  const { id, nextDueAt } = await make({ channel: "v1", data: "Tea", delay: "200ms" });
  await came;
  socket.close();
  const { publication } = frames.find(({ type }) => type === "publication") ?? {};
  expect(publication).toMatchObject({ data: "Tea", schedule: id, dueAt: nextDueAt });
});

test("pause, edit and resume take effect at once", async () => {
  await using client = await listen("changing");
  const { id } = await make({ channel: "changing", data: "before {{dueAt}}", every: "1s" });
  await client.next(1);
  expect(await admin.run("schedules", "pause", id)).toMatchObject({ code: 0, out: [`Paused ${id}`] });
  const paused = await admin.call("GET", `/v1/schedules/${id}`);
  expect(paused.body).toMatchObject({ enabled: false, nextDueAt: null });
  const heard = (await admin.history("changing")).length;
  await passed((await lastDueMs("changing")) + 2_000);
  expect(await admin.history("changing")).toHaveLength(heard);

  const edited = await admin.run("schedules", "edit", id, "after {{dueAt}}", "--urgency", "high");
  expect(edited.out).toEqual([`Changed ${id}: changing, every 1s, paused`]);
  const { out } = await admin.run("schedules", "resume", id);
  expect(out.join()).toMatch(new RegExp(`^Resumed ${id}, next (now|in 1 s)$`));
  const [push = ""] = await client.next(1);
  expect(push).toStartWith("after ");
  // What passed while it was off is not made up for.
  const dues = (await admin.history("changing")).map(({ dueAt = "" }) => Date.parse(dueAt));
  expect((dues.at(-1) ?? 0) - (dues.at(heard - 1) ?? 0)).toBeGreaterThanOrEqual(2_000);
});

async function lastDueMs(channel: string): Promise<number> {
  return Date.parse((await admin.history(channel)).at(-1)?.dueAt ?? "");
}

test("what was an hour away is due in a second after an edit, counted from then", async () => {
  await using client = await listen("hourly");
  const { id } = await make({ channel: "hourly", data: "Tea", every: "1h", align: true });
  const { status, body } = await admin.call("PATCH", `/v1/schedules/${id}`, { every: "1s", align: null });
  expect(status).toBe(200);
  expect(Date.parse(body.nextDueAt) - Date.parse(body.createdAt)).toBe(1_000);
  expect(await client.next(2)).toEqual(["Tea", "Tea"]);
  const { out } = await admin.run(
    "schedules",
    "edit",
    id,
    "--cron",
    "0 0 1 1 *",
    "--time-zone",
    "UTC",
    "--json",
  );
  const changed = JSON.parse(out.join());
  expect(changed).toMatchObject({ cron: "0 0 1 1 *", timeZone: "UTC" });
  expect(changed.every).toBeUndefined();
  expect(changed.nextDueAt).toMatch(/^\d{4}-01-01T00:00:00\.000Z$/);
});

test("run now: it arrives at once, also from one that is paused, and other times stay", async () => {
  await using client = await listen("manual");
  const { id, nextDueAt } = await make({ channel: "manual", data: "Run {{run}}", every: "1h" });
  expect(await admin.run("schedules", "run", id)).toMatchObject({
    code: 0,
    out: [`Published what ${id} says`],
  });
  await client.received("Run 1");
  const first = await admin.call("GET", `/v1/schedules/${id}`);
  expect(first.body).toMatchObject({ runs: 1, nextDueAt });
  await admin.call("PATCH", `/v1/schedules/${id}`, { enabled: false });
  const second = await admin.call("POST", `/v1/schedules/${id}/run`);
  expect(second).toMatchObject({ status: 201, body: { outcome: "manual", latenessMs: 0 } });
  await client.received("Run 2");
  const { body } = await admin.call("GET", `/v1/schedules/${id}/runs`);
  expect(body.runs.map(({ outcome }: { outcome: string }) => outcome)).toEqual(["manual", "manual"]);
  expect(body.runs[0]).toEqual(second.body);
});

test("runs are listed, the latest first, each with how late it was", async () => {
  const { id, createdAt } = await make({ channel: "runs", data: "Tea", every: "1s", maxRuns: 3 });
  await passed(Date.parse(createdAt) + 3_000);
  const { body } = await admin.call("GET", `/v1/schedules/${id}/runs`);
  const dues = [3, 2, 1].map((second) => new Date(Date.parse(createdAt) + second * 1_000).toISOString());
  expect(body.runs.map(({ dueAt }: { dueAt: string }) => dueAt)).toEqual(dues);
  for (const { dueAt, startedAt, latenessMs, outcome } of body.runs) {
    expect(latenessMs).toBe(Date.parse(startedAt) - Date.parse(dueAt));
    expect(latenessMs).toBeWithin(0, 5_000);
    expect(outcome).toBe("published");
  }
  const { out } = await admin.run("schedules", "runs", id, "--count", "2");
  expect(out).toHaveLength(3);
  expect(out[1]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}\d+ ms +published$/);
  const ended = await admin.call("GET", `/v1/schedules/${id}`);
  expect(ended.body).toMatchObject({ runs: 3, nextDueAt: null });
});

test("published later: listed, arrives as it is, once for one idempotency key", async () => {
  await using client = await listen("later");
  const said = { data: "Braces {{now}} stay", delay: "1s", idempotencyKey: "i" };
  const first = await admin.curl("/v1/channels/later/messages", said);
  const again = await admin.curl("/v1/channels/later/messages", said);
  expect(first.status).toBe(202);
  const repeated = { ...first.body, duplicate: true };
  expect(again).toEqual({ status: 202, body: repeated });
  const listed = await admin.call("GET", `/v1/schedules/${first.body.schedule}`);
  expect(listed.body).toMatchObject({ channel: "later", data: said.data, nextDueAt: first.body.dueAt });
  await client.received("Braces {{now}} stay");
  await passed(Date.parse(first.body.dueAt) + 1_000);
  expect(await admin.history("later")).toHaveLength(1);
  expect((await admin.curl("/v1/channels/later/messages", said)).body).toEqual(repeated);
});

test("published later on the command line, and cancelled before", async () => {
  const pushed = await admin.run("push", "cancelled", "Never", "--delay", "3s", "--json");
  expect(pushed).toMatchObject({ code: 0, err: [] });
  const { schedule, dueAt } = JSON.parse(pushed.out.join());
  const { out } = await admin.run("schedules", "list", "--json");
  const { schedules } = JSON.parse(out.join());
  expect(schedules.map(({ id }: { id: string }) => id)).toContain(schedule);
  const deleted = await admin.run("schedules", "delete", schedule);
  expect(deleted).toMatchObject({ code: 0, out: [`Deleted ${schedule}`] });
  expect((await admin.call("DELETE", `/v1/schedules/${schedule}`)).status).toBe(404);
  await passed(Date.parse(dueAt) + 1_000);
  expect(await admin.history("cancelled")).toEqual([]);
  const at = await admin.run("push", "cancelled", "Later", "--at", "2099-12-24T18:00:00+01:00");
  expect(at.out.join()).toMatch(
    /^To be published 2099-12-24 17:00; carillon schedules delete \S+ cancels it$/,
  );
});
