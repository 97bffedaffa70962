import { expect, test } from "bun:test";
import { connected, say } from "../../hub/testing/v1-client.ts";
import { ADMIN_KEY, setUpApi } from "./testing/api-set-up.ts";

test("a token is made with what it may do, and does that and nothing else", async () => {
  const { call, request } = await setUpApi();
  const grants = { publish: ["news/*"], history: ["news/a"] };
  const { status, body } = await call("POST", "/v1/tokens", { name: "editor", ...grants });
  expect([status, body]).toEqual([
    201,
    {
      id: expect.stringMatching(/^[A-Za-z0-9]{8}$/),
      name: "editor",
      ...grants,
      createdAt: "2026-11-24T09:30:00.000Z",
      token: expect.stringMatching(new RegExp(`^ck_${body.id}_[\\w-]{32}$`)),
    },
  ]);
  const { token } = body;
  const ask = async (method: string, path: string, sent?: string) =>
    (await request(method, path, { token, ...(sent !== undefined && { body: sent }) })).status;
  expect(await ask("POST", "/v1/channels/news/b/messages", "x")).toBe(201);
  expect(await ask("POST", "/v1/channels/push/messages", "x")).toBe(403);
  expect(await ask("GET", "/v1/channels/news/a/messages")).toBe(200);
  expect(await ask("GET", "/v1/channels/news/b/messages")).toBe(403);
  for (const [method, path] of [
    ["GET", "/v1/tokens"],
    ["POST", "/v1/tokens"],
    ["DELETE", `/v1/tokens/${body.id}`],
    ["GET", "/v1/sessions"],
  ] as const) {
    expect(await ask(method, path)).toBe(403);
  }
});

test("an admin's token may make and revoke others", async () => {
  const { call, request } = await setUpApi();
  const { token } = (await call("POST", "/v1/tokens", { name: "ops", admin: true })).body;
  const headers = { "content-type": "application/json" };
  const made = await request("POST", "/v1/tokens", { token, headers, body: '{"name":"x"}' });
  expect(made.status).toBe(201);
  const { id } = (await made.json()) as { id: string };
  expect((await request("DELETE", `/v1/tokens/${id}`, { token })).status).toBe(204);
});

test("tokens are listed without what would let anybody in, in pages", async () => {
  const { call, request, clock } = await setUpApi();
  const made = [];
  for (const name of ["a", "b", "c"]) {
    const { token, ...told } = (await call("POST", "/v1/tokens", { name, presence: ["*"] })).body;
    made.push(told);
    if (name !== "b") continue;
    clock.advance(1_000);
    await request("GET", "/v1/channels/push", { token });
    told.lastUsedAt = "2026-11-24T09:30:01.000Z";
  }
  made.sort((one, other) => (one.id < other.id ? -1 : 1));
  const first = await call("GET", "/v1/tokens?limit=2");
  expect([first.status, first.body]).toEqual([200, { tokens: made.slice(0, 2), next: made[1].id }]);
  const second = await call("GET", `/v1/tokens?limit=2&after=${first.body.next}`);
  expect(second.body).toEqual({ tokens: made.slice(2), next: null });
  expect((await call("GET", "/v1/tokens?limit=3")).body.next).toBeNull();
});

test("a token ends when it was said to", async () => {
  const { call, request, clock } = await setUpApi();
  const expiresAt = "2026-11-24T10:30:10+01:00";
  const { body } = await call("POST", "/v1/tokens", { name: "x", presence: ["push"], expiresAt });
  expect(body.expiresAt).toBe("2026-11-24T09:30:10.000Z");
  const ask = () => request("GET", "/v1/sessions", { token: body.token });
  expect((await ask()).status).toBe(403);
  clock.advance(10_000);
  const late = await ask();
  expect([late.status, (await late.json()) as object]).toMatchObject([401, { code: "token_expired" }]);
});

