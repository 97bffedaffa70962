import { describe, expect, test } from "bun:test";
import { together } from "@carillon/protocol/position";
import { EngineError } from "../../engine/engine.ts";
import { NO_EPOCH } from "./device.ts";
import { DeviceRefused } from "./devices.ts";
import { begun, setUpDevices } from "./testing/devices-set-up.ts";

const NIGHT = { from: "22:00", to: "07:00" };

test("a new device's inbox begins now", async () => {
  const { devices, publish, standsAt } = setUpDevices();
  await publish("$all");
  await publish("$all");
  await publish("$user/ann");
  const { device } = await devices.register({ user: "ann" }, "admin");
  expect(await standsAt(device.id)).toEqual({ $all: 2, "$user/ann": 1 });
  const other = await devices.register({}, "admin");
  expect(await standsAt(other.device.id)).toEqual({ $all: 2 });
});

test("another user's inbox begins now, also one that was its own before", async () => {
  const { devices, publish, standsAt } = setUpDevices();
  const { device } = await devices.register({ user: "ann" }, "admin");
  await publish("$user/bob");
  await devices.change(device.id, { user: "bob" });
  expect(await standsAt(device.id)).toMatchObject({ "$user/bob": 1 });
  await publish("$user/ann");
  await devices.change(device.id, { user: "bob", locale: "de" });
  await devices.change(device.id, { user: undefined });
  await publish("$user/ann");
  expect(await standsAt(device.id)).toMatchObject({ "$user/ann": 0, "$user/bob": 1 });
  await devices.change(device.id, { user: "ann" });
  expect(await standsAt(device.id)).toMatchObject({ "$user/ann": 2, "$user/bob": 1 });
});

describe("a switch", () => {
  test("is what was said last, and is kept", async () => {
    const { devices, changes } = setUpDevices();
    const said = [
      [{ push: false }, { push: false }],
      [{ quietHours: NIGHT }, { push: false, quietHours: NIGHT }],
      [{ push: true }, { push: true, quietHours: NIGHT }],
      [{ quietHours: { ...NIGHT, to: "08:00" } }, { push: true, quietHours: { from: "22:00", to: "08:00" } }],
      [{ push: false, quietHours: null }, { push: false }],
      [{}, { push: false }],
    ] as const;
    for (const [patch, expected] of said) {
      const device = await devices.setSwitch("phone", "news", patch);
      expect(device.subscriptions).toStrictEqual({ news: expected });
      expect((await devices.get("phone"))?.subscriptions).toStrictEqual({ news: expected });
    }
    // The last said nothing new.
    expect(changes).toHaveLength(said.length - 1);
  });

  test("that is said twice is written once", async () => {
    const { devices, writes } = setUpDevices();
    await devices.setSwitch("phone", "news", { push: false });
    await devices.setSwitch("phone", "news", { push: false });
    expect(writes).toEqual(["savePositions"]);
  });

  test("of a channel that is wanted for the first time has it begin now, unless the device stands in it", async () => {
    const { devices, engine, publish, standsAt } = setUpDevices();
    await publish("news");
    await publish("news");
    await publish("old");
    const { epoch } = await engine.top("news");
    const at = (channel: string, offset: number, of = epoch) => {
      return { device: "phone", channel, position: { epoch: of, offsets: together(offset) } };
    };
    await engine.savePositions([at("old", 0), at("left", 0, NO_EPOCH)]);
    for (const channel of ["news", "old", "left"])
      await devices.setSwitch("phone", channel, { quietHours: NIGHT });
    expect(await standsAt("phone")).toEqual({ news: 2, old: 0, left: 0 });
    expect((await engine.positionsOf("phone")).get("left")?.epoch).toBe(epoch);
  });

  test("on again has the channel begin now; off does not", async () => {
    const { devices, publish, standsAt } = setUpDevices();
    await devices.setSwitch("phone", "news", { push: true });
    await publish("news");
    await devices.setSwitch("phone", "news", { push: true, quietHours: NIGHT });
    await devices.setSwitch("phone", "news", { push: false });
    await publish("news");
    await devices.setSwitch("phone", "news", { push: false, quietHours: null });
    expect(await standsAt("phone")).toEqual({ news: 0 });
    await devices.setSwitch("phone", "news", { push: true });
    expect(await standsAt("phone")).toEqual({ news: 2 });
  });

  test("of the inbox is one for all names of it; what waits there when nobody had switched it off stays", async () => {
    const { devices, publish, standsAt } = setUpDevices();
    const { device } = await devices.register({ user: "ann" }, "admin");
    const { id } = device;
    const inbox = [`$device/${id}`, "$user/ann", "$all"];
    for (const channel of inbox) {
      await publish(channel);
      await devices.setSwitch(id, channel, { quietHours: NIGHT });
    }
    expect(await standsAt(id)).toEqual({ "$user/ann": 0, $all: 0 });
    for (const channel of ["$device", "$user", "$all"]) await devices.setSwitch(id, channel, { push: false });
    const { subscriptions } = (await devices.get(id)) ?? device;
    const off = { push: false, quietHours: NIGHT };
    expect(subscriptions).toEqual({ $device: off, $user: off, $all: off });
    for (const channel of inbox) await publish(channel);
    for (const channel of inbox) await devices.setSwitch(id, channel, { push: true });
    expect(await standsAt(id)).toEqual({ [`$device/${id}`]: 2, "$user/ann": 2, $all: 2 });
  });

  test("of an inbox that there is none of is kept, and nothing else", async () => {
    const { devices, standsAt } = setUpDevices();
    const { device } = await devices.register({}, "admin");
    for (const id of [device.id, "phone"]) {
      for (const push of [false, true]) await devices.setSwitch(id, "$user", { push });
    }
    expect([await standsAt(device.id), await standsAt("phone")]).toEqual([{ $all: 0 }, {}]);
  });

  test("and where the channel begins are written together or not at all", async () => {
    const { devices, state, changes, standsAt } = setUpDevices();
    state.fails = true;
    await expect(devices.setSwitch("phone", "news", { push: true })).rejects.toThrow(EngineError);
    expect([await devices.get("phone"), await standsAt("phone"), changes]).toEqual([undefined, {}, []]);
  });

  test("may be of a channel with any name", async () => {
    const { devices } = setUpDevices();
    for (const channel of ["__proto__", "constructor", "a/b:c@d~e"]) {
      await devices.noteChannels("phone", begun([channel]));
      await devices.setSwitch("phone", channel, { push: false });
      const { subscriptions } = (await devices.get("phone")) ?? expect.unreachable();
      expect(Object.entries(subscriptions)).toContainEqual([channel, { push: false }]);
    }
  });
});

