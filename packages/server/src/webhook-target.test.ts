import { expect, test } from "bun:test";
import { ConfigError, readConfig } from "./config.ts";
import { readWebhookTarget } from "./webhook-target.ts";

const SECRET = "a-secret-for-the-tests";

function target(flags: Parameters<typeof readConfig>[0]) {
  return readWebhookTarget(readConfig({ "webhook-secret": SECRET, ...flags }, {}, {}));
}

function problem(flags: Parameters<typeof readConfig>[0]): string {
  try {
    target(flags);
    return "";
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
}

test("without an address there are none", () => {
  expect(target({})).toBeUndefined();
});

test("an address, a secret and all events", () => {
  expect(target({ "webhook-url": "https://hooks.example/a?b=c" })).toEqual({
    url: "https://hooks.example/a?b=c",
    key: Buffer.from(SECRET),
    events: ["connected", "disconnected", "publication", "device_offline"],
  });
});

test("some events, or none", () => {
  const url = { "webhook-url": "https://hooks.example/" };
  expect(target({ ...url, "webhook-events": "publication, connected" })?.events).toEqual([
    "publication",
    "connected",
  ]);
  expect(target({ ...url, "webhook-events": "" })?.events).toEqual([]);
});

test("credentials are taken out of the address", () => {
  expect(target({ "webhook-url": "https://ann:p%40ss@hooks.example/a" })).toMatchObject({
    url: "https://hooks.example/a",
    authorization: `Basic ${Buffer.from("ann:p@ss").toString("base64")}`,
  });
});

test.each([
  [
    { "webhook-url": "https://hooks.example/", "webhook-secret": "" },
    "--webhook-url needs --webhook-secret, which signs what is posted",
  ],
  [
    { "webhook-url": "https://hooks.example/", "webhook-secret": "whsec_MfKQ9r8GKYqr" },
    "--webhook-secret: expected 24 to 64 bytes in base64 after whsec_",
  ],
  [
    { "webhook-url": "https://ann:100%@hooks.example/" },
    "--webhook-url: the name or the password in it is not well encoded",
  ],
])("%j: says what is wrong, and no secret", (flags, message) => {
  expect(problem(flags)).toBe(message);
});
