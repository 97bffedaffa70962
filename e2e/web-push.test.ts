/**
 * Closed apps, told by a real server of what is published: through a push service that takes messages as RFC 8030 says, knows
 * the sender by RFC 8292 and reads as the app would, by RFC 8291.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type App, startPushService } from "../packages/server/src/gateway/notifiers/testing/push-service.ts";
import { type Answer, Caller } from "./support/api.ts";
import { Carillon, Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";

const KEY = "a-key-for-these-tests";
const CONTACT = "mailto:ops@example.com";

const service = startPushService();
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-web-push-"));
});
afterEach(() => {
  expect(service.problems).toEqual([]);
});
afterAll(async () => {
  service.stop();
  await rm(dir, { recursive: true });
});

function start(...args: readonly string[]): Promise<Server> {
  const push = ["--push-every", "off", "--push-services", service.host, "--push-contact", CONTACT];
  return Server.start(["--admin-key", KEY, ...push, ...args]);
}

interface Registered {
  readonly id: string;
  readonly token: string;
  readonly app: App;
}

async function register(caller: Caller, fields: object = {}, app = service.subscribe()): Promise<Registered> {
  const webPush = { ...app.subscription, expirationTime: null };
  const { status, body } = await caller.call("POST", "/v1/devices", { webPush, ...fields });
  expect(status).toBe(201);
  return { ...body, app };
}

const subscribe = (caller: Caller, { id }: Registered, channel: string) =>
  caller.call("PUT", `/v1/devices/${id}/subscriptions/${channel}`, { push: true });

/** What the app was told, as JSON. */
async function toldTo(app: App, count: number): Promise<readonly Record<string, unknown>[]> {
  return (await app.messages(count)).map(({ text }) => JSON.parse(text));
}

async function publish(caller: Caller, body: object): Promise<Answer["body"]> {
  const answer = await caller.call("POST", "/v1/messages", body);
  expect(answer.status).toBe(201);
  return answer.body;
}

test("a closed app is told of what is for it, whoever it is for: encrypted, and by this server", async () => {
  await using server = await start();
  const caller = new Caller(server, KEY);
  // An app asks before it is anybody.
  const key = await (await fetch(`${server.httpUrl}/v1/web-push`)).json();
  const phone = await register(caller, { user: "ann", tags: ["android", "beta"] });
  const other = await register(caller, { user: "bob", tags: ["android"] });
  await subscribe(caller, phone, "news");
  const targets = [`device:${phone.id}`, "user:ann", "tag:android & tag:beta", "channel:news", "everyone"];
  for (const [index, to] of targets.entries()) {
    const { id } = await publish(caller, { to, data: { text: `to ${to} 🔔` }, ttl: 600 });
    const told = await toldTo(phone.app, index + 1);
    expect(told.at(-1)).toMatchObject({ id, data: { text: `to ${to} 🔔` }, ttl: 600 });
  }
  const channels = (await toldTo(phone.app, 5)).map(({ channel }) => channel);
  expect(channels).toEqual([`$device/${phone.id}`, "$user/ann", "$all", "news", "$all"]);
  expect((await toldTo(other.app, 1)).map(({ data }) => data)).toEqual([{ text: "to everyone 🔔" }]);
  const [{ ttl, urgency, sender } = {}] = await phone.app.messages(5);
  expect(ttl).toBeWithin(590, 601);
  expect(urgency).toBe("normal");
  expect(sender).toMatchObject({ aud: service.origin, sub: CONTACT, key: key.publicKey });
  const counted = 'carillon_notifications_total{sender="webPush",outcome="sent"} 6';
  // The server counts what it has been answered.
  while (!(await (await fetch(`${server.httpUrl}/metrics`)).text()).includes(counted)) await settled();
});

test("UnifiedPush reaches apps with keys and without", async () => {
  await using server = await start();
  const caller = new Caller(server, KEY);
  const [modern, old] = [service.subscribe(), service.subscribe(false)];
  const endpoints = [modern.subscription, { endpoint: old.endpoint }];
  for (const unifiedPush of endpoints) {
    expect((await caller.call("POST", "/v1/devices", { unifiedPush })).status).toBe(201);
  }
  const { id } = await publish(caller, { to: "everyone", data: "hello", urgency: "high" });
  for (const app of [modern, old]) {
    expect(await toldTo(app, 1)).toMatchObject([{ id, data: "hello", urgency: "high" }]);
    expect((await app.messages(1))[0]?.urgency).toBe("high");
  }
});

test("one that is connected is told by its connection, and by its push service when it has gone", async () => {
  await using server = await start();
  const caller = new Caller(server, KEY);
  const phone = await register(caller);
  await subscribe(caller, phone, "push");
  await using client = await Client.connect("ws", `${server.wsUrl}?token=${phone.token}`);
  await publish(caller, { to: "channel:push", data: "while it is there" });
  await client.received("while it is there");
  client.close();
  await client.closed();
  const { id } = await publish(caller, { to: "channel:push", data: "when it has gone" });
  expect(await toldTo(phone.app, 1)).toMatchObject([{ id, data: "when it has gone" }]);
});

