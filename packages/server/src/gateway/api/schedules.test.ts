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
