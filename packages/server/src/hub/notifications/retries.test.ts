/** Push services and disks that fail, and the end. */
import { describe, expect, test } from "bun:test";
import { settled, setUpNotifications } from "./testing/notifications-set-up.ts";

const HOUR_MS = 3_600_000;

async function started() {
  const world = setUpNotifications();
  world.notifications.start();
  await settled();
  return world;
}

describe("a push service", () => {
  test("that fails is asked again, the pauses growing threefold, eight times in all", async () => {
    const { device, publish, pass, told, state, waiting, counts } = await started();
    await device();
    state.script = () => ({ retryAfterMs: 0 });
    await publish();
    await pass(24 * HOUR_MS);
    const seconds = told.map(({ atMs }) => Math.floor(atMs / 1_000));
    const pauses = [15, 45, 135, 405, 1_215, 3_645, 10_935];
    expect(seconds).toHaveLength(8);
    for (const [index, pause] of pauses.entries()) {
      expect((seconds[index + 1] ?? 0) - (seconds[index] ?? 0)).toBeWithin(pause, pause + 2);
    }
    expect(await waiting()).toEqual([]);
    expect(await counts()).toEqual({ retried: 8, dropped: 1 });
  });

  test("is asked no sooner than it says", async () => {
    const { device, publish, pass, told, state } = await started();
    await device();
    state.script = () => ({ retryAfterMs: told.length === 1 ? 600_000 : 0 });
    await publish();
    await pass(599_999);
    expect(told).toHaveLength(1);
    await pass(1_001);
    expect(told).toHaveLength(2);
  });

  test("is told no more once the publication has expired", async () => {
    const { device, publish, pass, told, state, waiting } = await started();
    await device();
    state.script = () => ({ retryAfterMs: 0 });
    await publish({ ttl: 100 });
    await pass(24 * HOUR_MS);
    expect(told.map(({ ttlSeconds }) => ttlSeconds)).toEqual([100, expect.any(Number), expect.any(Number)]);
    expect(await waiting()).toEqual([]);
  });

  test("that is well again is told all that waits, in order; more that cannot be sent does not hasten it", async () => {
    const { device, publish, pass, told, state } = await started();
    await device();
    let isDown = true;
    state.script = () => (isDown ? { retryAfterMs: 0 } : "sent");
    const ids: string[] = [];
    for (let minute = 0; minute < 30; minute++) {
      ids.push(await publish());
      await pass(60_000);
    }
    // Each once when it was published, and the first of those that wait at 15, 60, 195 and 600 seconds.
    expect(told.length).toBe(30 + 4);
    isDown = false;
    told.length = 0;
    await pass(1_215_000);
    expect(told.map(({ id }) => id)).toEqual(ids);
  });

  test("that knows the endpoint no more has it removed, but not one that was named since", async () => {
    const { device, devices, publish, pass, told, state, counts } = await started();
    const [gone, renewed] = [await device(), await device()];
    const webPush = { endpoint: "https://push.example/new", keys: { p256dh: "", auth: "" } };
    state.script = async ({ device: id }): Promise<"gone"> => {
      if (id === renewed.id) await devices.change(id, { webPush });
      return "gone";
    };
    await publish();
    await pass(1);
    expect((await devices.get(gone.id))?.webPush).toBeUndefined();
    expect((await devices.get(renewed.id))?.webPush).toEqual(webPush);
    state.script = () => "sent";
    told.length = 0;
    await publish();
    await pass(1);
    expect(told.map((each) => each.device)).toEqual([renewed.id]);
    expect(await counts()).toEqual({ gone: 2, sent: 1 });
  });

  test("that is gone leaves it to the device's other one", async () => {
    const { device, publish, pass, told, state } = await started();
    await device({ unifiedPush: { endpoint: "https://ntfy.example/x" } });
    state.script = ({ by }) => (by === "webPush" ? "gone" : "sent");
    await publish();
    await pass(1);
    expect(told.map(({ by }) => by)).toEqual(["webPush", "unifiedPush"]);
    await publish();
    await pass(1);
    expect(told.map(({ by }) => by)).toEqual(["webPush", "unifiedPush", "unifiedPush"]);
  });

  test("that refuses is not asked again", async () => {
    const { device, publish, pass, told, state, counts, waiting } = await started();
    await device();
    state.script = () => "refused";
    await publish();
    await pass(24 * HOUR_MS);
    expect(told).toHaveLength(1);
    expect(await waiting()).toEqual([]);
    expect(await counts()).toEqual({ refused: 1 });
  });

  test("that does not answer holds up no other publication", async () => {
    const { device, publish, pass, state, toldOf } = await started();
    const slow: string[] = [];
    for (let count = 0; count < 20; count++) slow.push((await device({}, ["slow"])).id);
    const { id: quick } = await device();
    state.script = ({ device: id }) => (slow.includes(id) ? "mute" : "sent");
    await publish({ channel: "slow" });
    const id = await publish();
    await pass(1);
    expect(toldOf(id)).toEqual([quick]);
  });

  test("whose turn comes late finds nobody to tell who has come by then", async () => {
    const { device, connected, publish, pass, state, told } = await started();
    const ids = [];
    for (let count = 0; count < 33; count++) ids.push((await device()).id);
    state.script = () => "mute";
    await publish();
    await pass(1);
    const [late = ""] = ids.filter((id) => !told.some(({ device: each }) => each === id));
    connected.add(late);
    await pass(20_000);
    expect(new Set(told.map(({ device: each }) => each))).not.toContain(late);
  });

  test("that nobody waits for is given up when the device comes by itself", async () => {
    const { device, connected, publish, pass, told, state, waiting } = await started();
    const { id } = await device();
    state.script = () => ({ retryAfterMs: 0 });
    await publish();
    await pass(1);
    connected.add(id);
    await pass(HOUR_MS);
    expect(told).toHaveLength(1);
    expect(await waiting()).toEqual([]);
  });
});

