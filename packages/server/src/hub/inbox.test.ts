/** Devices that are connected, away and back: inbox, switches, quiet hours and receipts, on a virtual clock. */
import { describe, expect, test } from "bun:test";
import { settle, setUpHub } from "./testing/hub-set-up.ts";
import { connected, type Fields, received, say } from "./testing/v1-client.ts";

type Hub = Awaited<ReturnType<typeof setUpHub>>;

async function register(hub: Hub, fields: Parameters<Hub["devices"]["register"]>[0] = {}) {
  const { device, token } = await hub.devices.register(fields, "admin");
  const text = async () => {
    const access = await hub.devices.kind(token);
    if (typeof access !== "object") throw new Error("its token is good");
    const client = hub.connect({ access, device: device.id });
    await settle();
    return client;
  };
  /** Connects, subscribes to its inbox and to `channels`. */
  const v1 = async (channels: string[] = [], more: Fields = {}) => {
    const client = await connected(hub, { token, ...more });
    const inbox = [`$device/${device.id}`, ...(fields.user ? [`$user/${fields.user}`] : []), "$all"];
    let id = 1;
    await say(
      client,
      ...[...inbox, ...channels].map((channel) => ({ type: "subscribe", id: ++id, channel })),
    );
    return client;
  };
  return { ...device, token, text, v1 };
}

const frames = (client: { outbound: { frames: readonly string[] } }) =>
  client.outbound.frames.map((frame) => JSON.parse(frame) as Fields);

/** Acknowledges everything up to the top of a channel. */
async function ackAll(hub: Hub, client: Awaited<ReturnType<typeof connected>>, channel: string) {
  const { epoch, offset } = await hub.engine.top(channel);
  await say(client, { type: "ack", channel, position: { epoch, offset } });
}

/** Sends to somebody; resolves to the publication's id. */
async function send(hub: Hub, to: string, data: string, more: object = {}): Promise<string> {
  const [result] = await hub.hub.publish([{ to, data, ...more }]);
  await settle();
  return result?.id ?? "";
}

const funnel = async (hub: Hub, id: string) => {
  hub.clock.advance(1_000);
  await settle();
  const found = await hub.hub.receipts.funnel(id);
  const { recipients, sent, received, read, expired } = found ?? expect.unreachable();
  return { recipients, sent, received, read, expired };
};

describe("an inbox", () => {
  test("is told at connect, and holds what is for the device, its user, its tags and everyone", async () => {
    const hub = await setUpHub();
    const phone = await register(hub, { user: "ann", tags: ["android", "beta"] });
    const tablet = await register(hub, { user: "ann", tags: ["android"] });
    const other = await register(hub, { user: "bob", tags: ["ios"] });
    const clients = [await phone.v1(), await tablet.v1(), await other.v1()];
    const [first] = clients;
    expect(first && frames(first)[0]).toMatchObject({
      type: "connected",
      device: phone.id,
      inbox: [`$device/${phone.id}`, "$user/ann", "$all"],
    });
    await send(hub, `device:${phone.id}`, "device");
    await send(hub, "user:ann", "user");
    await send(hub, "tag:android & tag:beta", "both");
    await send(hub, "tag:android | tag:ios", "either");
    await send(hub, "!tag:beta", "not");
    await send(hub, "everyone", "all");
    expect(clients.map(received)).toEqual([
      ["device", "user", "both", "either", "all"],
      ["user", "either", "not", "all"],
      ["either", "not", "all"],
    ]);
  });

  test("keeps what was sent while the device was away, and before it ever came", async () => {
    const hub = await setUpHub();
    const phone = await register(hub, { user: "ann", tags: ["beta"] });
    await send(hub, `device:${phone.id}`, "1");
    await send(hub, "user:ann", "2");
    await send(hub, "tag:beta", "3");
    await send(hub, "tag:other", "not for it");
    expect(received(await phone.v1())).toEqual(["1", "2", "3"]);
    const text = await register(hub, { user: "ann" });
    await send(hub, `device:${text.id}`, "4");
    await send(hub, "everyone", "5");
    expect((await text.text()).outbound.frames).toEqual(["4", "5"]);
  });

  test("is nobody else's, and cannot be asked for by name", async () => {
    const hub = await setUpHub();
    const phone = await register(hub, { user: "ann" });
    const other = await register(hub, { user: "bob" });
    for (const client of [await connected(hub), await other.v1()]) {
      for (const channel of [`$device/${phone.id}`, "$user/ann"]) {
        const [reply] = await say(client, { type: "subscribe", id: 90, channel });
        expect(reply).toMatchObject({ type: "error", code: "forbidden" });
      }
    }
    const [answer] = await say(await connected(hub), { type: "history", id: 9, channel: "$all" });
    expect(answer).toMatchObject({ code: "invalid_channel" });
  });

  test("one who was let in by another's name, or by no token, is turned away", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const other = await register(hub);
    for (const fields of [{ device: phone.id }, { device: phone.id, token: other.token }]) {
      const client = await connected(hub, fields);
      expect(frames(client)).toMatchObject([{ type: "error", code: "forbidden" }]);
      expect(client.outbound.ended).toBe(4500);
    }
  });
});

