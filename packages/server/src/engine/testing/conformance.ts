/**
 * The suite that every engine passes: `describeEngine` with a function that opens a fresh one. The examples are the
 * contract of `engine.ts`, sentence by sentence; the properties compare with a naive model.
 */
import { describe, expect, test } from "bun:test";
import { EngineError, IDEMPOTENCY_MS, type Retention } from "../engine.ts";
import { type On, type OpenEngine, type Rig, readAll, request, together, withEngine } from "./bed.ts";
import { describeDevices } from "./devices.ts";
import { describeGuarded } from "./guarded.ts";
import { describeLabels } from "./labels.ts";
import { describeProperties } from "./properties.ts";
import { describeRecords } from "./records.ts";
import { describeSingle } from "./single.ts";

export function describeEngine(name: string, open: OpenEngine): void {
  describe(`${name} engine`, () => {
    const on = (about: string, body: (rig: Rig) => Promise<void>, retention: Retention = {}) =>
      test(about, () => withEngine(open, retention, body));
    describePublish(on);
    describeIdempotency(on);
    describeRead(on);
    describeRetention(on);
    describeRest(on);
    describeRecords(on);
    describeLabels(on);
    describeGuarded(on);
    describeSingle(on);
    describeDevices(on);
    describeProperties(open);
  });
}

function describePublish(on: On): void {
  on("offsets count per channel, prev per lane", async ({ engine, item, commits }) => {
    const lanes = [1, 0, 1, 2, 0] as const;
    const results = await engine.publish([
      ...lanes.map((lane) => item({ lane })),
      item({ channel: "other" }),
    ]);
    expect(results.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5, 1]);
    expect(commits.flat().map(({ prev }) => prev)).toEqual([0, 0, 1, 0, 2, 0]);
    expect(await engine.top("news")).toMatchObject({ lanes: [5, 3, 4], offset: 5 });
  });

  on("a publication is announced as it was given, once, before its call resolves", async (rig) => {
    const { engine, item, commits } = rig;
    const given = item({ data: '"ü 🔔"', meta: '{"ttl":9}', expiresAtMs: 4e12, collapseKey: "k" });
    const [result] = await engine.publish([given]);
    const { id, channel, timeMs, lane, data, meta, expiresAtMs } = given;
    const told = { id, channel, timeMs, lane, data, meta, expiresAtMs, offset: 1, prev: 0 };
    expect(commits).toEqual([[told as never]]);
    expect(result).toEqual({ id, timeMs, offset: 1, duplicate: false, epoch: expect.any(String) });
    const page = await engine.read("news", request(rig.clock));
    expect(page.publications).toEqual([told as never]);
  });

  on("calls that come together are announced in order and in few commits", async (rig) => {
    const { engine, item, commits } = rig;
    const calls = Array.from({ length: 1_000 }, () => engine.publish([item()]));
    const offsets = (await Promise.all(calls)).flatMap((results) => results.map(({ offset }) => offset));
    expect(offsets).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
    expect(commits.flat().map(({ offset }) => offset)).toEqual(offsets);
    expect(commits.length).toBeLessThan(20);
  });

  on("a top is what has been announced, whatever is under way", async ({ engine, item, commits }) => {
    let publishing = 20;
    const publishers = Array.from({ length: publishing }, async () => {
      for (let count = 0; count < 30; count++) await engine.publish([item()]);
      publishing -= 1;
    });
    for (let asked = 0; publishing > 0; asked++) {
      const { offset } = await engine.top("news");
      expect(offset).toBe(commits.flat().findLast(({ channel }) => channel === "news")?.offset ?? 0);
      // Now with nothing under way, now in the middle of a commit.
      if (asked % 3 === 0) await engine.publish([item({ channel: "other", stored: false })]);
    }
    await Promise.all(publishers);
    expect(await engine.top("news")).toMatchObject({ offset: 600 });
  });

  on("what is not stored is announced, and leaves no trace", async ({ engine, item, commits, clock }) => {
    const results = await engine.publish([item(), item({ stored: false }), item()]);
    expect(results.map(({ offset }) => offset)).toEqual([1, 0, 2]);
    expect(commits.flat().map(({ offset, prev }) => [offset, prev])).toEqual([
      [1, 0],
      [0, 0],
      [2, 1],
    ]);
    await engine.publish([item({ channel: "unstored", stored: false })]);
    expect(await engine.top("unstored")).toMatchObject({ offset: 0 });
    expect((await engine.read("news", request(clock))).publications).toHaveLength(2);
    expect((await engine.channels("", 10)).map(({ channel }) => channel)).toEqual(["news"]);
  });
}

