import { describe, expect, test } from "bun:test";
import { together } from "@carillon/protocol/position";
import { settled, setUpNotifications } from "./testing/notifications-set-up.ts";

const HOUR_MS = 3_600_000;

async function started() {
  const world = setUpNotifications();
  world.notifications.start();
  await settled();
  return world;
}

describe("who is told", () => {
  test("each that is meant and away, once, at once", async () => {
    const world = await started();
    const { device, publish, pass, toldOf, told } = world;
    const [one, two] = [await device(), await device()];
    await device({}, ["other"]);
    const id = await publish();
    await pass(1);
    expect(toldOf(id).toSorted()).toEqual([one.id, two.id].toSorted());
    expect(told[0]).toMatchObject({ by: "webPush", atMs: 0, ttlSeconds: 28 * 86_400, urgency: "normal" });
    await pass(24 * HOUR_MS);
    expect(told).toHaveLength(2);
    expect(await world.waiting()).toEqual([]);
    expect(await world.counts()).toEqual({ sent: 2 });
  });

  test.each([
    ["device:ID", (id: string) => `device:${id}`],
    ["user:ann", () => "user:ann"],
    ["tag:beta & !tag:old", () => "tag:beta & !tag:old"],
  ])("%s", async (_, target) => {
    const { device, publish, pass, toldOf } = await started();
    const meant = await device({ user: "ann", tags: ["beta"] });
    await device({ user: "bob", tags: ["beta", "old"] });
    await device();
    const id = await publish({ to: target(meant.id) });
    await pass(1);
    expect(toldOf(id)).toEqual([meant.id]);
  });

  test("everyone, whatever their number, page by page", async () => {
    const { device, publish, pass, toldOf, state } = await started();
    const ids = [];
    for (let count = 0; count < 350; count++) ids.push((await device({}, [])).id);
    const id = await publish({ to: "everyone" });
    await pass(1_000);
    expect(toldOf(id).toSorted()).toEqual(ids.toSorted());
    expect(state.mostUnderWay).toBe(32);
    // A commit a page.
    expect(state.commits).toBeLessThanOrEqual(8);
  });

  test("nobody who is connected, has no endpoint, or has switched push off", async () => {
    const { device, devices, connected, publish, pass, told, waiting } = await started();
    connected.add((await device()).id);
    await devices.setSwitch((await device()).id, "news", { push: false });
    const { device: bare } = await devices.register({}, "admin");
    await devices.setSwitch(bare.id, "news", { push: true });
    await publish();
    await pass(HOUR_MS);
    expect(told).toEqual([]);
    expect(await waiting()).toEqual([]);
  });

  test("nobody who has it; what was sent may not have arrived, and a position of another log says nothing", async () => {
    const { device, engine, publish, pass, toldOf } = await started();
    const [has, wasSent, otherLog] = [await device(), await device(), await device()];
    const { epoch } = await engine.top("news");
    const at = (device: string, of: string, handled: number, sent: number) => ({
      device,
      channel: "news",
      position: { epoch: of, offsets: together(handled) },
      sent: together(sent),
    });
    const positions = [at(has.id, epoch, 1, 1), at(wasSent.id, epoch, 0, 1), at(otherLog.id, "old", 99, 99)];
    await engine.savePositions(positions);
    const [first, second] = [await publish(), await publish()];
    await pass(1);
    expect(toldOf(first).toSorted()).toEqual([wasSent.id, otherLog.id].toSorted());
    expect(toldOf(second)).toHaveLength(3);
  });

  test("by its lane alone: what is urgent may have come before what is not", async () => {
    const { device, engine, publish, pass, toldOf } = await started();
    const { id: away } = await device();
    const { epoch } = await engine.top("news");
    await publish({ urgency: "high" });
    await pass(1);
    const position = { epoch, offsets: [99, 1, 1] as const };
    await engine.savePositions([{ device: away, channel: "news", position, sent: [99, 1, 1] }]);
    const [urgent, normal] = [await publish({ urgency: "high" }), await publish()];
    await pass(1);
    expect(toldOf(urgent)).toEqual([]);
    expect(toldOf(normal)).toEqual([away]);
  });
});