describe("a token that is not valid any more", () => {
  test.each(["rotate", "revoke", "remove"] as const)("ends all connections: %s", async (deed) => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const clients = [await phone.v1(), await phone.text()];
    const other = await (await register(hub)).v1();
    await hub.devices[deed](phone.id);
    expect(clients.map(({ outbound }) => outbound.ended)).toEqual([4500, 4500]);
    expect(other.outbound.ended).toBeUndefined();
    expect((await connected(hub, { token: phone.token })).outbound.ended).toBe(4500);
  });
});

describe("a push switch", () => {
  test("set by a backend is in force at once, sticks, and starts from then when it is on again", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const clients = [await phone.v1(["push"]), await phone.text()];
    await hub.publish("1");
    await hub.devices.setSwitch(phone.id, "push", { push: false });
    await hub.publish("2");
    const [v1, text] = clients;
    expect([v1 && received(v1), text?.outbound.frames]).toEqual([["1"], ["1"]]);
    const again = await phone.v1(["push"]);
    expect(frames(again).at(-1)).toMatchObject({ type: "subscribed", channel: "push", push: false });
    await hub.publish("3");
    await hub.devices.setSwitch(phone.id, "push", { push: true });
    await hub.publish("4");
    expect(received(again)).toEqual(["4"]);
    expect(v1 && received(v1)).toEqual(["1", "4"]);
    expect(text?.outbound.frames).toEqual(["1", "4"]);
  });

  test("of a device is said in a frame, and the others are told", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const one = await phone.v1(["push"]);
    const other = await phone.v1(["push"]);
    const quietHours = { from: "22:00", to: "07:00" };
    const [reply] = await say(one, { type: "switch", id: 9, channel: "push", push: false, quietHours });
    expect(reply).toMatchObject({ type: "switch", push: false });
    expect(frames(one).at(-1)).toEqual({ type: "switched", id: 9, channel: "push", push: false, quietHours });
    expect(frames(other).at(-1)).toEqual({ type: "switch", channel: "push", push: false, quietHours });
    await say(one, { type: "switch", id: 10, channel: "push", quietHours: null });
    expect(frames(one).at(-1)).toEqual({ type: "switched", id: 10, channel: "push", push: false });
    const anybody = await connected(hub);
    expect(await say(anybody, { type: "switch", id: 2, channel: "push", push: false })).toMatchObject([
      { code: "device_required" },
    ]);
  });

  test("of its inbox: off means not wanted, also when it is away", async () => {
    const hub = await setUpHub();
    const phone = await register(hub, { tags: ["beta"] });
    await hub.devices.setSwitch(phone.id, "$all", { push: false });
    await send(hub, "everyone", "1");
    const client = await phone.v1();
    await send(hub, "tag:beta", "2");
    await send(hub, `device:${phone.id}`, "3");
    await hub.devices.setSwitch(phone.id, "$all", { push: true });
    await send(hub, "tag:beta", "4");
    expect(received(client)).toEqual(["3", "4"]);
  });

  test("that is turned this way and that by a plain client ends as it said last", async () => {
    const hub = await setUpHub();
    const first = hub.connect({ device: "phone" });
    await settle();
    for (const word of ["unsubscribe", "subscribe", "unsubscribe"]) first.session.receive(word);
    await settle();
    expect((await hub.devices.get("phone"))?.subscriptions).toEqual({ push: { push: false } });
    first.session.receive("subscribe");
    await hub.publish("1");
    expect(first.outbound.frames).toEqual(["1"]);
  });
});