test.each([
  [{}, "name: "],
  [{ name: "" }, "name: "],
  [{ name: "x".repeat(101) }, "name: "],
  [{ name: "a\nb" }, "name: "],
  [{ name: "x", subscribe: "news" }, "subscribe: "],
  [{ name: "x", subscribe: ["a,b"] }, "subscribe.0: expected a pattern"],
  [{ name: "x", subscribe: [""] }, "subscribe.0: "],
  [{ name: "x", publish: Array.from({ length: 101 }, () => "a") }, "publish: "],
  [{ name: "x", grants: [] }, "grants"],
  [{ name: "x", admin: "yes" }, "admin: "],
  [{ name: "x", expiresAt: "tomorrow" }, "expiresAt: "],
  [{ name: "x", expiresAt: "2026-11-24T09:30:00Z" }, "expiresAt: the time is over already"],
  [{ name: "x", expiresAt: "9999-12-31T23:59:59-01:00" }, "expiresAt: expected a time before the year 10000"],
])("%j is refused, and what is wrong is named", async (body, detail) => {
  const { call } = await setUpApi();
  const answer = await call("POST", "/v1/tokens", body);
  expect(answer).toMatchObject({ status: 400, body: { code: "bad_field" } });
  expect(answer.body.detail).toContain(detail);
  expect((await call("GET", "/v1/tokens")).body.tokens).toEqual([]);
});

const AT_THE_LATEST = "expiresAt: at the latest 2026-11-24T09:31:00.000Z, when the token that makes it ends";

test.each([
  ["without an end", { admin: true }, AT_THE_LATEST],
  ["that may do less, without an end", { publish: ["news"] }, AT_THE_LATEST],
  ["that ends a millisecond later", { expiresAt: "2026-11-24T09:31:00.001Z" }, AT_THE_LATEST],
  ["that ends later elsewhere", { expiresAt: "2026-11-24T09:31:00-01:00" }, AT_THE_LATEST],
  ["that ends with it", { expiresAt: "2026-11-24T10:31:00+01:00" }, undefined],
  ["that ends before", { expiresAt: "2026-11-24T09:30:59Z" }, undefined],
])("by a token that ends, one %s: %j", async (_, wanted, detail) => {
  const { call, request } = await setUpApi();
  const expiresAt = "2026-11-24T09:31:00Z";
  const { token } = (await call("POST", "/v1/tokens", { name: "ops", admin: true, expiresAt })).body;
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ name: "x", ...wanted });
  const answer = await request("POST", "/v1/tokens", { token, headers, body });
  expect([answer.status, await answer.json()]).toMatchObject(
    detail === undefined ? [201, { name: "x" }] : [400, { code: "bad_field", detail }],
  );
  expect((await call("GET", "/v1/tokens")).body.tokens).toHaveLength(detail === undefined ? 2 : 1);
});

test("revoked, it is refused, and who is connected by it is closed for good; the others stay", async () => {
  const hub = await setUpApi();
  const { call, request } = hub;
  const [one, other] = [
    (await call("POST", "/v1/tokens", { name: "one", subscribe: ["news"] })).body,
    (await call("POST", "/v1/tokens", { name: "other", subscribe: ["news"] })).body,
  ];
  const clients = [];
  for (const token of [one.token, one.token, other.token, ADMIN_KEY])
    clients.push(await connected(hub, { token }));
  expect((await call("DELETE", `/v1/tokens/${one.id}`)).status).toBe(204);
  expect(clients.map(({ outbound }) => outbound.ended)).toEqual([4500, 4500, undefined, undefined]);
  expect((await request("GET", "/v1/tokens", { token: one.token })).status).toBe(401);
  const late = hub.connectV1();
  expect(await say(late, { type: "connect", id: 1, token: one.token })).toMatchObject([
    { code: "invalid_token" },
  ]);
  expect((await call("DELETE", `/v1/tokens/${one.id}`)).status).toBe(404);
  expect((await call("GET", "/v1/tokens")).body.tokens.map(({ id }: { id: string }) => id)).toEqual([
    other.id,
  ]);
});