describe("what is told", () => {
  test("not what is kept for nobody, and not what is not urgent", async () => {
    const { device, publish, pass, told, waiting } = await started();
    await device();
    for (const item of [{ ttl: 0 }, { urgency: "low" }, { urgency: "very-low" }] as const)
      await publish(item);
    expect(await waiting()).toEqual([]);
    await pass(HOUR_MS);
    expect(told).toEqual([]);
  });

  test("not what has expired or was withdrawn meanwhile", async () => {
    const world = await started();
    const { device, engine, publish, pass, toldOf, notifications } = world;
    const { id } = await device();
    await notifications.stop();
    const [, , third] = [await publish({ ttl: 1 }), await publish(), await publish()];
    await engine.withdraw("news", 2);
    await pass(1_000);
    world.restart();
    await pass(1);
    expect(world.told).toHaveLength(1);
    expect(toldOf(third)).toEqual([id]);
    expect(await world.waiting()).toEqual([]);
  });

  test("nothing is noted while no device can be reached, and all from the moment on that one can", async () => {
    const { device, devices, publish, pass, waiting, toldOf } = await started();
    await publish();
    await pass(1);
    expect(await waiting()).toEqual([]);
    const { device: bare } = await devices.register({}, "admin");
    await devices.setSwitch(bare.id, "news", { push: true });
    await publish();
    expect(await waiting()).toEqual([]);
    await devices.change(bare.id, {
      webPush: { endpoint: "https://push.example/x", keys: { p256dh: "", auth: "" } },
    });
    const id = await publish();
    await pass(1);
    expect(toldOf(id)).toEqual([bare.id]);
    // What nobody wants leaves no record, once that is known.
    await publish({ channel: "elsewhere" });
    expect(await waiting()).toHaveLength(1);
    await pass(1);
    await publish({ channel: "elsewhere" });
    expect(await waiting()).toEqual([]);
    const later = await device({}, ["elsewhere"]);
    const second = await publish({ channel: "elsewhere" });
    await pass(1);
    expect(toldOf(second)).toEqual([later.id]);
  });
});

describe("quiet hours", () => {
  const quietHours = { from: "09:00", to: "11:00" };

  test("end first; what is urgent passes", async () => {
    const { device, devices, publish, pass, told, toldOf, waiting } = await started();
    const { id } = await device();
    await devices.setSwitch(id, "news", { quietHours });
    const [first, urgent, second] = [await publish(), await publish({ urgency: "high" }), await publish()];
    await pass(1);
    expect(told.map((each) => each.id)).toEqual([urgent]);
    expect(await waiting()).toMatchObject([
      { kind: "notify-quiet", id, data: JSON.stringify({ publications: [first, second], tries: 0 }) },
    ]);
    await pass(1.5 * HOUR_MS - 2);
    expect(told).toHaveLength(1);
    await pass(1_000);
    expect([...toldOf(first), ...toldOf(second)]).toEqual([id, id]);
    expect(await waiting()).toEqual([]);
  });

  test("are the device's zone's", async () => {
    const { device, devices, publish, pass, told } = await started();
    const { id } = await device({ timeZone: "America/New_York" });
    await devices.setSwitch(id, "news", { quietHours });
    await publish();
    await pass(1);
    expect(told).toHaveLength(1);
  });

  test("that are switched off end at once", async () => {
    const { device, devices, publish, pass, told } = await started();
    const { id } = await device();
    await devices.setSwitch(id, "news", { quietHours });
    await publish();
    await pass(1);
    await devices.setSwitch(id, "news", { quietHours: null });
    await pass(1);
    expect(told).toHaveLength(1);
  });

  test("outlast what expires in them, and a device that comes by itself", async () => {
    const { device, devices, connected, publish, pass, told, waiting } = await started();
    const [away, back] = [await device(), await device()];
    for (const { id } of [away, back]) await devices.setSwitch(id, "news", { quietHours });
    await publish({ ttl: 3_600 });
    connected.add(back.id);
    await publish({ to: `device:${back.id}` });
    await pass(2 * HOUR_MS);
    expect(told).toEqual([]);
    expect(await waiting()).toEqual([]);
  });

  test("fifty wait for a device, whatever is published, and the oldest are dropped", async () => {
    const { device, devices, publish, pass, told, waiting, counts } = await started();
    const { id } = await device();
    await devices.setSwitch(id, "news", { quietHours });
    const ids = [];
    for (let count = 0; count < 60; count++) {
      ids.push(await publish());
      await pass(1);
    }
    expect(await waiting()).toHaveLength(1);
    await pass(2 * HOUR_MS);
    expect(told.map((each) => each.id)).toEqual(ids.slice(10));
    expect(await counts()).toEqual({ sent: 50, dropped: 10 });
  });

  test("of a device that is removed leave nothing", async () => {
    const { device, devices, publish, pass, waiting } = await started();
    const { id } = await device();
    await devices.setSwitch(id, "news", { quietHours });
    await publish();
    await pass(1);
    expect(await waiting()).toHaveLength(1);
    await devices.remove(id);
    await pass(1);
    expect(await waiting()).toEqual([]);
  });
});
