/** Who is let in where: every route, every grant. */
import { describe, expect, test } from "bun:test";
import { GRANTS } from "../../hub/access.ts";
import { testAuthenticator } from "../../hub/testing/defaults.ts";
import { silentLog } from "../../lib/log.ts";
import { createApi } from "./api.ts";
import type { Needs } from "./route.ts";
import { ADMIN_KEY, setUpApi } from "./testing/api-set-up.ts";

const { routes } = await setUpApi();
const addressed = routes.map(({ description: { needs, method, path } }) => ({
  needs,
  method: method.toUpperCase(),
  path: path.replace("{channel}", "news").replace(/\{\w+\}/g, "x"),
  /** That the path names, and one that begins alike. */
  channels: path.includes("{device}") ? ["$device/x", "$device/xy"] : ["news", "newspaper"],
}));
/** What strangers may ask for; of what they may say, `devices.test.ts` has more. */
const isOpen = (needs: Needs) => needs === "registration" || needs === "anybody";

test("the table below covers every need there is", () => {
  const needs = new Set(addressed.map((each) => each.needs));
  const closed = [...needs].filter((each) => !isOpen(each));
  expect(closed.sort()).toEqual(["admin", "device", "history", "presence", "publish", "token"]);
});

describe.each(addressed)("$method $path", ({ method, path, needs, channels }) => {
  const [channel, other] = channels;
  const ask = async (token?: string) => {
    const { request } = await setUpApi();
    const response = await request(method, path, token === undefined ? {} : { token });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const codeOf = ({ text }: { text: string }) => JSON.parse(text).code;

  test(`${isOpen(needs) ? "let in" : "401"} without a token`, async () => {
    const answer = await ask();
    if (isOpen(needs)) return expect([401, 403]).not.toContain(answer.status);
    expect(answer.status).toBe(401);
    expect(codeOf(answer)).toBe("token_required");
    expect(answer.headers.get("www-authenticate")).toStartWith("Bearer");
  });

  test.each([
    ["guess", "invalid_token"],
    ["invalid:", "invalid_token"],
    ["expired:", "token_expired"],
    [`${ADMIN_KEY}x`, "invalid_token"],
    [ADMIN_KEY.slice(1), "invalid_token"],
  ])("401 with %s", async (token, code) => {
    const answer = await ask(token);
    expect(answer.status).toBe(401);
    expect(codeOf(answer)).toBe(code);
  });

  test("401 with another scheme than Bearer", async () => {
    const { request } = await setUpApi();
    const headers = { authorization: `Basic ${btoa(`admin:${ADMIN_KEY}`)}` };
    expect((await request(method, path, { headers })).status).toBe(401);
  });

  for (const grant of GRANTS) {
    const isEnough = grant === needs || needs === "token" || isOpen(needs);
    test(`${isEnough ? "let in" : "403"} with ${grant} for this channel`, async () => {
      const { status } = await ask(`${grant}:${channel}`);
      if (isEnough) expect([401, 403]).not.toContain(status);
      else expect(status).toBe(403);
    });
    if (needs !== "token" && !isOpen(needs)) {
      test(`403 with ${grant} for another channel`, async () => {
        expect((await ask(`${grant}:${other}`)).status).toBe(403);
      });
    }
  }

  test("let in with the admin key", async () => {
    expect([401, 403]).not.toContain((await ask(ADMIN_KEY)).status);
  });

  test(`${method === "GET" || isOpen(needs) ? "let in" : "401"} with the admin key in the query`, async () => {
    const { request } = await setUpApi();
    const response = await request(method, `${path}?token=${ADMIN_KEY}`);
    if (method === "GET" || isOpen(needs)) return expect([401, 403]).not.toContain(response.status);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code: "token_required" });
  });
});

test("without a token the default channel's history may be read, and nothing else of it", async () => {
  const { request } = await setUpApi();
  expect((await request("GET", "/v1/channels/push/messages")).status).toBe(200);
  expect((await request("GET", "/v1/channels/push")).status).toBe(401);
  expect((await request("POST", "/v1/channels/push/messages", { body: "x" })).status).toBe(401);
});

test("where nobody is let in without a token, that is what is asked for everywhere", async () => {
  const api = createApi(routes, { authenticate: testAuthenticator(false), log: silentLog });
  const closed = addressed.filter(({ needs }) => !isOpen(needs));
  for (const { method, path } of [...closed, { method: "GET", path: "/v1/channels/push/messages" }]) {
    const url = new URL(path, "http://push.example");
    const response = await api(new Request(url, { method }), url);
    expect([response.status, await response.json()]).toMatchObject([401, { code: "token_required" }]);
  }
});

test("another method is 405 with those there are; another address is 404", async () => {
  const { request } = await setUpApi();
  const answer = await request("PATCH", "/v1/channels/a/messages", { token: ADMIN_KEY });
  expect(answer.status).toBe(405);
  expect(answer.headers.get("allow")).toBe("POST, GET, HEAD");
  expect((await request("GET", "/v1/nothing", { token: ADMIN_KEY })).status).toBe(404);
});
