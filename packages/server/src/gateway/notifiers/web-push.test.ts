/** Both senders, against a push service that reads as the RFCs say. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import type { Accepted } from "../../engine/engine.ts";
import { blankDevice } from "../../hub/devices/stored.ts";
import { Notification } from "../../hub/notifications/notification.ts";
import { systemClock as clock } from "../../lib/clock.ts";
import { createLog } from "../../lib/log.ts";
import { timestampFormat } from "../../lib/timestamp.ts";
import { Endpoints } from "./endpoints.ts";
import { PushServices } from "./push-services.ts";
import { startPushService } from "./testing/push-service.ts";
import { unifiedPush } from "./unified-push.ts";
import { newVapidKeys, Vapid } from "./vapid.ts";
import { webPush } from "./web-push.ts";

const service = startPushService();
const log = createLog({
  format: "pretty",
  level: "error",
  clock,
  timestamp: timestampFormat("UTC"),
  write() {},
});
const endpoints = new Endpoints([service.host], async () => []);
const services = new PushServices({ endpoints, clock, log, post: fetch });
const vapid = await Vapid.open(await newVapidKeys(), "mailto:ops@example.com", clock);
const senders = { webPush: webPush({ services, vapid }), unifiedPush: unifiedPush({ services, vapid }) };
const { signal } = new AbortController();

afterEach(() => {
  expect(service.problems).toEqual([]);
});
afterAll(() => service.stop());

const NOW = clock.wallMs();

function notification(more: Partial<Accepted> = {}): Notification {
  const publication = {
    id: "0mp1",
    channel: "news/a",
    timeMs: NOW,
    lane: 1,
    data: '{"title":"Grüße 🎉"}',
    meta: '{"ttl":600,"urgency":"high","collapseKey":"score","tags":["x"]}',
    expiresAtMs: NOW + 600_000,
    offset: 7,
    prev: 6,
    ...more,
  } as const;
  return new Notification(publication, NOW + 1_500);
}

const deviceOf = (more: object) => ({ ...blankDevice("d_1", NOW), ...more });

test("a browser is sent the publication, encrypted, by who we are", async () => {
  const app = service.subscribe();
  const device = deviceOf({ webPush: app.subscription });
  expect(senders.webPush.reaches(device)).toBeTrue();
  expect(senders.unifiedPush.reaches(device)).toBeFalse();
  expect(await senders.webPush.send(device, notification({ lane: 0 }), signal)).toBe("sent");
  const [message] = await app.messages(1);
  expect(JSON.parse(message?.text ?? "")).toEqual({
    channel: "news/a",
    id: "0mp1",
    offset: 7,
    prev: 6,
    time: new Date(NOW).toISOString(),
    data: { title: "Grüße 🎉" },
    ttl: 600,
    urgency: "high",
    collapseKey: "score",
    tags: ["x"],
  });
  expect(message).toMatchObject({
    ttl: 598,
    urgency: "high",
    topic: expect.stringMatching(/^[\w-]{32}$/),
    sender: { aud: service.origin, sub: "mailto:ops@example.com", key: vapid.publicKey },
  });
});

test("without a ttl it is kept for four weeks, and without a collapse key it replaces nothing", async () => {
  const app = service.subscribe();
  const { expiresAtMs: _, ...publication } = notification({ meta: "" }).publication;
  await senders.webPush.send(
    deviceOf({ webPush: app.subscription }),
    new Notification(publication, NOW),
    signal,
  );
  const [message] = await app.messages(1);
  expect(message).toMatchObject({ ttl: 2_419_200, urgency: "normal", topic: null });
});

test("a topic is a channel's and a target's, and the same for all of one key", async () => {
  const app = service.subscribe();
  const device = deviceOf({ webPush: app.subscription });
  const meta = (collapseKey: string) => JSON.stringify({ collapseKey });
  const others = [{ channel: "news/b" }, { meta: meta("other") }, { target: "tag:a" }];
  for (const more of [{}, { id: "0mp2" }, ...others]) {
    await senders.webPush.send(device, notification({ meta: meta("score"), ...more }), signal);
  }
  const [first, second, ...rest] = (await app.messages(5)).map(({ topic }) => topic);
  expect(second).toBe(first ?? "");
  expect(new Set([first, ...rest]).size).toBe(4);
});

describe("what is too long", () => {
  const long = notification({ data: JSON.stringify("ü".repeat(2_000)) });

  test("is sent without its data", async () => {
    const app = service.subscribe();
    expect(await senders.webPush.send(deviceOf({ webPush: app.subscription }), long, signal)).toBe("sent");
    const [message] = await app.messages(1);
    expect(JSON.parse(message?.text ?? "")).toEqual({
      channel: "news/a",
      id: "0mp1",
      offset: 7,
      time: new Date(NOW).toISOString(),
      ttl: 600,
      urgency: "high",
      collapseKey: "score",
      truncated: true,
    });
  });

  test("begins where it would not fit", async () => {
    const app = service.subscribe();
    const device = deviceOf({ webPush: app.subscription });
    const around = Buffer.byteLength(notification({ data: '""' }).full);
    for (const length of [3_993 - around, 3_994 - around]) {
      await senders.webPush.send(device, notification({ data: JSON.stringify("x".repeat(length)) }), signal);
    }
    const [fits, does] = await app.messages(2);
    expect(fits?.bytes).toBe(4_096);
    expect(fits?.text).not.toContain("truncated");
    expect(does?.text).toContain('"truncated":true');
  });

  test("is tried without its data where a service says so, and given up after that", async () => {
    const app = service.subscribe();
    app.answer = ({ text }) => (text.includes("truncated") ? 201 : 413);
    const device = deviceOf({ webPush: app.subscription });
    expect(await senders.webPush.send(device, notification(), signal)).toBe("sent");
    expect(app.attempts.map(({ text }) => text.includes("truncated"))).toEqual([false, true]);
    app.answer = () => 413;
    expect(await senders.webPush.send(device, notification(), signal)).toBe("refused");
    expect(await senders.webPush.send(device, long, signal)).toBe("refused");
    expect(app.attempts).toHaveLength(5);
  });
});

test("in everybody's inbox there is no publication before", async () => {
  const app = service.subscribe();
  const everybodys = notification({ channel: "$all" });
  await senders.webPush.send(deviceOf({ webPush: app.subscription }), everybodys, signal);
  const [message] = await app.messages(1);
  expect(JSON.parse(message?.text ?? "")).toMatchObject({ channel: "$all", offset: 7, prev: 0 });
});

test.each([
  [410, "gone"],
  [404, "gone"],
  [302, "refused"],
  [{ status: 429, retryAfter: "30" }, { retryAfterMs: 30_000 }],
  [500, { retryAfterMs: 0 }],
] as const)("an answer of %p: %p", async (answer, outcome) => {
  const app = service.subscribe();
  app.answer = () => answer;
  expect(await senders.webPush.send(deviceOf({ webPush: app.subscription }), notification(), signal)).toEqual(
    outcome,
  );
  expect(app.attempts).toHaveLength(1);
});

test("keys that are none are refused, and nothing is posted", async () => {
  const app = service.subscribe();
  const p256dh = Buffer.concat([Buffer.of(4), Buffer.alloc(64, 1)]).toString("base64url");
  const keys = { ...app.subscription.keys, p256dh };
  const device = deviceOf({ webPush: { endpoint: app.endpoint, keys } });
  expect(await senders.webPush.send(device, notification(), signal)).toBe("refused");
  expect(app.attempts).toEqual([]);
});

describe("UnifiedPush", () => {
  test("with keys it is Web Push", async () => {
    const app = service.subscribe();
    const device = deviceOf({ unifiedPush: app.subscription });
    expect(senders.unifiedPush.reaches(device)).toBeTrue();
    expect(senders.webPush.reaches(device)).toBeFalse();
    expect(await senders.unifiedPush.send(device, notification(), signal)).toBe("sent");
    const [message] = await app.messages(1);
    expect(message).toMatchObject({ ttl: 598, sender: { key: vapid.publicKey } });
    expect(message?.text).toBe(notification().full);
  });

  test("without keys it is the JSON as it is, and nobody's password", async () => {
    const app = service.subscribe(false);
    const device = deviceOf({ unifiedPush: { endpoint: app.endpoint } });
    expect(await senders.unifiedPush.send(device, notification(), signal)).toBe("sent");
    const [message] = await app.messages(1);
    expect(message).toMatchObject({
      text: notification().full,
      contentType: "application/json",
      urgency: "normal",
      ttl: 598,
      topic: expect.any(String),
      sender: undefined,
    });
  });

  test("without keys 4,096 bytes fit", async () => {
    const app = service.subscribe(false);
    const device = deviceOf({ unifiedPush: { endpoint: app.endpoint } });
    const around = Buffer.byteLength(notification({ data: '""' }).full);
    for (const length of [4_096 - around, 4_097 - around]) {
      await senders.unifiedPush.send(
        device,
        notification({ data: JSON.stringify("x".repeat(length)) }),
        signal,
      );
    }
    const [fits, does] = await app.messages(2);
    expect(fits?.bytes).toBe(4_096);
    expect(does?.text).toContain('"truncated":true');
  });
});

test("a device that has no such endpoint any more is gone", async () => {
  expect(await senders.webPush.send(deviceOf({}), notification(), signal)).toBe("gone");
  expect(await senders.unifiedPush.send(deviceOf({}), notification(), signal)).toBe("gone");
});
