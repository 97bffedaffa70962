import { expect, test } from "bun:test";
import { readHandshake } from "./handshake.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

function shake(change: {
  headers?: Record<string, string | undefined>;
  query?: string;
  method?: string;
  origins?: string[];
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
  return readHandshake(request, url, { defaultChannel: "push", allowedOrigins: change.origins ?? [] });
}

const refusal = (change: Parameters<typeof shake>[0]) => {
  const result = shake(change);
  return result.ok ? "accepted" : `${result.problem.status} ${result.problem.code}`;
};

test("a plain client gets the default channel, once, asked for or not", () => {
  expect(shake({})).toEqual({ ok: true, channels: ["push"] });
  expect(shake({ query: "?channel=push&channel=push" })).toEqual({ ok: true, channels: ["push"] });
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
  [{ query: "?channel=news" }, "403 channel_not_allowed"],
  [{ query: "?channel=push&channel=news" }, "403 channel_not_allowed"],
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
