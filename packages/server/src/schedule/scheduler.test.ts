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

test("while nothing can be written, runs wait; then they are made, and none twice", async () => {
  const { make, pass, dues, store } = setUp();
  await make({ every: "1m", misfire: "all" });
  let attempts = 0;
  store.beforeCommit = () => {
    attempts += 1;
    throw new Error("the disk is full");
  };
  await pass(150_000);
  expect(dues()).toEqual([]);
  expect(attempts, "one a second").toBeWithin(80, 93);
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

test.each([
  [{ data: "x".repeat(70_000) }, "data"],
  [{ every: "1s", delay: undefined }, "every"],
])("a message for later is not changed to %j", async (change, field) => {
  const { schedules } = setUp();
  await schedules.create({ channel: "news", data: "x", delay: "1m" }, { id: "once-1", message: {} });
  expect(await schedules.change("once-1", change)).toMatchObject({ ok: false, field });
});
