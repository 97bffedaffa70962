import { expect, test } from "bun:test";
import { setUpApi } from "./testing/api-set-up.ts";

const JSON_TYPE = { "content-type": "application/json" };

async function setUp() {
  const api = await setUpApi();
  const made = (await api.call("POST", "/v1/schedules", { channel: "a", data: "x", every: "1m" })).body;
  return { ...api, made, path: `/v1/schedules/${made.id}` };
}

test("a channel cannot be taken away, and null is data like any other", async () => {
  const { call, path } = await setUp();
  const refused = await call("PATCH", path, { channel: null });
  expect(refused.status).toBe(400);
  expect(refused.body.detail).toStartWith("channel: ");
  expect((await call("PATCH", path, { data: null })).body).toMatchObject({ channel: "a", data: null });
  expect((await call("PATCH", path, { every: null, cron: "* * * * *" })).body.every).toBeUndefined();
  expect((await call("PATCH", path, { cron: null })).status).toBe(400);
});

test("making and running count as publishing", async () => {
  const { call, path, limits } = await setUp();
  limits.maxPublishesPerSecond = 5;
  const statuses: number[] = [];
  for (let n = 0; n < 30; n++) statuses.push((await call("POST", `${path}/run`)).status);
  expect(statuses).toContain(201);
  expect(statuses).toContain(429);
  const made = await call("POST", "/v1/schedules", { channel: "a", data: "x", every: "1m" });
  expect(made.status).toBe(429);
});

test("a list has the schedules of one's channels alone, paged without a hole", async () => {
  const { call, request } = await setUpApi();
  for (let n = 0; n < 450; n++) {
    await call("POST", "/v1/schedules", { channel: n % 3 === 0 ? "mine" : "theirs", data: n, every: "1h" });
  }
  const seen: number[] = [];
  for (let after: string | null = ""; after !== null; ) {
    const response = await request("GET", `/v1/schedules?limit=40&after=${after}`, { token: "publish:mine" });
    const { schedules, next } = (await response.json()) as {
      schedules: { channel: string; data: number }[];
      next: string | null;
    };
    expect(schedules.every(({ channel }) => channel === "mine")).toBe(true);
    seen.push(...schedules.map(({ data }) => data));
    after = next;
  }
  expect(seen).toEqual(Array.from({ length: 150 }, (_, index) => index * 3));
});

test("a schedule of another channel is as if it were not there, and cannot be moved to one", async () => {
  const { request, path } = await setUp();
  expect((await request("GET", path, { token: "publish:b" })).status).toBe(404);
  const moved = await request("PATCH", path, {
    token: "publish:a",
    headers: JSON_TYPE,
    body: JSON.stringify({ channel: "b" }),
  });
  expect(moved.status).toBe(403);
});

test("a preview from before 1970 is refused", async () => {
  const { call } = await setUpApi();
  const { status, body } = await call("POST", "/v1/schedules/preview", {
    every: "1m",
    from: "0050-06-01T00:00:00Z",
  });
  expect(status).toBe(400);
  expect(body.detail).toStartWith("from: ");
});

test("a schedule to somebody takes an admin's key, or a grant for that channel; one to a channel that channel's", async () => {
  const { call, request } = await setUpApi();
  const make = async (to: string, token: string) => {
    const body = JSON.stringify({ to, data: "x", every: "1m" });
    return (await request("POST", "/v1/schedules", { token, headers: JSON_TYPE, body })).status;
  };
  expect(await make("user:ann", "publish:news")).toBe(403);
  expect(await make("user:ann", "publish:$user/*")).toBe(201);
  expect(await make("everyone", "publish:$user/*")).toBe(403);
  expect(await make("tag:a & !tag:b", "publish:$all")).toBe(201);
  expect(await make("channel:news", "publish:news")).toBe(201);
  expect(await make("channel:alerts", "publish:news")).toBe(403);

  const made = await call("POST", "/v1/schedules", { to: "device:d_1", data: "x", every: "1m" });
  expect(made.body).toMatchObject({ to: "device:d_1" });
  expect(made.body).not.toHaveProperty("channel");
  const path = `/v1/schedules/${made.body.id}`;
  expect((await request("GET", path, { token: "publish:news" })).status).toBe(404);
  const body = JSON.stringify({ to: "everyone" });
  const moved = await request("PATCH", path, { token: "publish:$device/*", headers: JSON_TYPE, body });
  expect(moved.status).toBe(403);
  const list = await request("GET", "/v1/schedules", { token: "publish:news" });
  const { schedules } = (await list.json()) as { schedules: { to?: string }[] };
  expect(schedules.map(({ to }) => to)).toEqual(["channel:news"]);
});

test("a place that is none, two, or no target at all is refused, naming the field", async () => {
  const { call } = await setUpApi();
  const said = { data: "x", every: "1m" };
  for (const [fields, detail] of [
    [{}, "channel: one of channel and to is required"],
    [{ channel: "a", to: "everyone" }, "to: cannot be combined with channel"],
    [{ to: "ann" }, "to: device:ID, user:ID, channel:NAME, tag:NAME or everyone is expected"],
    [{ to: "tag:a &" }, "to: expected tag:NAME, ! or (, found the end"],
    [{ to: "channel:$all" }, "to: channel names that begin with $"],
  ] as const) {
    const { status, body } = await call("POST", "/v1/schedules", { ...said, ...fields });
    expect(status).toBe(400);
    expect(body.detail).toStartWith(detail);
  }
});

test("what says where it is published takes the other's place", async () => {
  const { call, path } = await setUp();
  expect((await call("PATCH", path, { to: "everyone" })).body).toMatchObject({ to: "everyone" });
  expect((await call("GET", path)).body).not.toHaveProperty("channel");
  expect((await call("PATCH", path, { channel: "b" })).body).toMatchObject({ channel: "b" });
  expect((await call("GET", path)).body).not.toHaveProperty("to");
  expect((await call("PATCH", path, { channel: "b", to: "everyone" })).status).toBe(400);
  const { status } = await call("POST", "/v1/schedules/preview", { to: "everyone", every: "1m" });
  expect(status).toBe(200);
});
