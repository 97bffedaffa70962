import { expect, test } from "bun:test";
import { accessOf } from "../hub/access.ts";
import { ADMIN_KEY, testAuthenticator } from "../hub/testing/defaults.ts";
import { readStreamRequest } from "./sse.ts";

interface Asking {
  readonly channel?: string;
  readonly query?: string;
  readonly headers?: Record<string, string>;
  readonly method?: string;
  readonly anonymous?: boolean;
}

const ADMIN = { authorization: `Bearer ${ADMIN_KEY}` };

function ask({ channel = "push", query = "", headers = {}, method = "GET", anonymous = true }: Asking) {
  const url = new URL(`http://push.example/v1/channels/${channel}/stream${query}`);
  const request = new Request(url, { method, headers });
  const asked = readStreamRequest(request, url, channel, { authenticate: testAuthenticator(anonymous) });
  if (asked instanceof Promise) throw new Error("these tokens need no question");
  return asked;
}

const granted = (asking: Asking) => {
  const asked = ask(asking);
  if (!asked.ok) throw new Error(asked.problem.detail);
  const { channel, since } = asked;
  return { channel, since };
};

test("without a token the default channel may be streamed, from now", () => {
  expect(granted({})).toEqual({ channel: "push", since: undefined });
});

test("with one, any; slashes in its name are written either way", () => {
  expect(granted({ channel: "rooms/a%2Fb/c", headers: ADMIN }).channel).toBe("rooms/a/b/c");
  expect(granted({ channel: "news", query: `?token=${ADMIN_KEY}` }).channel).toBe("news");
});

test.each([
  ["?since=0", {}, { offset: 0 }],
  ["?since=abc:7", {}, { epoch: "abc", offset: 7 }],
  ["", { "last-event-id": "abc:7" }, { epoch: "abc", offset: 7 }],
  ["?since=3", { "last-event-id": "abc:7" }, { epoch: "abc", offset: 7 }],
  ["?since=3", { "last-event-id": "" }, { offset: 3 }],
])("%s with %j starts behind %j", (query, headers, since) => {
  expect(granted({ query, headers }).since).toEqual(since);
});

test.each<[Asking, string]>([
  [{ method: "POST" }, "405 method_not_allowed"],
  [{ method: "DELETE", query: "?token=wrong" }, "405 method_not_allowed"],
  [{ query: "?token=wrong" }, "401 invalid_token"],
  [{ headers: { authorization: "Basic eDp5" } }, "401 invalid_token"],
  [{ anonymous: false }, "401 token_required"],
  [{ channel: "news" }, "401 token_required"],
  [{ channel: "$all", headers: ADMIN }, "400 invalid_channel"],
  [{ channel: "a%00b", headers: ADMIN }, "400 invalid_channel"],
  [{ channel: "a%zz", headers: ADMIN }, "400 invalid_channel"],
  [{ channel: "a//b", headers: ADMIN }, "400 invalid_channel"],
  [{ channel: "a/%2e%2e/b", headers: ADMIN }, "400 invalid_channel"],
  [{ query: "?since=yesterday" }, "400 invalid_since"],
  [{ query: "?since=" }, "400 invalid_since"],
  [{ query: "?since=0", headers: { "last-event-id": "x y" } }, "400 invalid_since"],
  [{ query: "?since=0&since=1" }, "400 bad_field"],
  [{ query: "?limit=3" }, "400 bad_field"],
  [{ query: "?limit=3", anonymous: false }, "401 token_required"],
  [{ query: "?since=x", headers: { "last-event-id": "abc:7" } }, "400 bad_field"],
])("%j is refused with %s", (asking, expected) => {
  const asked = ask(asking);
  expect(asked.ok ? "granted" : `${asked.problem.status} ${asked.problem.code}`).toBe(expected);
});

test("a refusal says what to do about it", () => {
  const refused = (asking: Asking) => {
    const asked = ask(asking);
    return asked.ok ? undefined : asked;
  };
  expect(refused({ method: "POST" })?.headers).toEqual({ allow: "GET, HEAD" });
  expect(refused({ channel: "news" })?.headers?.["www-authenticate"]).toStartWith("Bearer ");
});

test("a token without the grant is refused by name, one that has expired is told so, also when the answer takes a while", async () => {
  const url = new URL("http://push.example/v1/channels/news/stream");
  const request = new Request(url, { headers: { authorization: "Bearer some" } });
  const no = () => false;
  const poor = accessOf("jwt:a", { subscribe: no, publish: no, history: no, presence: no });
  for (const [answer, status, code] of [
    [poor, 403, "forbidden"],
    ["expired", 401, "token_expired"],
  ] as const) {
    const asked = await readStreamRequest(request, url, "news", { authenticate: async () => answer });
    expect(asked).toMatchObject({ ok: false, problem: { status, code } });
  }
});