describe("quiet hours", () => {
  const NIGHT = { from: "22:00", to: "07:00" };

  async function atNight() {
    const hub = await setUpHub();
    const phone = await register(hub, { timeZone: "Asia/Tokyo" });
    await hub.devices.setSwitch(phone.id, "push", { quietHours: NIGHT });
    return { hub, phone };
  }
  const HOUR_MS = 3_600_000;
  /** Time passes for clients that show that they are there. */
  function pass(hub: Hub, clients: Awaited<ReturnType<Hub["connect"]>>[], ms: number) {
    for (let left = ms; left > 0; left -= 30_000) {
      hub.clock.advance(Math.min(left, 30_000));
      for (const { session } of clients) session.seen();
    }
  }
  /** The clock stands at 09:30 UTC, which is 18:30 in Tokyo. */
  const UNTIL_NIGHT_MS = 3.5 * HOUR_MS;

  test("hold back all but what is urgent, and it comes in the morning, in order", async () => {
    const { hub, phone } = await atNight();
    const clients = [await phone.v1(["push"]), await phone.text()];
    await hub.publish("evening");
    pass(hub, clients, UNTIL_NIGHT_MS - 1);
    await hub.publish("bedtime");
    pass(hub, clients, 1);
    await hub.publish("night 1");
    await hub.hub.publish([{ channel: "push", data: "alarm", urgency: "high" }]);
    await hub.hub.publish([{ channel: "push", data: "soon over", ttl: 60 }]);
    await hub.publish("night 2");
    const [v1, text] = clients;
    expect(v1 && received(v1)).toEqual(["evening", "bedtime", "alarm"]);
    pass(hub, clients, 9 * HOUR_MS);
    await settle();
    await hub.publish("morning");
    const all = ["evening", "bedtime", "alarm", "night 1", "night 2", "morning"];
    expect(v1 && received(v1)).toEqual(all);
    expect(text?.outbound.frames).toEqual(all);
  });

  test("that a device comes back in: only what is urgent, and the rest where it was", async () => {
    const { hub, phone } = await atNight();
    (await phone.v1(["push"])).outbound.terminate();
    hub.clock.advance(UNTIL_NIGHT_MS);
    await hub.publish("1");
    await hub.hub.publish([{ channel: "push", data: "2!", urgency: "high" }]);
    const night = await phone.v1(["push"]);
    expect(received(night)).toEqual(["2!"]);
    const subscribed = frames(night).find(({ type, channel }) => type === "subscribed" && channel === "push");
    expect(subscribed).toMatchObject({
      position: { offset: [2, 0, 0] },
      from: { offset: 0 },
      quietHours: NIGHT,
    });
    expect(frames(night).at(-1)).toMatchObject({ type: "page", to: [2, 0, 0] });
    const { epoch } = await hub.engine.top("push");
    await say(night, { type: "ack", channel: "push", position: { epoch, offset: [2, 0, 0] } });
    night.outbound.terminate();
    hub.clock.advance(9 * HOUR_MS);
    await settle();
    expect(received(await phone.v1(["push"]))).toEqual(["1"]);
  });

  test("changed by a backend are in force at once", async () => {
    const hub = await setUpHub();
    const phone = await register(hub, { timeZone: "UTC" });
    const client = await phone.v1(["push"]);
    await hub.devices.setSwitch(phone.id, "push", { quietHours: { from: "09:00", to: "10:00" } });
    await hub.publish("1");
    expect(received(client)).toEqual([]);
    await hub.devices.setSwitch(phone.id, "push", { quietHours: null });
    await settle();
    expect(received(client)).toEqual(["1"]);
  });

  test("stand by the zone that the device is in now", async () => {
    const hub = await setUpHub();
    const phone = await register(hub, { timeZone: "UTC" });
    const client = await phone.v1(["push"]);
    await hub.devices.setSwitch(phone.id, "push", { quietHours: { from: "18:00", to: "19:00" } });
    await hub.publish("1");
    await hub.devices.change(phone.id, { timeZone: "Asia/Tokyo" });
    await hub.publish("2");
    await hub.devices.change(phone.id, { timeZone: "UTC" });
    await settle();
    expect(received(client)).toEqual(["1", "2"]);
  });
});

