import { describe, expect, test } from "bun:test";
import { ackAll, register } from "../../hub/testing/device-clients.ts";
import { settle } from "../../hub/testing/hub-set-up.ts";
import { received, say } from "../../hub/testing/v1-client.ts";
import { ADMIN_KEY, setUpApi } from "./testing/api-set-up.ts";

const TIME = "2026-11-24T09:30:00.000Z";

async function setUp() {
  const set = await setUpApi();
  const phone = await register(set, { user: "ann", tags: ["beta"] });
  const tablet = await register(set, { user: "ann" });
  const push = (to: string, more: object = {}) => set.call("POST", "/v1/messages", { to, data: to, ...more });
  return { ...set, phone, tablet, push };
}

test("a push comes to those it is for, and to nobody else", async () => {
  const set = await setUp();
  const { phone, tablet, push, call, request } = set;
  const clients = [await phone.v1(), await tablet.v1()];
  const channels: Record<string, string> = {
    [`device:${phone.id}`]: `$device/${phone.id}`,
    "user:ann": "$user/ann",
    "tag:beta": "$all",
    everyone: "$all",
  };
  for (const [to, channel] of Object.entries(channels)) {
    const { status, body } = await push(to);
    expect([status, body]).toEqual([
      201,
      {
        id: expect.any(String),
        channel,
        to,
        epoch: expect.any(String),
        offset: expect.any(Number),
        time: TIME,
      },
    ]);
  }
  await call("POST", `/v1/devices/${tablet.id}/messages`, { data: "as JSON" });
  const headers = { urgency: "high", "content-type": "text/plain" };
  const text = await request("POST", `/v1/devices/${phone.id}/messages`, {
    token: ADMIN_KEY,
    body: "as text",
    headers,
  });
  expect(await text.json()).toMatchObject({ channel: `$device/${phone.id}`, to: `device:${phone.id}` });
  expect((await push("channel:news")).body).toMatchObject({ channel: "news" });
  await settle();
  expect(clients.map(received)).toEqual([
    [`device:${phone.id}`, "user:ann", "tag:beta", "everyone", "as text"],
    ["user:ann", "everyone", "as JSON"],
  ]);
});

test("a tag expression is answered as it is understood", async () => {
  const { push } = await setUp();
  expect((await push(" !(!tag:a)|  tag:b&tag:c ")).body.to).toBe("tag:a | tag:b & tag:c");
});

test("one key counts for one target, now and later", async () => {
  const { push, schedules } = await setUp();
  const targets = ["user:ann", "user:bob", "tag:a", "tag:b", "everyone", "channel:news"];
  const firsts = [];
  for (const to of targets) firsts.push((await push(to, { idempotencyKey: "k" })).body);
  expect(new Set(firsts.map(({ id }) => id)).size).toBe(targets.length);
  for (const [index, to] of targets.entries()) {
    expect((await push(to, { idempotencyKey: "k" })).body).toEqual({ ...firsts[index], duplicate: true });
  }
  const later = [];
  for (const to of targets) later.push((await push(to, { idempotencyKey: "l", delay: "1h" })).body);
  expect(new Set(later.map(({ schedule }) => schedule)).size).toBe(targets.length);
  for (const [index, to] of targets.entries()) {
    const expected = { status: 202, body: { ...later[index], duplicate: true } };
    expect(await push(to, { idempotencyKey: "l", delay: "1h" })).toMatchObject(expected);
    expect(await push(to, { idempotencyKey: "l" })).toMatchObject(expected);
  }
  expect(await schedules.list("", 100)).toHaveLength(targets.length);
});

test("a push for later comes then", async () => {
  const { push, phone, tablet, clock, scheduler, call } = await setUp();
  scheduler.wake();
  await settle();
  const client = await phone.v1();
  const other = await tablet.v1();
  const { status, body } = await push("tag:beta", { delay: "10s" });
  expect([status, body]).toEqual([202, { schedule: expect.any(String), dueAt: "2026-11-24T09:30:10.000Z" }]);
  expect((await call("POST", `/v1/devices/${tablet.id}/messages`, { data: "2", delay: "20s" })).status).toBe(
    202,
  );
  expect(received(client)).toEqual([]);
  for (const _ of [1, 2]) {
    clock.advance(10_000);
    await settle();
  }
  expect([received(client), received(other)]).toEqual([["tag:beta"], ["2"]]);
});

test.each([
  ["nobody", {}, "to"],
  ["device:", {}, "to"],
  ["user:a b", {}, "to"],
  ["tag:a &", {}, "to"],
  ["channel:$all", {}, "to"],
  ["$all", {}, "to"],
  ["everyone", { withdrawOn: "ack" }, "withdrawOn"],
  ["tag:a", { withdrawOn: "read" }, "withdrawOn"],
  ["user:ann", { withdrawOn: "sent" }, "withdrawOn"],
  ["user:ann", { receipts: false }, "receipts"],
  ["user:ann", { channel: "news" }, "channel"],
  ["user:ann", { at: "tomorrow" }, "at"],
])("%j with %j is refused", async (to, more, place) => {
  const { push, engine } = await setUp();
  const answer = await push(to, more);
  expect(answer).toMatchObject({ status: 400, body: { code: "bad_field" } });
  expect(answer.body.detail).toContain(place);
  expect(await engine.channels("", 10)).toEqual([]);
});

test("nothing is written for a device that is not registered", async () => {
  const { push, call, devices, engine } = await setUp();
  await devices.setSwitch("phone", "news", {});
  for (const id of ["phone", "d_nobody"]) {
    expect((await push(`device:${id}`)).status).toBe(404);
    expect((await call("POST", `/v1/devices/${id}/messages`, { data: 1 })).status).toBe(404);
  }
  expect(await engine.channels("", 10)).toEqual([]);
});

