import { expect, test } from "bun:test";
import fc from "fast-check";
import { decodeReceived, decodeText, encodeReceived, HEARTBEAT } from "./text.ts";

// Golden frames: what is on the wire today has to be on the wire for ever.
test("commands are exactly these words", () => {
  expect(decodeText("subscribe")).toEqual({ type: "subscribe" });
  expect(decodeText("unsubscribe")).toEqual({ type: "unsubscribe" });
});

test.each([
  "",
  " subscribe",
  "subscribe\n",
  "Subscribe",
  "SUBSCRIBE",
  "heartbeat",
  HEARTBEAT,
  "__proto__",
  "订阅",
])("%j is a message", (text) => {
  expect(decodeText(text)).toEqual({ type: "message", text });
});

test("the heartbeat's answer is the documented one", () => {
  expect(encodeReceived(HEARTBEAT)).toBe("Server received: Heartbeat");
});

test("an answer carries back what was sent, and a push is no answer", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(decodeReceived(encodeReceived(text))).toBe(text);
    }),
  );
  expect(decodeReceived("Server push message at 2026-11-24 09:30:00")).toBeUndefined();
});
