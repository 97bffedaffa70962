import { expect, test } from "bun:test";
import { ADMIN_KEY, testAuthenticator } from "../hub/testing/defaults.ts";
import { readHandshake, type TextQuery } from "./handshake.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

function shake(change: {
  headers?: Record<string, string | undefined>;
  query?: string;
  method?: string;
  origins?: string[];
  anonymous?: boolean;
}) {
  const headers = new Headers();
  const all = {
    host: "push.example:8080",
    upgrade: "websocket",
    "sec-websocket-key": KEY,
    ...change.headers,
  };
  for (const [name, value] of Object.entries(all)) if (value !== undefined) headers.set(name, value);
  const request = new Request("http://push.example:8080/ws", { method: change.method ?? "GET", headers });
  const url = new URL(`http://push.example:8080/ws${change.query ?? ""}`);
  const { anonymous = true, origins: allowedOrigins = [] } = change;
  const authenticate = testAuthenticator(anonymous);
  const handshake = readHandshake(request, url, {
    defaultChannel: "push",
    allowedOrigins,
    authenticate,
    enter,
  });
  if (handshake instanceof Promise) throw new Error("these tokens need no question");
  return handshake;
}

async function enter(_: unknown, named: string | undefined) {
  if (named === "broken") throw new Error("the disk is full");
  return named === undefined ? undefined : named === "another" ? ("forbidden" as const) : { id: named };
}

const refusal = (change: Parameters<typeof shake>[0]) => {
  const result = shake(change);
  return result.ok ? "accepted" : `${result.problem.status} ${result.problem.code}`;
};

const text = (query: Omit<TextQuery, "access">) =>
  ({ ok: true, protocol: "text", query: { access: expect.anything(), ...query } }) as const;

test("a plain client gets the default channel, once, asked for or not", () => {
  expect(shake({})).toEqual(text({ channels: ["push"] }));
  expect(shake({ query: "?channel=push&channel=push" })).toEqual(text({ channels: ["push"] }));
});

test("a plain GET is told to upgrade", () => {
  const result = shake({ headers: { upgrade: undefined } });
  expect(!result.ok && result.problem.status).toBe(426);
  expect(!result.ok && result.headers).toEqual({ upgrade: "websocket", connection: "Upgrade" });
});

test.each([
  [{ method: "POST" }, "405 method_not_allowed"],
  [{ headers: { "sec-websocket-key": undefined } }, "400 invalid_handshake"],
  [{ headers: { "sec-websocket-key": "abc" } }, "400 invalid_handshake"],
  [{ headers: { "sec-websocket-protocol": "mqtt, chat" } }, "400 unknown_subprotocol"],
  [{ query: "?token=abc" }, "401 invalid_token"],
  [{ query: "?channel=news" }, "401 token_required"],
  [{ query: "?channel=push&channel=news" }, "401 token_required"],
  [{ query: "?channel=%24all" }, "400 invalid_channel"],
  [{ query: "?channel=" }, "400 invalid_channel"],
  [
    { query: `?${Array.from({ length: 101 }, (_, n) => `channel=c${n}`).join("&")}` },
    "400 too_many_channels",
  ],
] as const)("%j is refused: %s", (change, expected) => {
  expect(refusal(change)).toBe(expected);
});

test.each([
  [undefined, []],
  ["http://push.example:8080", []],
  ["https://push.example:8080", []],
  ["http://PUSH.example:8080", []],
  ["https://app.example", ["https://app.example"]],
  ["https://anything.example", ["*"]],
])("origin %j may connect when %j are allowed", (origin, origins) => {
  expect(refusal({ headers: { origin }, origins })).toBe("accepted");
});

test.each([
  ["https://evil.example", []],
  ["http://push.example", []],
  ["http://push.example:9090", []],
  ["http://push.example:8080.evil.example", []],
  ["null", []],
  ["", []],
  ["garbage", ["https://app.example"]],
  ["https://app.example.evil", ["https://app.example"]],
])("origin %j may not connect when %j are allowed", (origin, origins) => {
  expect(refusal({ headers: { origin }, origins })).toBe("403 origin_not_allowed");
});

test("default ports are no difference", () => {
  expect(refusal({ headers: { origin: "http://push.example", host: "push.example:80" } })).toBe("accepted");
  expect(refusal({ headers: { origin: "https://push.example", host: "push.example" } })).toBe("accepted");
});

test("a token opens what it allows; without one, nothing but the default channel", () => {
  expect(shake({ query: `?channel=a&channel=b&token=${ADMIN_KEY}` })).toEqual(text({ channels: ["a", "b"] }));
  expect(refusal({ query: "?channel=a&token=guess" })).toBe("401 invalid_token");
  expect(refusal({ query: "?channel=a" })).toBe("401 token_required");
  expect(refusal({ anonymous: false })).toBe("401 token_required");
});

test("a device, if it may be that one", async () => {
  const rules = { defaultChannel: "push", allowedOrigins: [], authenticate: testAuthenticator(), enter };
  const named = (query: string) => {
    const headers = { host: "push.example", upgrade: "websocket", "sec-websocket-key": KEY };
    const url = new URL(`http://push.example/ws${query}`);
    return readHandshake(new Request(url, { headers }), url, rules);
  };
  expect(await named("?device=phone-1")).toEqual(text({ channels: ["push"], device: "phone-1" }));
  expect(await named("?device=another")).toMatchObject({ problem: { status: 401, code: "token_required" } });
  expect(await named(`?device=another&token=${ADMIN_KEY}`)).toMatchObject({
    problem: { status: 403, code: "forbidden" },
  });
  expect(await named("?device=broken")).toMatchObject({
    problem: { status: 503, code: "storage_unavailable" },
  });
});

test("what it has already", () => {
  const channels = ["push"];
  expect(shake({ query: "?since=0" })).toEqual(text({ channels, since: { offset: 0 } }));
  expect(shake({ query: "?since=k3_v:42" })).toEqual(
    text({ channels, since: { epoch: "k3_v", offset: 42 } }),
  );
});

test.each(["-1", "1.5", "", "now", "a:b", "1e3", "9999999999999999", ":1"])(
  "since=%s is refused",
  (since) => {
    expect(refusal({ query: `?since=${since}` })).toBe("400 invalid_since");
  },
);

test.each(["", "a%20b", "a/b", "x".repeat(101)])("device=%s is refused", (device) => {
  expect(refusal({ query: `?device=${device}` })).toBe("400 invalid_device");
});

test.each(["carillon.v1", "mqtt, carillon.v1", "carillon.v1,x"])("%s is the SDK's protocol", (offered) => {
  expect(shake({ headers: { "sec-websocket-protocol": offered } })).toEqual({ ok: true, protocol: "v1" });
});
