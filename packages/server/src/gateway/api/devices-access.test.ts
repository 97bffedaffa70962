/**
 * Whose a device is, as a table: every route of the API, asked by everybody there is. A device's token reads and changes that
 * device alone, and nobody else learns whether there is one.
 */
import { describe, expect, test } from "bun:test";
import { accessOf } from "../../hub/access.ts";
import { ADMIN_KEY, setUpApi } from "./testing/api-set-up.ts";

const ALL = ["*"];
const everything = { subscribe: ALL, publish: ALL, history: ALL, presence: ALL };

/** Ann's JWT: everything in channels, as `*` is granted. */
function jwtOfAnn(token: string) {
  const may = (channel: string) => !channel.startsWith("$");
  if (token !== "a-jwt") return undefined;
  return accessOf("jwt:ann", { subscribe: may, publish: may, history: may, presence: may });
}

async function setUp() {
  const set = await setUpApi({ jwt: jwtOfAnn });
  const { call, devices } = set;
  const register = async (said: object) => (await call("POST", "/v1/devices", said)).body;
  const own = await register({ user: "ann", tags: ["a"], platform: "ios", ...everything });
  const other = await register({ user: "ann", ...everything });
  const rotated = await register({ user: "ann" });
  await devices.rotate(rotated.id);
  const revoked = await register({ user: "ann" });
  await devices.revoke(revoked.id);
  const { token: key } = (await call("POST", "/v1/tokens", { name: "x", ...everything })).body;
  for (const { id } of [own, other]) {
    await call("POST", `/v1/devices/${id}/messages`, { data: `for ${id}` });
    await call("PUT", `/v1/devices/${id}/subscriptions/news`, { push: false });
  }
  const { id: message } = (await call("POST", "/v1/messages", { to: "user:ann", data: 1 })).body;
  const tokens: Readonly<Record<string, string | undefined>> = {
    nobody: undefined,
    itself: own.token,
    "another device": other.token,
    "its token of before": rotated.token,
    "its revoked token": revoked.token,
    "an API key": key,
    "a JWT of its user": "a-jwt",
    "an admin": ADMIN_KEY,
  };
  return { ...set, own, other, rotated, revoked, message, tokens };
}

type SetUp = Awaited<ReturnType<typeof setUp>>;

/** What is kept: nothing of it may change where somebody was not let in. */
async function keptIn({ engine }: SetUp) {
  const channels = await engine.channels("", 1_000);
  const recordsOf = async (kind: string) =>
    (await engine.records(kind, "", 100)).map(({ id, data }) => [id, data]);
  return {
    devices: await recordsOf("device"),
    schedules: await recordsOf("schedule"),
    tokens: (await recordsOf("key")).length,
    channels: channels.map(({ channel, offset }) => `${channel} ${offset}`),
  };
}

const asking = await setUp();
const WHO = Object.keys(asking.tokens);
const everyRoute = asking.routes.map(({ description: { method, path, needs } }) => ({
  method: method.toUpperCase(),
  path,
  needs,
}));
type Asked = (typeof everyRoute)[number];

/** What would be taken. */
const BODIES: Readonly<Record<string, object>> = {
  "POST /v1/devices/{device}/messages": { data: "x" },
  "PATCH /v1/devices/{device}": { platform: "web" },
  "PUT /v1/devices/{device}/subscriptions/{channel}": { push: true },
  "POST /v1/devices": {},
  "POST /v1/batch": { messages: [{ channel: "news", data: 1 }] },
  "POST /v1/messages": { to: "everyone", data: 1 },
  "POST /v1/schedules": { channel: "news", data: 1, every: "1h" },
  "POST /v1/schedules/preview": { channel: "news", every: "1h" },
  "PATCH /v1/schedules/{schedule}": { data: 2 },
};

async function ask(set: SetUp, { method, path }: Asked, token: string | undefined, device = "") {
  const address = path
    .replace("{device}", device)
    .replace("{message}", set.message)
    .replace(/\{\w+\}/g, "news");
  const body = BODIES[`${method} ${path}`];
  const response = await set.request(method, address, {
    ...(token !== undefined && { token }),
    ...(body !== undefined && {
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    }),
  });
  return { status: response.status, text: await response.text() };
}

const ofDevice = everyRoute.filter(({ path }) => path.includes("{device}"));

test("every route of a device is for itself and admins, but for pushing to it", () => {
  const needs = ofDevice.map((each) => each.needs);
  expect(needs.toSorted()).toEqual([...Array.from({ length: 8 }, () => "device" as const), "publish"]);
});

describe.each(ofDevice)("$method $path", (route) => {
  const isLetIn = (who: string) => who === "an admin" || (who === "itself" && route.needs === "device");

  test.each(WHO.filter(isLetIn))("lets in %s, and leaves the others as they are", async (who) => {
    const set = await setUp();
    const before = await keptIn(set);
    const { status } = await ask(set, route, set.tokens[who], set.own.id);
    expect(Math.floor(status / 100)).toBe(2);
    const others = ({ devices }: typeof before) => devices.filter(([id]) => id !== set.own.id);
    expect(others(await keptIn(set))).toEqual(others(before));
  });

  test.each(WHO.filter((who) => !isLetIn(who)))("tells and does nothing for %s", async (who) => {
    const set = await setUp();
    const before = await keptIn(set);
    const answers = [];
    for (const id of [set.own.id, set.rotated.id, set.revoked.id, "d_AAAAAAAAAAAAAAAAAAAA", "phone"]) {
      const { status, text } = await ask(set, route, set.tokens[who], id);
      answers.push(`${status} ${text.replaceAll(id, "ID")}`);
    }
    const isUnknown = ["nobody", "its token of before", "its revoked token"].includes(who);
    // All alike, whether there is such a device or not.
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toStartWith(isUnknown ? "401 " : "403 ");
    expect(await keptIn(set)).toEqual(before);
  });

  test("tells and does nothing of another device for one's own token", async () => {
    const set = await setUp();
    const before = await keptIn(set);
    for (const id of [set.other.id, "d_AAAAAAAAAAAAAAAAAAAA", "phone"]) {
      expect((await ask(set, route, set.own.token, id)).status).toBe(403);
    }
    expect(await keptIn(set)).toEqual(before);
  });
});

describe("a device's token, elsewhere", () => {
  const elsewhere = everyRoute.filter(({ path, needs }) => !path.includes("{device}") && needs !== "anybody");

  test.each(elsewhere)("$method $path: nothing without a grant", async (route) => {
    const set = await setUp();
    // Granted what says nothing of the channels that are asked for.
    const { token } = (await set.call("POST", "/v1/devices", { subscribe: ["elsewhere"] })).body;
    const before = await keptIn(set);
    const { status, text } = await ask(set, route, token);
    expect(text).not.toContain(set.own.id);
    expect(await keptIn(set)).toEqual(before);
    // Where any token will do, what is not granted is not there.
    if (route.needs === "token") expect([200, 400, 403, 404]).toContain(status);
    else expect(status).toBe(403);
  });

  test.each(elsewhere.filter(({ needs }) => needs === "admin"))(
    "$method $path: nothing with all grants there are",
    async (route) => {
      const set = await setUp();
      const before = await keptIn(set);
      expect((await ask(set, route, set.own.token)).status).toBe(403);
      expect(await keptIn(set)).toEqual(before);
    },
  );
});