describe("channels that are subscribed to", () => {
  test("are noted once, with the place where the device stands in them", async () => {
    const { devices, publish, standsAt, writes } = setUpDevices();
    for (const channel of ["a", "b", "c"]) await publish(channel);
    await devices.setSwitch("phone", "c", { push: false });
    const device = await devices.noteChannels("phone", begun(["a", "b", "c"], 1));
    const on = { push: true };
    expect(device.subscriptions).toEqual({ a: on, b: on, c: { push: false } });
    expect(await standsAt("phone")).toEqual({ a: 1, b: 1 });
    writes.length = 0;
    expect(await devices.noteChannels("phone", begun(["a", "c"], 5))).toEqual(device);
    expect([writes, await standsAt("phone")]).toEqual([[], { a: 1, b: 1 }]);
  });

  test("of a device that nothing is kept of make it known", async () => {
    const { devices } = setUpDevices();
    expect(await devices.noteChannels("phone", begun([]))).toMatchObject({ id: "phone", subscriptions: {} });
    expect(await devices.get("phone")).toBeUndefined();
    await devices.noteChannels("phone", begun(["news"]));
    expect(await devices.get("phone")).toMatchObject({ isRegistered: false });
  });
});

test("a device has at most a thousand, and those it has can be changed", async () => {
  const { devices } = setUpDevices();
  const channels = Array.from({ length: 999 }, (_, index) => `c${index}`);
  await devices.noteChannels("phone", begun(channels));
  await expect(devices.noteChannels("phone", begun(["x", "y"]))).rejects.toThrow(DeviceRefused);
  await devices.setSwitch("phone", "x", {});
  for (const add of [
    () => devices.setSwitch("phone", "y", {}),
    () => devices.noteChannels("phone", begun(["c1", "y"])),
  ]) {
    await expect(add()).rejects.toMatchObject({ code: "too_many_subscriptions" });
  }
  await devices.setSwitch("phone", "x", { push: false });
  const { subscriptions } = (await devices.get("phone")) ?? expect.unreachable();
  expect([Object.keys(subscriptions).length, subscriptions["x"]]).toEqual([1_000, { push: false }]);
});

test("one that was removed does not come back by what its app still says", async () => {
  const { devices } = setUpDevices();
  const { device } = await devices.register({}, "admin");
  const { id } = device;
  await devices.remove(id);
  for (const say of [
    () => devices.setSwitch(id, "news", { push: true }),
    () => devices.noteChannels(id, begun(["news"])),
  ]) {
    await expect(say()).rejects.toMatchObject({ code: "unknown_device" });
  }
  expect(await devices.get(id)).toBeUndefined();
});
