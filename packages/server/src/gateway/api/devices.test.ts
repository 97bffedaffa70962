import { describe, expect, test } from "bun:test";
import { ADMIN_KEY, setUpApi } from "./testing/api-set-up.ts";

const P256DH = `B${"A".repeat(86)}`;
const AUTH = "A".repeat(22);
const webPush = { endpoint: "https://push.example/abc", keys: { p256dh: P256DH, auth: AUTH } };
const NIGHT = { from: "22:00", to: "07:00" };

const bad: [object, string][] = [
  [{ name: "x" }, "name"],
  [{ platform: "" }, "platform"],
  [{ platform: "a\nb" }, "platform"],
  [{ platform: "x".repeat(51) }, "platform"],
  [{ locale: "de AT" }, "locale"],
  [{ timeZone: "Europe Vienna" }, "timeZone"],
  [{ tags: ["a b"] }, "tags.0"],
  [{ tags: Array.from({ length: 17 }, (_, index) => `t${index}`) }, "tags"],
  [{ user: "a b" }, "user"],
  [{ user: "" }, "user"],
  [{ webPush: { ...webPush, endpoint: "http://push.example/abc" } }, "webPush.endpoint"],
  [{ webPush: { ...webPush, endpoint: "https://a:b@push.example/abc" } }, "webPush.endpoint"],
  [{ webPush: { ...webPush, endpoint: `https://push.example/${"a".repeat(2_048)}` } }, "webPush.endpoint"],
  [{ webPush: { ...webPush, keys: { p256dh: P256DH.slice(1), auth: AUTH } } }, "webPush.keys.p256dh"],
  [{ webPush: { ...webPush, keys: { p256dh: `A${P256DH.slice(1)}`, auth: AUTH } } }, "webPush.keys.p256dh"],
  [{ webPush: { ...webPush, keys: { p256dh: P256DH, auth: `${AUTH}A` } } }, "webPush.keys.auth"],
  [{ webPush: { endpoint: webPush.endpoint } }, "webPush.keys"],
  [{ unifiedPush: { endpoint: "ftp://x" } }, "unifiedPush.endpoint"],
];

test.each(bad)("%j is refused, by itself and in place of what there is", async (said, place) => {
  const { call, devices } = await setUpApi();
  const { id } = (await call("POST", "/v1/devices", {})).body;
  for (const answer of [
    await call("POST", "/v1/devices", said),
    await call("PATCH", `/v1/devices/${id}`, said),
  ]) {
    expect(answer).toMatchObject({ status: 400, body: { code: "bad_field" } });
    expect(answer.body.detail).toContain(place);
  }
  expect(await devices.list({}, "", 10)).toHaveLength(1);
});

describe("changing", () => {
  test("what is said is changed, what is null is taken away", async () => {
    const { call, as } = await setUpApi();
    const { id, token } = (
      await call("POST", "/v1/devices", { platform: "ios", locale: "de", tags: ["a"], user: "ann" })
    ).body;
    const answer = await as(token, "PATCH", `/v1/devices/${id}`, {
      locale: null,
      tags: null,
      appVersion: "2",
      webPush,
    });
    expect(answer.status).toBe(200);
    const { locale, tags, ...rest } = answer.body;
    expect([locale, tags]).toEqual([undefined, undefined]);
    expect(rest).toMatchObject({ id, platform: "ios", appVersion: "2", user: "ann", registered: true });
    expect((await as(token, "GET", `/v1/devices/${id}`)).body).toEqual(answer.body);
    expect((await as(token, "PATCH", `/v1/devices/${id}`, { webPush: null })).body).not.toHaveProperty(
      "webPush",
    );
  });

  test("whose it is an admin says, and nobody what it may", async () => {
    const { call, as, devices } = await setUpApi();
    const { id, token } = (await call("POST", "/v1/devices", { user: "ann" })).body;
    for (const user of ["ann", "bob", null]) {
      expect((await as(token, "PATCH", `/v1/devices/${id}`, { user, locale: "de" })).status).toBe(403);
    }
    expect((await as(token, "PATCH", `/v1/devices/${id}`, { subscribe: ["*"] })).status).toBe(400);
    expect((await devices.get(id))?.locale).toBeUndefined();
    expect((await call("PATCH", `/v1/devices/${id}`, { user: "bob" })).body.user).toBe("bob");
    expect((await call("PATCH", `/v1/devices/${id}`, { user: null })).body).not.toHaveProperty("user");
  });
});