test("what is not urgent, or kept for nobody, wakes nobody; nor one that has switched push off", async () => {
  await using server = await start();
  const caller = new Caller(server, KEY);
  const [phone, off] = [await register(caller), await register(caller)];
  await caller.call("PUT", `/v1/devices/${off.id}/subscriptions/$all`, { push: false });
  await publish(caller, { to: "everyone", data: "low", urgency: "low" });
  await publish(caller, { to: "everyone", data: "now or never", ttl: 0 });
  await publish(caller, { to: "everyone", data: "normal" });
  await publish(caller, { to: `device:${off.id}`, data: "yours alone" });
  expect((await toldTo(phone.app, 1)).map(({ data }) => data)).toEqual(["normal"]);
  expect((await toldTo(off.app, 1)).map(({ data }) => data)).toEqual(["yours alone"]);
});

test("an endpoint that is gone is removed from its device", async () => {
  await using server = await start();
  const caller = new Caller(server, KEY);
  const phone = await register(caller);
  phone.app.answer = () => 410;
  const isThere = async () =>
    (await caller.call("GET", `/v1/devices/${phone.id}`)).body.webPush !== undefined;
  expect(await isThere()).toBeTrue();
  await publish(caller, { to: "everyone", data: "hello" });
  while (await isThere()) await settled();
  expect(phone.app.attempts).toHaveLength(1);
});

test("a killed server goes on where it was: nobody is left out", async () => {
  const data = join(dir, "killed");
  const apps: App[] = [];
  {
    await using server = await start("--data", data);
    const caller = new Caller(server, KEY);
    for (let count = 0; count < 60; count++) apps.push((await register(caller)).app);
    // Half of the first requests are answered, the others never.
    let asked = 0;
    const { promise: inTheMiddle, resolve } = Promise.withResolvers<void>();
    for (const app of apps) {
      app.answer = () => {
        asked += 1;
        if (asked === 40) resolve();
        return asked % 2 === 0 ? 201 : "none";
      };
    }
    await publish(caller, { to: "everyone", data: "for all" });
    await inTheMiddle;
    process.kill(await server.serverPid(), "SIGKILL");
    await server.exited;
  }
  expect(apps.filter(({ taken }) => taken.length === 0).length).toBeGreaterThan(10);
  for (const app of apps) app.answer = () => 201;
  await using _server = await start("--data", data);
  for (const app of apps) {
    const told = await toldTo(app, 1);
    expect(new Set(told.map(({ id }) => id)).size).toBe(1);
  }
});

test("the server's key stays, for its owner alone", async () => {
  const data = join(dir, "keys");
  const keys: string[] = [];
  for (let starts = 0; starts < 2; starts++) {
    await using server = await start("--data", data);
    keys.push((await new Caller(server, KEY).call("GET", "/v1/web-push")).body.publicKey);
  }
  expect(keys[0]).toMatch(/^B[\w-]{86}$/);
  expect(keys[1]).toBe(keys[0] ?? "");
  expect((await stat(join(data, "vapid.json"))).mode & 0o777).toBe(0o600);
});

describe("an endpoint inside the server's network", () => {
  test("is refused when a device names it, and when it is posted to", async () => {
    await using server = await Server.start(["--admin-key", KEY, "--push-every", "off"]);
    const caller = new Caller(server, KEY);
    const app = service.subscribe();
    const { port } = new URL(app.endpoint);
    for (const endpoint of [
      app.endpoint,
      `https://127.0.0.1:${port}/x`,
      `https://localhost:${port}/x`,
      `https://[::ffff:127.0.0.1]:${port}/x`,
      "https://169.254.169.254/latest/meta-data",
    ]) {
      const webPush = { ...app.subscription, endpoint };
      const { status, body } = await caller.call("POST", "/v1/devices", { webPush });
      expect([endpoint, status]).toEqual([endpoint, 400]);
      expect(body.detail).toStartWith("webPush.endpoint: expected ");
      const { status: ofPatch } = await patched(caller, { unifiedPush: { endpoint } });
      expect(ofPatch).toBe(400);
    }
    expect(app.attempts).toEqual([]);
  });

  async function patched(caller: Caller, fields: object): Promise<Answer> {
    const { body } = await caller.call("POST", "/v1/devices", {});
    return caller.call("PATCH", `/v1/devices/${body.id}`, fields);
  }

  test.each([
    ["--push-services", "http://push.lab"],
    ["--push-contact", "ops@example.com"],
  ])("%s %s is a wrong setting", async (flag, value) => {
    await using carillon = new Carillon(["serve", "--memory", flag, value]);
    expect(await carillon.exited).toBe(2);
    expect(await carillon.err.line(/./)).toContain(`${flag} "${value}": expected`);
  });
});

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