function describeIdempotency(on: On): void {
  on("a repeat gets the first result, also within one list", async ({ engine, item, commits, clock }) => {
    const key = { idempotencyKey: "order-1" };
    const [first, second] = await engine.publish([item(key), item({ ...key, data: "2" })]);
    clock.advance(1_000);
    const [third] = await engine.publish([item({ ...key, data: "3", stored: false })]);
    expect(first).toMatchObject({ id: "p1", offset: 1, duplicate: false });
    for (const repeat of [second, third]) expect(repeat).toEqual({ ...first, duplicate: true } as never);
    expect(commits.flat()).toHaveLength(1);
    const [elsewhere] = await engine.publish([item({ ...key, channel: "other" })]);
    expect(elsewhere).toMatchObject({ offset: 1, duplicate: false });
  });

  on("a key counts for what is not stored, too", async ({ engine, item, commits }) => {
    const fields = { stored: false, idempotencyKey: "k" };
    const [first] = await engine.publish([item(fields)]);
    const [repeat] = await engine.publish([item({ ...fields, stored: true })]);
    expect(repeat).toEqual({ ...first, duplicate: true } as never);
    expect(commits.flat()).toHaveLength(1);
  });

  on("a key counts for 24 hours", async ({ engine, item, clock }) => {
    const publish = async () => (await engine.publish([item({ idempotencyKey: "k" })]))[0]?.duplicate;
    expect(await publish()).toBe(false);
    clock.advance(IDEMPOTENCY_MS - 1);
    expect(await publish()).toBe(true);
    clock.advance(1);
    expect(await publish()).toBe(false);
    expect(await publish()).toBe(true);
  });
}

function describeRead(on: On): void {
  on("pages end at their limits and say how far they looked", async ({ engine, item, clock }) => {
    await engine.publish(Array.from({ length: 10 }, () => item({ data: '"0123456789"' })));
    const read = (fields: object) => engine.read("news", request(clock, { upTo: 10, ...fields }));
    const shape = async (fields: object) => {
      const { publications, to } = await read(fields);
      return [publications.map(({ offset }) => offset), to];
    };
    expect(await shape({ limit: 3 })).toEqual([[1, 2, 3], 3]);
    expect(await shape({ after: together(7), limit: 3 })).toEqual([[8, 9, 10], 10]);
    expect(await shape({ maxBytes: 25 })).toEqual([[1, 2], 2]);
    expect(await shape({ maxBytes: 1 })).toEqual([[1], 1]);
    expect(await shape({ upTo: 2 })).toEqual([[1, 2], 2]);
    expect(await shape({ after: together(10) })).toEqual([[], 10]);
  });

  on("each lane is read from where the reader stands in it", async ({ engine, item, clock }) => {
    await engine.publish(([0, 1, 2, 0, 1, 2] as const).map((lane) => item({ lane })));
    const page = await engine.read("news", request(clock, { after: [6, 2, 3], upTo: 6 }));
    expect(page.publications.map(({ offset }) => offset)).toEqual([5, 6]);
  });

  on("expired and superseded publications are skipped, and are no gap", async ({ engine, item, clock }) => {
    const soon = clock.wallMs() + 5_000;
    await engine.publish([item({ collapseKey: "k", lane: 2 }), item({ expiresAtMs: soon }), item()]);
    await engine.publish([item({ collapseKey: "k", lane: 0 })]);
    const offsets = async () => {
      const { publications, gaps } = await readAll(engine, "news", request(clock, { upTo: 4, limit: 1 }));
      return [publications.map(({ offset }) => offset), gaps];
    };
    expect(await offsets()).toEqual([[2, 3, 4], []]);
    clock.advance(5_000);
    expect(await offsets()).toEqual([[3, 4], []]);
    const [next] = await engine.publish([item()]);
    expect(next?.offset).toBe(5);
  });

  on("a channel that was never published to is empty", async ({ engine, clock }) => {
    expect(await engine.top("void")).toEqual({ epoch: expect.any(String), lanes: [0, 0, 0], offset: 0 });
    expect(await engine.read("void", request(clock, { upTo: 0 }))).toMatchObject({ publications: [], to: 0 });
  });
}