test("a token is rotated and withdrawn by whoever has it, and by an admin", async () => {
  const { call, as } = await setUpApi();
  const { id, token } = (await call("POST", "/v1/devices", {})).body;
  const second = await as(token, "POST", `/v1/devices/${id}/token`);
  expect([second.status, second.body.id]).toEqual([200, id]);
  expect((await as(token, "GET", `/v1/devices/${id}`)).status).toBe(401);
  expect((await as(second.body.token, "DELETE", `/v1/devices/${id}/token`)).status).toBe(204);
  expect((await as(second.body.token, "GET", `/v1/devices/${id}`)).status).toBe(401);
  const third = (await call("POST", `/v1/devices/${id}/token`)).body.token;
  expect((await as(third, "DELETE", `/v1/devices/${id}`)).status).toBe(204);
  for (const [method, path] of [
    ["GET", ""],
    ["DELETE", ""],
    ["POST", "/token"],
    ["DELETE", "/token"],
    ["GET", "/export"],
    ["GET", "/subscriptions"],
  ] as const) {
    expect((await call(method, `/v1/devices/${id}${path}`)).status).toBe(404);
  }
  expect((await call("PATCH", `/v1/devices/${id}`, {})).status).toBe(404);
  expect((await call("PUT", `/v1/devices/${id}/subscriptions/news`, {})).status).toBe(404);
});

test("devices are listed by user and tag, in pages", async () => {
  const { call } = await setUpApi();
  const made = [];
  for (const said of [
    { user: "ann", tags: ["a"] },
    { user: "ann", tags: ["b"] },
    { user: "bob", tags: ["a"] },
  ]) {
    made.push((await call("POST", "/v1/devices", said)).body.id);
  }
  const listed = async (query: string) => {
    const { body } = await call("GET", `/v1/devices?${query}`);
    return [body.devices.map(({ id }: { id: string }) => id), body.next];
  };
  const [one, two, three] = made.toSorted();
  expect(await listed("limit=2")).toEqual([[one, two], two]);
  expect(await listed(`limit=2&after=${two}`)).toEqual([[three], null]);
  expect(await listed("user=ann&tag=b")).toEqual([[made[1]], null]);
  expect(await listed("tag=a")).toEqual([[made[0], made[2]].toSorted(), null]);
  expect((await call("GET", "/v1/devices?platform=ios")).status).toBe(400);
});

describe("switches", () => {
  test("are told as they are set, of channels with any name and of the inbox", async () => {
    const { call, as } = await setUpApi();
    const { id, token } = (await call("POST", "/v1/devices", { user: "ann" })).body;
    const put = async (channel: string, body: object) => {
      const { status, body: told } = await as(
        token,
        "PUT",
        `/v1/devices/${id}/subscriptions/${channel}`,
        body,
      );
      expect(status).toBe(200);
      return told;
    };
    const told = [
      await put("news", { push: false }),
      await put("a/b%2Fc", { quietHours: NIGHT }),
      await put("$all", { push: false, quietHours: NIGHT }),
      await put("$user", {}),
      await put("__proto__", { push: true }),
    ];
    expect(told).toEqual([
      { channel: "news", push: false },
      { channel: "a/b/c", push: true, quietHours: NIGHT },
      { channel: "$all", push: false, quietHours: NIGHT },
      { channel: "$user", push: true },
      { channel: "__proto__", push: true },
    ]);
    const { body } = await as(token, "GET", `/v1/devices/${id}/subscriptions`);
    expect(body.subscriptions).toEqual(expect.arrayContaining(told));
    expect(await put("a/b/c", { quietHours: null })).toEqual({ channel: "a/b/c", push: true });
  });

  test("of a device that a client only names are an admin's to set", async () => {
    const { call, as } = await setUpApi();
    expect((await as("publish:*", "PUT", "/v1/devices/phone/subscriptions/news", {})).status).toBe(403);
    expect((await call("PUT", "/v1/devices/phone/subscriptions/news", { push: false })).status).toBe(200);
    expect((await call("GET", "/v1/devices/phone")).body).toMatchObject({
      registered: false,
      connected: false,
    });
    expect((await call("PATCH", "/v1/devices/phone", { tags: ["a"] })).status).toBe(404);
    expect((await call("POST", "/v1/devices/phone/token")).status).toBe(404);
  });

  test.each([
    ["$other", {}, "channel"],
    ["$device/d_x", {}, "channel"],
    ["a//b", {}, "channel"],
    ["news", { push: "no" }, "push"],
    ["news", { quietHours: { from: "22:00" } }, "quietHours"],
    ["news", { quietHours: { from: "22:00", to: "24:00" } }, "quietHours"],
    ["news", { quietHours: { from: "22:00", to: "22:00" } }, "quietHours"],
    ["news", { quiet: NIGHT }, "quiet"],
  ])("%s %j is refused", async (channel, body, place) => {
    const { call } = await setUpApi();
    const answer = await call("PUT", `/v1/devices/phone/subscriptions/${channel}`, body);
    expect(answer).toMatchObject({ status: 400, body: { code: "bad_field" } });
    expect(answer.body.detail).toContain(place);
  });

  test("are a thousand at most", async () => {
    const { call, devices } = await setUpApi();
    for (let index = 0; index < 1_000; index++) await devices.setSwitch("phone", `c${index}`, {});
    expect(await call("PUT", "/v1/devices/phone/subscriptions/one-more", {})).toMatchObject({
      status: 409,
      body: { code: "too_many_subscriptions" },
    });
  });
});

