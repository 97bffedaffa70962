import { expect, test } from "bun:test";
import { CloseCode, mayReconnect } from "./codes.ts";

// Clients out there act on these numbers.
test("the codes are the documented ones", () => {
  expect(CloseCode).toEqual({
    normal: 1000,
    goingAway: 1001,
    unsupportedData: 1003,
    invalidPayload: 1007,
    policyViolation: 1008,
    messageTooBig: 1009,
    serviceRestart: 1012,
    tryAgainLater: 1013,
    idleTimeout: 4000,
    connectTimeout: 4001,
    tokenExpired: 4002,
    deviceChanged: 4003,
    unauthorized: 4500,
    disconnected: 4501,
  });
});

test.each([
  [1000, true],
  [1006, true],
  [1012, true],
  [4000, true],
  [4499, true],
  [4500, false],
  [4999, false],
])("a client closed with %d may come back: %p", (code, expected) => {
  expect(mayReconnect(code)).toBe(expected);
});
