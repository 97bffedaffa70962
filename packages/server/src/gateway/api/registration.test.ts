import { expect, test } from "bun:test";
import { accessOf } from "../../hub/access.ts";
import { setUpApi } from "./testing/api-set-up.ts";

const yes = () => true;
const all = { subscribe: yes, publish: yes, history: yes, presence: yes };
const webPush = {
  endpoint: "https://push.example/abc",
  keys: { p256dh: `B${"A".repeat(86)}`, auth: "A".repeat(22) },
};

/** With JWTs that say whose they are: `jwt=ann`. */
function setUp() {
  return setUpApi({
    jwt: (token) => {
      const [word, subject = ""] = token.split("=");
      return word === "jwt" ? accessOf(`jwt:${subject}`, all) : undefined;
    },
  });
}

test("an admin says all there is to say, and is told all but the keys", async () => {
  const { call, clock } = await setUp();
  const said = {
    platform: "android",
    appVersion: "2.4.1",
    locale: "de-AT",
    timeZone: "Europe/Vienna",
    tags: ["b", "a", "b"],
    user: "ann",
  };
  const endpoints = { webPush: { ...webPush, expirationTime: null }, unifiedPush: webPush };
  const { status, body } = await call("POST", "/v1/devices", { ...said, ...endpoints, publish: ["chat"] });
  expect([status, Object.keys(body)]).toEqual([201, ["id", "token"]]);
  const now = new Date(clock.wallMs()).toISOString();
  expect((await call("GET", `/v1/devices/${body.id}`)).body).toEqual({
    id: body.id,
    registered: true,
    ...said,
    tags: ["b", "a"],
    webPush: { endpoint: webPush.endpoint },
    unifiedPush: { endpoint: webPush.endpoint },
    publish: ["chat"],
    createdAt: now,
    lastSeenAt: now,
    connected: false,
  });
});

test("what an admin registers may receive and read all channels, unless it is said", async () => {
  const { call, as } = await setUp();
  const plain = (await call("POST", "/v1/devices", {})).body;
  const granted = (await call("POST", "/v1/devices", { publish: ["news"] })).body;
  const asked = async (token: string) => [
    (await as(token, "GET", "/v1/channels/news/messages")).status,
    (await as(token, "POST", "/v1/channels/news/messages", { data: 1 })).status,
  ];
  expect([await asked(plain.token), await asked(granted.token)]).toEqual([
    [200, 403],
    [403, 201],
  ]);
});

test("an app registers itself, and may what everybody may", async () => {
  const { as, devices } = await setUp();
  const { status, body } = await as(undefined, "POST", "/v1/devices", { platform: "ios", tags: ["beta"] });
  expect(status).toBe(201);
  expect(await devices.get(body.id)).toMatchObject({ platform: "ios", tags: ["beta"] });
  expect((await as(body.token, "GET", "/v1/channels/push/messages")).status).toBe(200);
  expect((await as(body.token, "GET", "/v1/channels/news/messages")).status).toBe(403);
  expect((await as(body.token, "GET", `/v1/devices/${body.id}`)).body.platform).toBe("ios");
});

test("who comes with a JWT registers for its subject", async () => {
  const { as, devices } = await setUp();
  for (const said of [{}, { user: "ann" }]) {
    const { body } = await as("jwt=ann", "POST", "/v1/devices", said);
    expect(await devices.get(body.id)).toMatchObject({ user: "ann" });
    expect((await as(body.token, "GET", "/v1/channels/news/messages")).status).toBe(403);
  }
  // A subject that could not be in a channel's name.
  const { status, body } = await as('jwt="ann"', "POST", "/v1/devices", {});
  expect([status, (await devices.get(body.id))?.user]).toEqual([201, undefined]);
});

test.each([
  ["nobody", undefined, { user: "ann" }],
  ["nobody", undefined, { subscribe: ["news"] }],
  ["nobody", undefined, { presence: [] }],
  ["a JWT of somebody else", "jwt=bob", { user: "ann" }],
  ["a JWT whose subject is no user", 'jwt="ann"', { user: "ann" }],
  ["a JWT", "jwt=ann", { publish: ["*"] }],
  ["an API key", "publish:*", { user: "ann" }],
])("%s may not say what only an admin may: %s %j", async (_, token, said) => {
  const { as, devices } = await setUp();
  expect(await as(token, "POST", "/v1/devices", said)).toMatchObject({
    status: 403,
    body: { code: "forbidden" },
  });
  expect(await devices.list({}, "", 10)).toEqual([]);
});

test("a device's token registers no others", async () => {
  const { as, call } = await setUp();
  const { token } = (await call("POST", "/v1/devices", {})).body;
  expect((await as(token, "POST", "/v1/devices", {})).status).toBe(403);
});

test("may be switched off, and on again", async () => {
  const { as, call, rules } = await setUp();
  rules.selfRegistration = false;
  expect(await as(undefined, "POST", "/v1/devices", {})).toMatchObject({
    status: 401,
    body: { code: "token_required" },
  });
  expect((await as("jwt=ann", "POST", "/v1/devices", {})).status).toBe(403);
  expect((await as("publish:*", "POST", "/v1/devices", {})).status).toBe(403);
  expect((await call("POST", "/v1/devices", {})).status).toBe(201);
  rules.selfRegistration = true;
  expect((await as(undefined, "POST", "/v1/devices", {})).status).toBe(201);
});

test("is bounded by address, before anything is read; admins are not", async () => {
  const { as, call, clock, limits, metrics } = await setUp();
  limits.maxRegistrationsPerMinute = 2;
  const from = async (address: string, body: unknown = {}) =>
    (await as(undefined, "POST", "/v1/devices", body, { address })).status;
  const seen = [];
  for (let count = 0; count < 4; count++) seen.push(await from("198.51.100.7", count === 0 ? { x: 1 } : {}));
  expect(seen).toEqual([400, 201, 201, 429]);
  const refused = await as("jwt=ann", "POST", "/v1/devices", {}, { address: "198.51.100.7" });
  expect([refused.body.code, refused.headers.get("retry-after")]).toEqual(["too_many_registrations", "30"]);
  expect(await from("198.51.100.8")).toBe(201);
  expect((await call("POST", "/v1/devices", {})).status).toBe(201);
  // One who has an address of a network has the others of it.
  for (const last of [1, 2, 3]) await from(`2001:db8::${last}`);
  expect(await from("2001:db8::4")).toBe(429);
  expect(await metrics.refused.get()).toMatchObject({
    values: expect.arrayContaining([{ labels: { code: "too_many_registrations" }, value: 3 }]),
  });
  clock.advance(30_000);
  expect(await from("198.51.100.7")).toBe(201);
});

test.each([["with its length"], ["in chunks"]])(
  "a body that is too large is not read to its end: %s",
  async (how) => {
    const { request } = await setUp();
    let read = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        read += 65_536;
        controller.enqueue(new TextEncoder().encode(" ".repeat(65_536)));
        if (read >= 8_000_000) controller.close();
      },
    });
    const response = await request("POST", "/v1/devices", {
      body: how === "in chunks" ? body : " ".repeat(131_073),
      headers: { "content-type": "application/json" },
    });
    expect([response.status, (await response.json()) as object]).toMatchObject([
      413,
      { code: "payload_too_large" },
    ]);
    expect(read).toBeLessThan(1_000_000);
  },
);
