/** Push switches and quiet hours, on a virtual clock. */
import { describe, expect, test } from "bun:test";
import { frames, type Hub, register, send } from "./testing/device-clients.ts";
import { settle, setUpHub } from "./testing/hub-set-up.ts";
import { connected, received, say } from "./testing/v1-client.ts";

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
