import { describe, expect, test } from "bun:test";
import { begun, FORGET_AFTER_MS, settle, setUpDevices } from "./testing/devices-set-up.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

async function setUp() {
  const set = setUpDevices();
  const { device } = await set.devices.register({}, "admin");
  set.writes.length = 0;
  return {
    ...set,
    id: device.id,
    lastSeen: async (id = device.id) => (await set.devices.get(id))?.lastSeenMs,
    async pass(ms: number) {
      set.clock.advance(ms);
      await settle();
    },
  };
}

describe("when it was last seen", () => {
  test("is written a second after it left, once for all that did", async () => {
    const { devices, id, clock, writes, pass, lastSeen } = await setUp();
    await pass(5_000);
    const leftMs = clock.wallMs();
    for (const each of [id, "nobody", id]) devices.seen(each, true);
    await pass(999);
    expect(writes).toEqual([]);
    await pass(1);
    expect([writes, await lastSeen()]).toEqual([["saveRecords"], leftMs]);
    await pass(DAY_MS);
    expect(writes).toHaveLength(1);
  });

  test("is written of one that left and has come back at once", async () => {
    const { devices, id, clock, pass, lastSeen } = await setUp();
    await pass(5_000);
    devices.seen(id, true);
    devices.seen(id);
    await devices.flush();
    expect(await lastSeen()).toBe(clock.wallMs());
  });

  test("of one that stays is written once an hour", async () => {
    const { devices, id, writes, pass } = await setUp();
    for (let minute = 0; minute < 180; minute++) {
      devices.seen(id);
      await pass(60_000);
    }
    expect(writes).toHaveLength(2);
  });

  test("is no change that others hear of, and changes nothing else", async () => {
    const { devices, id, changes, pass } = await setUp();
    await devices.setSwitch(id, "news", { push: false });
    const { lastSeenMs: _, ...before } = (await devices.get(id)) ?? expect.unreachable();
    changes.length = 0;
    await pass(HOUR_MS);
    devices.seen(id);
    await devices.flush();
    const { lastSeenMs: _now, ...after } = (await devices.get(id)) ?? expect.unreachable();
    expect(after).toEqual(before);
    expect(changes).toEqual([]);
  });

  test("and a change at the same time are both kept", async () => {
    const { devices, id, clock, pass, lastSeen } = await setUp();
    await pass(HOUR_MS);
    devices.seen(id);
    await Promise.all([devices.flush(), devices.change(id, { locale: "de" })]);
    expect([await lastSeen(), (await devices.get(id))?.locale]).toEqual([clock.wallMs(), "de"]);
  });

  test("that cannot be written now is written later", async () => {
    const { devices, id, state, lines, pass, lastSeen, clock } = await setUp();
    await pass(HOUR_MS);
    state.fails = true;
    devices.seen(id, true);
    await pass(1_000);
    expect(lines).toEqual([
      "WARN When devices were last seen could not be written: EngineError: the disk is full",
    ]);
    state.fails = false;
    await pass(1_000);
    expect(await lastSeen()).toBe(clock.wallMs() - 1_000);
  });

  test("of ten thousand that leave together is written in slices, with others' turns between them", async () => {
    const { devices, writes, clock, pass } = await setUp();
    await Promise.all(
      Array.from({ length: 1_000 }, (_, index) => devices.noteChannels(`p${index}`, begun(["a"]))),
    );
    writes.length = 0;
    await pass(1);
    for (let index = 0; index < 1_000; index++) devices.seen(`p${index}`, true);
    await pass(1_000);
    expect(writes).toHaveLength(1);
    while (writes.length < 10) await pass(0);
    expect((await devices.get("p999"))?.lastSeenMs).toBe(clock.wallMs() - 1_000);
  });
});

describe("long unseen devices", () => {
  test("are forgotten, and those that are connected are not", async () => {
    const { devices, id, clock, connected, changes, lines, pass } = await setUp();
    const other = (await devices.register({}, "admin")).device.id;
    await devices.noteChannels("phone", begun(["news"]));
    connected.add(other);
    changes.length = 0;
    devices.start();
    clock.jumpWall(FORGET_AFTER_MS - 60_001);
    await pass(60_000);
    expect(changes).toEqual([]);
    await pass(60_000);
    const known = async () => (await devices.list({}, "", 10)).map((device) => device.id);
    expect([await known(), changes.map((change) => change.id).sort()]).toEqual([
      [other],
      [id, "phone"].sort(),
    ]);
    expect(lines).toEqual(["Devices forgotten, as they were not seen for long: 2"]);
    connected.delete(other);
    // That it was here is written.
    await pass(1_000);
    clock.jumpWall(FORGET_AFTER_MS - 60_001);
    await pass(59_000);
    expect(await known()).toEqual([other]);
    await pass(60_000);
    expect(await known()).toEqual([]);
    await devices.stop();
  });

  test("are forgotten by what is the rule now, a few at a time", async () => {
    const { devices, state, clock, pass } = await setUp();
    await Promise.all(Array.from({ length: 299 }, () => devices.register({}, "admin")));
    const idle = clock.pendingTimers;
    devices.start();
    await pass(DAY_MS);
    state.forgetAfterMs = DAY_MS;
    const left: number[] = [];
    await pass(60_000);
    for (let slice = 0; slice < 4; slice++) {
      left.push((await devices.list({}, "", 1_000)).length);
      await pass(250);
    }
    expect(left).toEqual([200, 100, 0, 0]);
    await devices.stop();
    expect(clock.pendingTimers).toBe(idle);
  });

  test("stay while the disk is full", async () => {
    const { devices, clock, state, lines, pass } = await setUp();
    devices.start();
    state.fails = true;
    clock.jumpWall(FORGET_AFTER_MS);
    await pass(60_000);
    expect(lines.at(-1)).toContain("could not be forgotten");
    state.fails = false;
    await pass(60_000);
    expect(await devices.list({}, "", 10)).toEqual([]);
  });
});
