import { expect, test } from "bun:test";
import fc from "fast-check";
import { payloadOf, sizeOf } from "./payload.ts";

const timeMs = Date.UTC(2026, 10, 24, 9, 30, 0, 5);
const who = { session: "Zk3-1", protocol: "v1", address: "::1" } as const;

test.each([
  [
    { type: "connected", ...who, device: "phone" },
    { type: "connected", time: "2026-11-24T09:30:00.005Z", ...who, device: "phone" },
  ],
  [
    { type: "disconnected", ...who, code: 1006 },
    { type: "disconnected", time: "2026-11-24T09:30:00.005Z", ...who, code: 1006 },
  ],
  [
    { type: "device_offline", device: "phone" },
    { type: "device_offline", time: "2026-11-24T09:30:00.005Z", device: "phone" },
  ],
] as const)("$type", (event, payload) => {
  expect(JSON.parse(payloadOf(event, timeMs))).toEqual(payload);
});

const publication = {
  id: "0mp1",
  channel: "news/a",
  timeMs: Date.UTC(2026, 10, 24, 9, 29, 0),
  lane: 1,
  data: '{"title":"Hello"}',
  meta: '{"urgency":"high","ttl":60}',
  offset: 7,
  prev: 6,
} as const;

test("a publication is told as receivers get it, with the time at which it was written", () => {
  expect(JSON.parse(payloadOf({ type: "publication", publication }, timeMs))).toEqual({
    type: "publication",
    channel: "news/a",
    id: "0mp1",
    offset: 7,
    prev: 6,
    time: "2026-11-24T09:29:00.000Z",
    data: { title: "Hello" },
    urgency: "high",
    ttl: 60,
  });
});

test("one that was not stored has no offset", () => {
  const payload = payloadOf(
    { type: "publication", publication: { ...publication, offset: 0, prev: 0, meta: "" } },
    timeMs,
  );
  expect(Object.keys(JSON.parse(payload))).toEqual(["type", "channel", "id", "time", "data"]);
});

test("any data stays what it is, and no payload is much more than what is counted for it", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const data = JSON.stringify(value);
      const event = { type: "publication", publication: { ...publication, data } } as const;
      const payload = payloadOf(event, timeMs);
      expect(JSON.stringify(JSON.parse(payload).data)).toBe(data);
      expect(payload.length).toBeLessThan(sizeOf(event));
    }),
  );
});