test("what is too large or too much is refused", async () => {
  const { push, call, limits, phone } = await setUp();
  const large = { data: "x".repeat(70_000) };
  expect((await push("user:ann", large)).status).toBe(413);
  expect((await call("POST", `/v1/devices/${phone.id}/messages`, large)).status).toBe(413);
  limits.maxPublishesPerSecond = 1;
  const answers = [];
  for (let count = 0; count < 3; count++) answers.push((await push("user:ann")).status);
  expect(answers).toEqual([201, 201, 429]);
});

describe("who may push", () => {
  test.each([
    ["publish:*", "user:ann", 403],
    ["publish:*", "everyone", 403],
    ["publish:*", "tag:a", 403],
    ["publish:*", "channel:news", 201],
    ["publish:news", "channel:newspaper", 403],
    ["publish:$user/*", "user:ann", 201],
    ["publish:$user/*", "everyone", 403],
    ["publish:$user/a*", "user:bob", 403],
    ["publish:$all", "tag:a", 201],
    ["subscribe:$all", "everyone", 403],
  ])("%s, to %s: %d", async (token, to, expected) => {
    const { as } = await setUp();
    const { status } = await as(token, "POST", "/v1/messages", { to, data: 1 });
    expect(status).toBe(expected);
  });

  test("to a device, whoever has a grant for its own channel", async () => {
    const { as, phone, tablet } = await setUp();
    const ask = async (token: string | undefined, id: string) =>
      (await as(token, "POST", `/v1/devices/${id}/messages`, { data: 1 })).status;
    expect(await ask(`publish:$device/${phone.id}`, phone.id)).toBe(201);
    expect(await ask(`publish:$device/${phone.id}`, tablet.id)).toBe(403);
    expect(await ask("publish:$device/*", "d_nobody")).toBe(404);
    expect(await ask("publish:*", "d_nobody")).toBe(403);
    expect(await ask(phone.token, phone.id)).toBe(403);
    expect(await ask(undefined, phone.id)).toBe(401);
  });
});

describe("receipts", () => {
  test("tell how many have it, and who, page by page", async () => {
    const set = await setUp();
    const { call, clock, phone, tablet, push } = set;
    const client = await phone.v1();
    const { id } = (await push("user:ann")).body;
    await settle();
    await ackAll(set, client, "$user/ann");
    clock.advance(1_000);
    await settle();
    expect((await call("GET", `/v1/messages/${id}`)).body).toEqual({
      id,
      channel: "$user/ann",
      time: TIME,
      recipients: 2,
      sent: 1,
      received: 1,
      read: 0,
      expired: 0,
    });
    const one = { device: phone.id, sentAt: TIME, receivedAt: TIME };
    expect((await call("GET", `/v1/messages/${id}/receipts`)).body).toEqual({ receipts: [one], next: null });
    await ackAll(set, await tablet.v1(), "$user/ann");
    await say(client, { type: "read", id: 9, channel: "$user/ann", publications: [id] });
    clock.advance(1_000);
    await settle();
    const first = (await call("GET", `/v1/messages/${id}/receipts?limit=1`)).body;
    const second = (await call("GET", `/v1/messages/${id}/receipts?limit=1&after=${first.next}`)).body;
    const [low, high] = [phone.id, tablet.id].toSorted();
    expect([first.next, second.next]).toEqual([low, null]);
    const told = [...first.receipts, ...second.receipts];
    expect(told.map(({ device }) => device)).toEqual([low, high]);
    expect(told.find(({ device }) => device === phone.id)).toMatchObject({
      ...one,
      readAt: expect.any(String),
    });
    const exported = (await call("GET", `/v1/devices/${phone.id}/export`)).body.receipts;
    expect(exported).toEqual([
      { publication: id, sentAt: one.sentAt, receivedAt: one.receivedAt, readAt: expect.any(String) },
    ]);
  });

  test("of what goes to many are kept where the publisher asks", async () => {
    const set = await setUp();
    const { call, clock, phone, push } = set;
    const client = await phone.v1();
    const plain = (await push("everyone")).body.id;
    const asked = (await push("everyone", { receipts: true })).body.id;
    await settle();
    await ackAll(set, client, "$all");
    clock.advance(1_000);
    await settle();
    const counts = async (id: string) =>
      (await call("GET", `/v1/messages/${id}/receipts`)).body.receipts.length;
    expect([await counts(plain), await counts(asked)]).toEqual([0, 1]);
    expect((await call("GET", `/v1/messages/${plain}`)).body).toMatchObject({ received: 1 });
  });

  test("are for those who may publish there, and names for admins; to others there is no such message", async () => {
    const { as, call, push, phone } = await setUp();
    const { id } = (await push("channel:news")).body;
    expect((await as("publish:news", "GET", `/v1/messages/${id}`)).status).toBe(200);
    expect((await as("publish:news", "GET", `/v1/messages/${id}/receipts`)).status).toBe(403);
    for (const token of ["publish:other", "history:news", phone.token]) {
      const answers = [];
      for (const message of [id, "xyz"]) {
        const { status, body } = await as(token, "GET", `/v1/messages/${message}`);
        answers.push([status, body.detail.replace(` ${message}`, " ID")]);
      }
      expect(answers[0]).toEqual(answers[1]);
      expect(answers[0]?.[0]).toBe(404);
    }
    for (const path of ["/v1/messages/nothing", "/v1/messages/nothing/receipts"]) {
      expect((await call("GET", path)).status).toBe(404);
    }
  });
});
