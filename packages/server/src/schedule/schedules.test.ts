import { expect, test } from "bun:test";
import { settle, setUp } from "./testing/schedule-set-up.ts";

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

test("one of this id that is there already is answered as it is", async () => {
  const { make, schedules } = setUp();
  const made = await make({ every: "1h" });
  const again = await schedules.create({ channel: "other", data: "y", every: "1s" }, { id: made.id });
  expect(again).toEqual({ ok: true, schedule: made });
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

test("an edit of what is published leaves the run that is due", async () => {
  const { make, clock, pass, schedules, store } = setUp();
  const { id } = await make({ every: "1m" });
  clock.jumpWall(60_500);
  await schedules.change(id, { data: "other" });
  await pass(1_000);
  expect(store.published).toMatchObject([{ data: "other", dueAt: "2026-11-24T09:31:00.000Z" }]);
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

test("one that has ended and is to go on starts from then", async () => {
  const { make, pass, schedules, dues } = setUp();
  const { id } = await make({ every: "1m", misfire: "all", maxRuns: 2 });
  const until = await make({ every: "1m", misfire: "all", until: "2026-11-24T09:31:30Z" });
  await pass(600_500);
  expect(dues()).toHaveLength(3);
  await schedules.change(id, { maxRuns: 4 });
  await schedules.change(until.id, { until: "2026-11-24T09:41:30Z" });
  await settle();
  expect(dues()).toHaveLength(3);
  await pass(120_000);
  expect(dues().slice(3).sort()).toEqual(["09:41:00", "09:41:00", "09:42:00"]);
});

test("it publishes to somebody in the place of a channel, and can be turned from one to the other", async () => {
  const { schedules, pass, store } = setUp();
  const made = await schedules.create({ to: "user:ann", data: "x", every: "1m", receipts: true });
  if (!made.ok) return expect.unreachable();
  const { id } = made.schedule;
  await settle();
  await pass(60_000);
  await schedules.change(id, { channel: "news" });
  await pass(60_000);
  await schedules.change(id, { to: "everyone", channel: undefined });
  await schedules.run(id);
  expect(store.published.map(({ channel, to, receipts }) => ({ channel, to, receipts }))).toEqual([
    { channel: undefined, to: "user:ann", receipts: true },
    { channel: "news", to: undefined, receipts: true },
    { channel: undefined, to: "everyone", receipts: true },
  ]);
  expect(await schedules.get(id)).not.toHaveProperty("channel");
});

test("exactly one place is named", async () => {
  const { schedules } = setUp();
  const said = { data: "x", every: "1m" };
  const none = await schedules.create(said);
  expect(none).toEqual({ ok: false, field: "channel", problem: "one of channel and to is required" });
  const both = await schedules.create({ ...said, channel: "news", to: "everyone" });
  expect(both).toEqual({ ok: false, field: "to", problem: "cannot be combined with channel" });
  const made = await schedules.create({ ...said, to: "everyone" });
  if (!made.ok) return expect.unreachable();
  const { id } = made.schedule;
  expect(await schedules.change(id, { to: undefined })).toMatchObject({ ok: false, field: "channel" });
  expect(await schedules.change(id, { channel: undefined })).toMatchObject({ ok: true });
  expect(await schedules.change(id, { to: "user:ann", channel: "news" })).toMatchObject({ field: "to" });
  expect(await schedules.get(id)).toMatchObject({ to: "everyone" });
});
