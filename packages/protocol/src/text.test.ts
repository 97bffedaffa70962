import { expect, test } from "bun:test";
import fc from "fast-check";
import { decodeText, encodeReceived } from "./text.ts";

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
  "Heartbeat",
  "__proto__",
  "订阅",
])("%j is a message", (text) => {
  expect(decodeText(text)).toEqual({ type: "message", text });
});

test("the heartbeat's answer is the documented one", () => {
  expect(encodeReceived("Heartbeat")).toBe("Server received: Heartbeat");
});

test("an answer carries back what was sent, whatever it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(encodeReceived(text)).toBe(`Server received: ${text}`);
    }),
  );
});