test("all that is kept of a device is exported, and nothing of another", async () => {
  const { call, as, devices } = await setUpApi();
  const { id, token } = (await call("POST", "/v1/devices", { user: "ann", webPush })).body;
  const other = (await call("POST", "/v1/devices", { user: "ann" })).body.id;
  await devices.setSwitch(id, "news", { push: true, quietHours: NIGHT });
  for (let count = 0; count < 600; count++)
    await call("POST", `/v1/devices/${id}/messages`, { data: { count } });
  await call("POST", `/v1/devices/${other}/messages`, { data: "not for it" });
  const { status, headers, body } = await as(token, "GET", `/v1/devices/${id}/export`);
  expect([status, headers.get("content-type")]).toEqual([200, "application/json; charset=utf-8"]);
  expect(body.device).toMatchObject({ id, user: "ann", webPush, registeredBy: "admin" });
  expect(body.subscriptions).toEqual([{ channel: "news", push: true, quietHours: NIGHT }]);
  expect(body.positions.map(({ channel }: { channel: string }) => channel).sort()).toEqual([
    "$all",
    "$user/ann",
    "news",
  ]);
  expect(body.messages.map(({ data }: { data: { count: number } }) => data.count)).toEqual(
    Array.from({ length: 600 }, (_, index) => index),
  );
  expect(body.receipts).toEqual([]);
  const text = JSON.stringify(body);
  expect(text).not.toContain("not for it");
  expect(text).not.toContain("hash");
  expect(text).not.toContain(token);
  expect((await call("GET", `/v1/devices/${id}/export`)).body).toEqual(body);
});

test("an admin's key in the query reads an export, as browsers do", async () => {
  const { call, request } = await setUpApi();
  const { id } = (await call("POST", "/v1/devices", {})).body;
  expect((await request("HEAD", `/v1/devices/${id}/export?token=${ADMIN_KEY}`)).status).toBe(200);
  expect((await request("GET", `/v1/devices/${id}/export?token=${ADMIN_KEY}`)).status).toBe(200);
});

test("a device changes what is kept of it so often a second, and an admin as often as he likes", async () => {
  const { call, as, clock } = await setUpApi();
  const { id, token } = (await call("POST", "/v1/devices", {})).body;
  const change = (who: string, count: number) =>
    count % 2 === 0
      ? as(who, "PATCH", `/v1/devices/${id}`, { locale: "de" })
      : as(who, "PUT", `/v1/devices/${id}/subscriptions/news`, { push: false });
  const statuses = async (who: string) => {
    const all = [];
    for (let count = 0; count < 30; count++) all.push((await change(who, count)).status);
    return all;
  };
  const told = await statuses(token);
  expect([told.indexOf(429), told.at(-1)]).toEqual([21, 429]);
  const refused = await as(token, "POST", `/v1/devices/${id}/token`);
  expect([refused.status, refused.body.code, refused.headers.get("retry-after")]).toEqual([
    429,
    "rate_limited",
    "1",
  ]);
  expect((await as(token, "GET", `/v1/devices/${id}`)).status).toBe(200);
  expect(await statuses(ADMIN_KEY)).not.toContain(429);
  clock.advance(1_000);
  expect((await as(token, "PATCH", `/v1/devices/${id}`, {})).status).toBe(200);
});
