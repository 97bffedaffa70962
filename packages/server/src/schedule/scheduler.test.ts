import { expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { FakeStore } from "./testing/fake-store.ts";
import { settle, setUp } from "./testing/schedule-set-up.ts";

test("each run is published at its time, under the key of its schedule and due time", async () => {
  const { make, pass, store, late } = setUp();
  const { id } = await make({
    every: "5m",
    data: "run {{run}} of {{schedule}} at {{now}}",
    ttl: 60,
    urgency: "high",
  });
  await pass(299_999);
  expect(store.published).toEqual([]);
  await pass(1);
  expect(store.published).toEqual([
    {
      channel: "news",
      data: `run 1 of ${id} at 2026-11-24 09:35:00`,
      schedule: id,
      dueAt: "2026-11-24T09:35:00.000Z",
      idempotencyKey: `${id}@2026-11-24T09:35:00.000Z`,
      ttl: 60,
      urgency: "high",
    },
  ]);
  await pass(600_000);
  expect(store.published).toHaveLength(3);
  expect(late).toEqual([0, 0, 0]);
});

test("a thousandth run is as punctual as the first", async () => {
  const { make, pass, dues, late } = setUp();
  await make({ every: "1s" });
  await pass(1_000_000);
  expect(dues()).toHaveLength(1_000);
  expect(Math.max(...late)).toBe(0);
});

test("a one-off is made once, and nothing is due after it", async () => {
  const { make, pass, dues, schedules } = setUp();
  const { id } = await make({ delay: "90s" });
  await pass(3_600_000);
  expect(dues()).toEqual(["09:31:30"]);
  expect(await schedules.get(id)).toMatchObject({ nextDueAt: null, runs: 1 });
});

test("maxRuns and until end it", async () => {
  const { make, pass, dues } = setUp();
  await make({ every: "1m", maxRuns: 3 });
  await make({ every: "1m", until: "2026-11-24T09:32:00Z" });
  await pass(600_000);
  expect(dues().sort()).toEqual(["09:31:00", "09:31:00", "09:32:00", "09:32:00", "09:33:00"]);
});

test.each([
  ["skip", []],
  ["one", ["09:45:00"]],
  ["all", ["09:31:00", "09:35:00", "09:40:00", "09:45:00"].slice(1)],
] as const)("after a downtime, misfire %s publishes %j", async (misfire, expected) => {
  const first = setUp();
  await first.make({ every: "5m", misfire });
  await first.scheduler.stop();
  first.clock.advance(17 * 60_000);
  const second = setUp(first.store, first.clock);
  second.scheduler.wake();
  await settle();
  expect(second.dues()).toEqual([...expected]);
  await second.pass(3 * 60_000);
  expect(second.dues()).toEqual([...expected, "09:50:00"]);
});

test("what was skipped is in the list of runs", async () => {
  const { make, clock, scheduler, schedules, pass } = setUp();
  const { id } = await make({ every: "5m", misfire: "skip" });
  clock.jumpWall(17 * 60_000);
  scheduler.wake();
  await settle();
  await pass(180_000);
  expect(await schedules.runs(id)).toEqual([
    {
      dueAt: "2026-11-24T09:50:00.000Z",
      startedAt: "2026-11-24T09:50:00.000Z",
      latenessMs: 0,
      outcome: "published",
    },
    {
      dueAt: "2026-11-24T09:45:00.000Z",
      startedAt: "2026-11-24T09:47:00.000Z",
      latenessMs: 120_000,
      outcome: "missed",
    },
  ]);
});

test("a clock that is set back makes no run twice; one that is set forward is like a downtime", async () => {
  const { make, clock, pass, dues } = setUp();
  await make({ every: "1m" });
  await pass(120_000);
  clock.jumpWall(-90_000);
  await pass(90_000);
  expect(dues()).toEqual(["09:31:00", "09:32:00"]);
  await pass(60_000);
  expect(dues()).toEqual(["09:31:00", "09:32:00", "09:33:00"]);
  clock.jumpWall(10 * 60_000);
  await pass(1_000);
  expect(dues().slice(3)).toEqual(["09:43:00"]);
});

test("paused, nothing is published; resumed, it goes on from then", async () => {
  const { make, pass, dues, schedules } = setUp();
  const { id } = await make({ every: "1m" });
  await schedules.change(id, { enabled: false });
  await pass(300_000);
  expect(dues()).toEqual([]);
  expect(await schedules.get(id)).toMatchObject({ enabled: false, nextDueAt: null });
  await schedules.change(id, { enabled: true });
  await settle();
  await pass(60_000);
  expect(dues()).toEqual(["09:36:00"]);
});

test("a change takes effect at once", async () => {
  const { make, pass, dues, schedules, store } = setUp();
  const { id } = await make({ every: "1h" });
  await schedules.change(id, { every: "10s", data: "sooner" });
  await settle();
  await pass(10_000);
  expect(dues()).toEqual(["09:30:10"]);
  expect(store.published[0]?.data).toBe("sooner");
  expect(await schedules.delete(id)).toBe(true);
  await pass(60_000);
  expect(dues()).toHaveLength(1);
  expect(await schedules.delete(id)).toBe(false);
});

test("run now publishes beside what is due", async () => {
  const { make, pass, dues, schedules } = setUp();
  const { id } = await make({ every: "1m" });
  await pass(30_000);
  expect(await schedules.run(id)).toEqual({
    dueAt: "2026-11-24T09:30:30.000Z",
    startedAt: "2026-11-24T09:30:30.000Z",
    latenessMs: 0,
    outcome: "manual",
  });
  await pass(30_000);
  expect(dues()).toEqual(["09:30:30", "09:31:00"]);
  expect((await schedules.runs(id))?.map(({ outcome }) => outcome)).toEqual(["published", "manual"]);
});

test("the list of runs is bounded", async () => {
  const { make, pass, schedules, store } = setUp();
  const { id } = await make({ every: "1s" });
  await pass(250_000);
  expect(await schedules.runs(id)).toHaveLength(100);
  expect(await store.records("run", "", 1_000)).toHaveLength(100);
  expect((await schedules.runs(id))?.[0]?.dueAt).toBe("2026-11-24T09:34:10.000Z");
  await schedules.delete(id);
  expect(await store.records("run", "", 1_000)).toHaveLength(0);
});

test("while nothing can be written, runs wait; then they are made, and none twice", async () => {
  const { make, pass, dues, store } = setUp();
  await make({ every: "1m", misfire: "all" });
  store.beforeCommit = () => {
    throw new Error("the disk is full");
  };
  await pass(150_000);
  expect(dues()).toEqual([]);
  store.beforeCommit = () => {};
  await pass(1_000);
  expect(dues()).toEqual(["09:31:00", "09:32:00"]);
});

test("one that cannot be written holds up no other", async () => {
  const store = new FakeStore();
  const { make, pass } = setUp(store);
  for (let number = 0; number < 200; number++) await make({ at: "2026-11-24T09:31:00Z", channel: "news" });
  await make({ at: "2026-11-24T09:30:59Z", channel: "broken" });
  store.beforeCommit = (items) => {
    if (items.some(({ channel }) => channel === "broken")) throw new Error("cannot be written");
  };
  await pass(60_000);
  await settle();
  expect(store.published).toHaveLength(200);
  store.beforeCommit = () => {};
  await pass(1_000);
  expect(store.published).toHaveLength(201);
});

test("large runs that were missed are made up for in commits that may wait to be written", async () => {
  const store = new FakeStore();
  const { make, clock, pass, dues } = setUp(store);
  await make({ every: "1s", misfire: "all", data: "x".repeat(60_000) });
  let most = 0;
  store.beforeCommit = (items) => {
    most = Math.max(most, items.length);
  };
  clock.jumpWall(1_500_000);
  await pass(1_000);
  for (let turn = 0; turn < 20; turn++) await settle();
  expect([dues().length, new Set(dues()).size]).toEqual([1_000, 1_000]);
  expect(most).toBeWithin(1, 9);
});

test("an edit of what is published leaves the run that is due", async () => {
  const { make, clock, pass, schedules, store } = setUp();
  const { id } = await make({ every: "1m" });
  clock.jumpWall(60_500);
  await schedules.change(id, { data: "other" });
  await pass(1_000);
  expect(store.published).toMatchObject([{ data: "other", dueAt: "2026-11-24T09:31:00.000Z" }]);
});

test("two nodes make each run once", async () => {
  const store = new FakeStore();
  const clock = new VirtualClock();
  const first = setUp(store, clock);
  const second = setUp(store, clock);
  await first.make({ every: "1s" });
  second.scheduler.wake();
  await settle();
  await first.pass(60_000);
  expect(new Set(store.published.map(({ dueAt }) => dueAt)).size).toBe(60);
  expect(store.published).toHaveLength(60);
});

test("jitter starts a run later, always by the same, and that is not late", async () => {
  const starts = async () => {
    const { schedules, pass, clock, store, late } = setUp();
    await schedules.create({ channel: "news", data: "x", every: "1m", jitter: "30s" }, { id: "fixed" });
    await settle();
    const times: number[] = [];
    for (let second = 0; second < 300; second++) {
      await pass(1_000);
      while (times.length < store.published.length) times.push(clock.monotonicMs());
    }
    expect(Math.max(...late)).toBe(0);
    return times;
  };
  const times = await starts();
  expect(times.length).toBeGreaterThanOrEqual(4);
  expect(await starts()).toEqual(times);
  expect(times.some((time) => time % 60_000 > 1_000)).toBe(true);
});

test("flags say what the managed one is, and it goes on over a restart as it was", async () => {
  const first = setUp();
  const fields = { channel: "push", data: "Time: {{now}}", every: "300000ms", misfire: "skip" } as const;
  await first.schedules.manage("push-every", fields);
  await settle();
  await first.pass(300_000);
  await first.scheduler.stop();
  const second = setUp(first.store, first.clock);
  await second.schedules.manage("push-every", fields);
  second.scheduler.wake();
  await settle();
  await second.pass(299_999);
  expect(second.dues()).toEqual(["09:35:00"]);
  await second.pass(1);
  expect(second.dues()).toEqual(["09:35:00", "09:40:00"]);
  expect(await second.schedules.change("push-every", { data: "other" })).toBe("managed");
  expect(await second.schedules.delete("push-every")).toBe("managed");
  await second.schedules.manage("push-every", { ...fields, every: "10s" });
  await settle();
  await second.pass(10_000);
  expect(second.dues()).toHaveLength(3);
  await second.schedules.manage("push-every", undefined);
  expect(await second.schedules.get("push-every")).toBeUndefined();
});

test.each([
  [{ every: "10ms" }, "every"],
  [{ cron: "0 0 30 2 *" }, "cron"],
  [{ every: "1m", timeZone: "Mars/Olympus" }, "timeZone"],
  [{ at: "2020-01-01T00:00:00Z" }, "at"],
  [{ every: "1m", until: "2020-01-01T00:00:00Z" }, "until"],
  [{ every: "1m", cron: "* * * * *" }, "cron"],
  [{ every: "1m", data: "{{nope}}" }, "data"],
  [{ every: "1m", data: "x".repeat(70_000) }, "data"],
  [{ every: "1m", misfire: 100_000 }, "misfire"],
])("%j is refused by its field, and nothing is kept", async (fields, field) => {
  const { schedules, store } = setUp();
  const made = await schedules.create({ channel: "news", data: "x", ...fields });
  expect(made).toMatchObject({ ok: false, field });
  expect(await store.records("schedule", "", 10)).toEqual([]);
});

test("a message for later is published as it is, under its own key, and forgotten a day later", async () => {
  const { schedules, pass, store } = setUp();
  const fields = { channel: "news", data: "{{not a name}}", delay: "1m" } as const;
  const message = { idempotencyKey: "mine" };
  const made = await schedules.create(fields, { id: "once-1", by: "key:a", message });
  expect(made).toMatchObject({ ok: true, schedule: { by: "key:a" } });
  expect(await schedules.create(fields, { id: "once-1", by: "key:a", message })).toMatchObject({ ok: true });
  await settle();
  await pass(60_000);
  expect(store.published).toMatchObject([
    { data: "{{not a name}}", idempotencyKey: "mine", schedule: "once-1" },
  ]);
  expect(await schedules.get("once-1")).toMatchObject({ runs: 1, nextDueAt: null });
  await pass(86_399_000);
  expect(await schedules.get("once-1")).toBeDefined();
  await pass(2_000);
  expect(await schedules.get("once-1")).toBeUndefined();
  expect(await store.records("run", "", 10)).toEqual([]);
  expect(store.published).toHaveLength(1);
}, 20_000);

test("the same rule said again starts nothing anew", async () => {
  const { make, pass, dues, schedules } = setUp();
  const { id } = await make({ every: "10m" });
  const once = await make({ delay: "1m" });
  for (let minutes = 0; minutes < 60; minutes += 5) {
    await pass(300_000);
    expect(await schedules.change(id, { every: "10m" })).toMatchObject({ ok: true });
    expect(await schedules.change(once.id, { delay: "1m", data: "y" })).toMatchObject({ ok: true });
  }
  expect(dues()).toHaveLength(1 + 6);
});

test("a run that waits for its jitter is still made after a change of anything but its times", async () => {
  const { schedules, pass, dues } = setUp();
  const fields = { channel: "news", data: "x", at: "2026-11-24T09:31:00Z", jitter: "1h" } as const;
  await schedules.create(fields, { id: "fixed" });
  await pass(60_001);
  expect(dues()).toEqual([]);
  for (const change of [{ enabled: true }, { misfire: "all" }, { maxRuns: 5 }] as const) {
    expect(await schedules.change("fixed", change)).toMatchObject({ ok: true });
    await settle();
  }
  await pass(3_600_000);
  expect(dues()).toEqual(["09:31:00"]);
});

test("one that waits for its jitter can be paused, though its time has passed; one that has ended, too", async () => {
  const { schedules, pass, dues, make } = setUp();
  const fields = { channel: "news", data: "x", at: "2026-11-24T09:31:00Z", jitter: "1h" } as const;
  await schedules.create(fields, { id: "fixed" });
  const ended = await make({ delay: "1s" });
  await pass(61_000);
  expect(await schedules.change("fixed", { enabled: false })).toMatchObject({ ok: true });
  expect(await schedules.change(ended.id, { enabled: false })).toMatchObject({ ok: true });
  await pass(3_600_000);
  expect(dues()).toEqual(["09:30:01"]);
});

test("runs by hand use up no runs of the rule, and no two runs have one number", async () => {
  const { make, pass, store, schedules } = setUp();
  const { id } = await make({ every: "1m", maxRuns: 2, data: "{{run}}" });
  for (let n = 0; n < 3; n++) await schedules.run(id);
  await pass(300_000);
  expect(store.published.map(({ data }) => data)).toEqual(["1", "2", "3", "4", "5"]);
  expect(await schedules.get(id)).toMatchObject({ runs: 5, nextDueAt: null });
});

test("many who change one schedule at once wait for one another", async () => {
  const { make, schedules, store } = setUp();
  const { id } = await make({ every: "1h" });
  await Promise.all(Array.from({ length: 50 }, () => schedules.run(id)));
  expect(store.published).toHaveLength(50);
});

test.each([
  [{ data: "x".repeat(70_000) }, "data"],
  [{ every: "1s", delay: undefined }, "every"],
])("a message for later is not changed to %j", async (change, field) => {
  const { schedules } = setUp();
  await schedules.create({ channel: "news", data: "x", delay: "1m" }, { id: "once-1", message: {} });
  expect(await schedules.change("once-1", change)).toMatchObject({ ok: false, field });
});

test("a clock that was far ahead ends no schedule for years", async () => {
  const { make, pass, clock, schedules, scheduler } = setUp();
  const { id } = await make({ every: "1m" });
  clock.jumpWall(3_650 * 86_400_000);
  scheduler.wake();
  await settle();
  clock.jumpWall(-3_650 * 86_400_000);
  await schedules.change(id, { every: "2m" });
  await settle();
  expect((await schedules.get(id))?.nextDueAt).toBe("2026-11-24T09:32:00.000Z");
  await pass(1);
});