describe("a disk that fails", () => {
  test("has nobody told twice, however long that takes", async () => {
    const { device, publish, pass, told, state, waiting } = await started();
    await device();
    await publish();
    state.fails = "unavailable";
    await pass(HOUR_MS);
    expect(told).toHaveLength(1);
    state.fails = undefined;
    await pass(2_000);
    expect(await waiting()).toEqual([]);
    await publish();
    await pass(1);
    expect(told).toHaveLength(2);
  });

  test("does not keep the end waiting", async () => {
    const { device, publish, pass, state, notifications } = await started();
    await device();
    await publish();
    state.fails = "unavailable";
    await pass(1);
    let isStopped = false;
    void notifications.stop().then(() => {
      isStopped = true;
    });
    await pass(1_000);
    expect(isStopped).toBeTrue();
  });
});

describe("the end", () => {
  test("gives what is under way two seconds, and the rest to the next start", async () => {
    const world = await started();
    const { device, publish, pass, state, notifications, told, clock } = world;
    const ids = [];
    for (let count = 0; count < 150; count++) ids.push((await device()).id);
    const [first] = ids.toSorted();
    state.script = ({ device: id }) => (id === first ? "sent" : "mute");
    await publish();
    await pass(1);
    expect(told).toHaveLength(33);
    let stoppedAtMs = 0;
    const beganMs = clock.monotonicMs();
    void notifications.stop().then(() => {
      stoppedAtMs = clock.monotonicMs();
    });
    await pass(5_000);
    expect(stoppedAtMs - beganMs).toBe(2_000);
    expect(told).toHaveLength(33);
    state.script = () => "sent";
    world.restart();
    await pass(2_000);
    expect(told).toHaveLength(33 + 149);
    expect(new Set(told.map((each) => each.device)).size).toBe(150);
    expect(await world.waiting()).toEqual([]);
  });

  test("leaves no timer", async () => {
    const { device, publish, pass, notifications, clock } = setUpNotifications();
    const { pendingTimers } = clock;
    notifications.start();
    await device();
    await publish();
    await pass(1);
    await notifications.stop();
    await settled();
    expect(clock.pendingTimers).toBe(pendingTimers);
  });
});