function describeRetention(on: On): void {
  const infoOf = async ({ engine }: Rig) => (await engine.channels("", 1))[0];

  on(
    "beyond the count the oldest are dropped, and told as a gap",
    async (rig) => {
      const { engine, item, clock, settle } = rig;
      await engine.publish(Array.from({ length: 8 }, (_, index) => item({ lane: index < 6 ? 1 : 0 })));
      await settle(async () => (await infoOf(rig))?.count === 3);
      const { publications, gap } = await engine.read("news", request(clock, { after: [0, 2, 0], upTo: 8 }));
      expect(publications.map(({ offset, prev }) => [offset, prev])).toEqual([
        [6, 5],
        [7, 0],
        [8, 7],
      ]);
      expect(gap).toEqual({ from: 3, to: 5 });
      expect((await engine.read("news", request(clock, { after: [0, 5, 0], upTo: 8 }))).gap).toBeUndefined();
      expect(await engine.top("news")).toMatchObject({ offset: 8 });
    },
    { maxCount: 3 },
  );

  on(
    "by age, until nothing is left; offsets go on",
    async (rig) => {
      const { engine, item, clock, settle } = rig;
      await engine.publish([item(), item()]);
      clock.advance(59_000);
      await engine.publish([item()]);
      expect((await infoOf(rig))?.count).toBe(3);
      await settle(async () => (await infoOf(rig))?.count === 1);
      await settle(async () => (await infoOf(rig))?.count === 0);
      expect(await infoOf(rig)).toMatchObject({ offset: 3, bytes: 0 });
      expect((await engine.read("news", request(clock, { upTo: 3 }))).gap).toEqual({ from: 1, to: 3 });
      await engine.publish([item()]);
      expect(await engine.top("news")).toMatchObject({ offset: 4 });
    },
    { maxAgeMs: 60_000 },
  );

  on(
    "beyond the bytes",
    async (rig) => {
      const { engine, item, settle } = rig;
      await engine.publish(Array.from({ length: 5 }, () => item({ data: '"12345678"', meta: '{"a":1234}' })));
      await settle(async () => (await infoOf(rig))?.bytes === 40);
      expect(await infoOf(rig)).toMatchObject({ count: 2, offset: 5 });
    },
    { maxBytes: 59 },
  );
}

function describeRest(on: On): void {
  on("channels are listed by name, page by page", async ({ engine, item }) => {
    const names = ["b", "a/1", "~", "A", "a"];
    await engine.publish(names.map((channel) => item({ channel, data: '"ü"', meta: "{}" })));
    const page = await engine.channels("", 3);
    expect(page.map(({ channel }) => channel)).toEqual(["A", "a", "a/1"]);
    expect((await engine.channels("a/1", 3)).map(({ channel }) => channel)).toEqual(["b", "~"]);
    expect(page[0]).toEqual({ channel: "A", epoch: expect.any(String), offset: 1, count: 1, bytes: 6 });
  });

  on("one channel is told as it is in the list, and one never published to is not", async (rig) => {
    const { engine, item } = rig;
    await engine.publish([item(), item({ channel: "new", data: '"ü"', meta: "{}" }), item()]);
    await engine.publish([item({ channel: "unstored", stored: false, idempotencyKey: "k" })]);
    for (const info of await engine.channels("", 10))
      expect(await engine.channel(info.channel)).toEqual(info);
    expect(await engine.channel("news")).toMatchObject({ channel: "news", offset: 2, count: 2, bytes: 2 });
    for (const name of ["unstored", "void", "ne", ""]) expect(await engine.channel(name)).toBeUndefined();
  });

  on("each commit of publications is measured once, with its size", async (rig) => {
    const { engine, item, commits, measured } = rig;
    await Promise.all([engine.publish([item(), item()]), engine.publish([item()])]);
    expect(measured).toEqual([{ items: 3, ms: expect.any(Number) }]);
    await engine.publish([item({ idempotencyKey: "k" }), item({ idempotencyKey: "k" })]);
    expect(measured.map(({ items }) => items)).toEqual([3, 2]);
    await Promise.all([engine.top("news"), engine.channel("news"), engine.read("news", request(rig.clock))]);
    expect(measured).toHaveLength(2);
    await Promise.all(Array.from({ length: 100 }, () => engine.publish([item({ data: '"later"' })])));
    expect(measured.reduce((sum, { items }) => sum + items, 0)).toBe(105);
    expect(measured).toHaveLength(commits.length);
  });

  on("one epoch everywhere", async ({ engine, item, clock }) => {
    const [result] = await engine.publish([item()]);
    const { epoch } = await engine.top("void");
    expect([result?.epoch, (await engine.read("news", request(clock))).epoch]).toEqual([epoch, epoch]);
  });

  on("closing finishes what was accepted; later calls reject", async ({ engine, item, clock, commits }) => {
    const accepted = engine.publish([item()]);
    const closed = engine.close();
    expect((await accepted)[0]?.offset).toBe(1);
    await closed;
    expect(commits.flat()).toHaveLength(1);
    const calls = [
      () => engine.publish([item()]),
      () => engine.top("news"),
      () => engine.read("news", request(clock)),
      () => engine.channels("", 1),
      () => engine.channel("news"),
      () => engine.publication("p1"),
      () => engine.withdraw("news", 1),
      () => engine.positionsOf("d"),
      () => engine.savePositions([]),
      () => engine.removeDevice("d", [], []),
      () => engine.record("key", "a"),
      () => engine.records("key", "", 1),
      () => engine.labelled("key", "x", "", 1),
      () => engine.countLabelled("key", "x"),
      () => engine.due("key", 1, 1),
      () => engine.saveRecords([]),
      () => engine.backup("/nowhere"),
      () => engine.probe(),
    ];
    for (const call of calls) expect(await call().catch((error) => error)).toBeInstanceOf(EngineError);
  });
}