describe("receipts", () => {
  test("count whom it was for, sent to, had and read by, each once", async () => {
    const hub = await setUpHub();
    const phones = [await register(hub), await register(hub), await register(hub)];
    const [online, twice, away] = phones;
    if (!online || !twice || !away) return expect.unreachable();
    const one = await online.v1();
    await twice.v1();
    const other = await twice.v1();
    const id = await send(hub, "everyone", "1");
    expect(await funnel(hub, id)).toEqual({ recipients: 3, sent: 2, received: 0, read: 0, expired: 0 });
    await ackAll(hub, one, "$all");
    await ackAll(hub, one, "$all");
    await ackAll(hub, other, "$all");
    expect(await funnel(hub, id)).toEqual({ recipients: 3, sent: 2, received: 2, read: 0, expired: 0 });
    for (const client of [one, one, other]) {
      await say(client, { type: "read", id: 50, channel: "$all", publications: [id] });
    }
    const back = await away.v1();
    await ackAll(hub, back, "$all");
    expect(await funnel(hub, id)).toEqual({ recipients: 3, sent: 3, received: 3, read: 2, expired: 0 });
  });

  test("what is written again after a silent death is not counted again", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    (await phone.v1()).outbound.terminate();
    const id = await send(hub, "everyone", "1");
    (await phone.v1()).outbound.terminate();
    const live = await phone.v1();
    const id2 = await send(hub, "everyone", "2");
    live.outbound.terminate();
    const last = await phone.v1();
    expect(received(last)).toEqual(["1", "2"]);
    await ackAll(hub, last, "$all");
    for (const each of [id, id2]) {
      expect(await funnel(hub, each)).toEqual({ recipients: 1, sent: 1, received: 1, read: 0, expired: 0 });
    }
  });

  test("an ack that did not arrive is made up for by where the client stands", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const client = await phone.v1();
    const id = await send(hub, "everyone", "1");
    client.outbound.terminate();
    const again = await connected(hub, { token: phone.token });
    const { epoch, offset } = await hub.engine.top("$all");
    await say(again, { type: "subscribe", id: 2, channel: "$all", position: { epoch, offset } });
    expect(await funnel(hub, id)).toMatchObject({ sent: 1, received: 1 });
  });

  test("a channel that a device has left has one recipient less, and a switch that was set stays", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const client = await phone.v1(["push"]);
    const count = async () => {
      const [result] = await hub.publish("1");
      return (await funnel(hub, result?.id ?? "")).recipients;
    };
    expect(await count()).toBe(1);
    await say(client, { type: "unsubscribe", id: 9, channel: "push" });
    expect(await count()).toBe(0);
    await say(client, { type: "subscribe", id: 10, channel: "push" });
    expect(await count()).toBe(1);
    await say(client, { type: "switch", id: 11, channel: "push", push: false });
    await say(client, { type: "unsubscribe", id: 12, channel: "push" });
    await say(client, { type: "subscribe", id: 13, channel: "push" });
    expect(frames(client).at(-1)).toMatchObject({ type: "subscribed", push: false });
  });

  test("those whom it can no longer reach are expired", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const other = await (await register(hub)).v1();
    const id = await send(hub, "everyone", "1", { ttl: 60 });
    expect(await funnel(hub, id)).toMatchObject({ recipients: 2, sent: 1, expired: 0 });
    hub.clock.advance(61_000);
    await settle();
    const back = await phone.v1();
    await ackAll(hub, back, "$all");
    await ackAll(hub, other, "$all");
    expect(received(back)).toEqual([]);
    expect(await funnel(hub, id)).toEqual({ recipients: 2, sent: 1, received: 1, read: 0, expired: 1 });
  });

  test("say who has it, for one device or user, or where it was asked", async () => {
    const hub = await setUpHub();
    const phone = await register(hub, { user: "ann" });
    const client = await phone.v1();
    const start = hub.clock.wallMs();
    const own = await send(hub, "user:ann", "1");
    const asked = await send(hub, "everyone", "2", { receipts: true });
    const not = await send(hub, "everyone", "3");
    hub.clock.advance(5_000);
    for (const channel of ["$user/ann", "$all"]) await ackAll(hub, client, channel);
    await funnel(hub, own);
    const times = { device: phone.id, sentMs: start, receivedMs: start + 5_000 };
    for (const id of [own, asked]) expect(await hub.hub.receipts.of(id, "", 10)).toEqual([times]);
    expect(await hub.hub.receipts.of(not, "", 10)).toEqual([]);
  });

  test("a plain client has what was written before its sign of life", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const client = await phone.text();
    const id = await send(hub, `device:${phone.id}`, "1");
    expect(await funnel(hub, id)).toMatchObject({ sent: 1, received: 0 });
    client.session.receive("Heartbeat");
    expect(await funnel(hub, id)).toMatchObject({ sent: 1, received: 1 });
  });

  test("of a publication that nobody was sent, and of none", async () => {
    const hub = await setUpHub();
    const [result] = await hub.publish("1");
    expect(await funnel(hub, result?.id ?? "")).toEqual({
      recipients: 0,
      sent: 0,
      received: 0,
      read: 0,
      expired: 0,
    });
    expect(await hub.hub.receipts.funnel("none")).toBeUndefined();
  });

  test("are forgotten after a month", async () => {
    const hub = await setUpHub();
    await register(hub);
    await send(hub, "everyone", "1");
    hub.clock.advance(1_000);
    await settle();
    expect(await hub.engine.records("receipt", "", 10)).toHaveLength(1);
    hub.clock.advance(29 * 86_400_000);
    await settle();
    expect(await hub.engine.records("receipt", "", 10)).toHaveLength(1);
    for (let hour = 0; hour < 26; hour++) {
      hub.clock.advance(3_600_000);
      await settle();
    }
    expect(await hub.engine.records("receipt", "", 10)).toHaveLength(0);
  });
});

describe("what one of a user's devices has", () => {
  test.each(["ack", "read"] as const)("is taken from the others by its %s", async (withdrawOn) => {
    const hub = await setUpHub();
    const phones = [
      await register(hub, { user: "ann" }),
      await register(hub, { user: "ann" }),
      await register(hub, { user: "ann" }),
    ];
    const [one, other, away] = phones;
    if (!one || !other || !away) return expect.unreachable();
    const first = await one.v1();
    const second = await other.v1();
    const text = await other.text();
    const id = await send(hub, "user:ann", "1", { withdrawOn });
    if (withdrawOn === "ack") await ackAll(hub, first, "$user/ann");
    else await say(first, { type: "read", id: 50, channel: "$user/ann", publications: [id] });
    await settle();
    expect(frames(second).at(-1)).toMatchObject({ type: "publication", publication: { withdraws: id } });
    expect(text.outbound.frames).toEqual(["1"]);
    expect(received(await away.v1())).toEqual([]);
    expect(await funnel(hub, id)).toMatchObject({ recipients: 3, sent: 2, expired: 1 });
  });
});

describe("a device that says too much", () => {
  test("is told to wait, and others are not", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const client = await phone.v1(["push"]);
    const other = await (await register(hub)).v1();
    const publications = Array.from({ length: 100 }, (_, index) => `p${index}`);
    const read = { type: "read", id: 90, channel: "$all", publications };
    for (let times = 0; times < 4; times++) await say(client, read);
    for (let turn = 0; turn < 20; turn++) await settle();
    const answers = frames(client).filter(({ id }) => id === 90);
    expect(answers.map(({ type }) => type).sort()).toEqual(["error", "read", "read", "read"]);
    const off = { type: "switch", id: 91, channel: "push", push: false };
    expect(await say(client, off)).toMatchObject([{ type: "error", code: "rate_limited" }]);
    expect(await say(other, { ...read, publications: ["p1"] })).toEqual([{ type: "read", id: 90 }]);
    hub.clock.advance(2_000);
    expect((await say(client, off)).at(-1)).toMatchObject({ type: "switched", push: false });
  });
});

describe("with urgentFirst", () => {
  test("what is urgent in any channel comes first, and each channel in order", async () => {
    const hub = await setUpHub();
    const phone = await register(hub, { grants: { subscribe: ["*"] } });
    (await phone.v1(["a", "b"])).outbound.terminate();
    for (const channel of ["a", "b"]) {
      await hub.publish(`${channel}1`, channel);
      await hub.hub.publish([{ channel, data: `${channel}2!`, urgency: "high" }]);
      await hub.publish(`${channel}3`, channel);
    }
    const client = await phone.v1(["a", "b"], { urgentFirst: true });
    expect(received(client)).toEqual(["a2!", "b2!"]);
    hub.clock.advance(100);
    await settle();
    expect(received(client)).toEqual(["a2!", "b2!", "a1", "a3", "b1", "b3"]);
    await hub.publish("a4", "a");
    expect(received(client).at(-1)).toBe("a4");
  });
});
