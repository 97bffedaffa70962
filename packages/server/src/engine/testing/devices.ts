/** The part of the suite that is about where devices stand, and about removing them. */
import { expect } from "bun:test";
import type { Offsets } from "@carillon/protocol/position";
import type { DevicePosition, Engine, EngineError, RecordChange } from "../engine.ts";
import { type On, request, together } from "./bed.ts";

const at = (device: string, offsets: Offsets, more: Partial<DevicePosition> = {}): DevicePosition => ({
  ...{ device, channel: "news", position: { epoch: "one", offsets } },
  ...more,
});

const put = (id: string, data: string | undefined, expect?: string | null): RecordChange => ({
  ...{ kind: "device", id, data },
  ...(expect !== undefined && { expect }),
});

const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => "done",
    (error: EngineError) => error.code,
  );

const kept = async (engine: Engine) =>
  (await engine.records("device", "", 10)).map(({ id, data }) => id + data);

export function describeDevices(on: On): void {
  on("positions only move on within an epoch, and a new epoch replaces them", async ({ engine }) => {
    const save = (epoch: string, offsets: Offsets, channel = "news") =>
      engine.savePositions([{ device: "d", channel, position: { epoch, offsets } }]);
    await save("one", [5, 2, 0]);
    await save("one", [3, 4, 0]);
    await save("one", [1, 1, 1], "other");
    const other = { epoch: "one", offsets: together(1), sent: together(1) };
    const news = async () => {
      const positions = await engine.positionsOf("d");
      expect([...positions.keys()].sort()).toEqual(["news", "other"]);
      expect(positions.get("other")).toEqual(other);
      return positions.get("news");
    };
    expect(await news()).toEqual({ epoch: "one", offsets: [5, 4, 0], sent: [5, 4, 0] });
    await save("two", [1, 0, 0]);
    expect(await news()).toEqual({ epoch: "two", offsets: [1, 0, 0], sent: [1, 0, 0] });
    expect((await engine.positionsOf("nobody")).size).toBe(0);
  });

  on("what was sent moves on by itself, never below what was handled", async ({ engine }) => {
    const saved = async (offsets: Offsets, sent?: Offsets, epoch = "one") => {
      const position = { epoch, offsets };
      await engine.savePositions([{ device: "d", channel: "news", position, ...(sent && { sent }) }]);
      return (await engine.positionsOf("d")).get("news");
    };
    expect(await saved([1, 1, 1], [4, 0, 1])).toEqual({ epoch: "one", offsets: [1, 1, 1], sent: [4, 1, 1] });
    expect(await saved([2, 0, 0], [3, 5, 0])).toEqual({ epoch: "one", offsets: [2, 1, 1], sent: [4, 5, 1] });
    expect(await saved([0, 0, 9])).toEqual({ epoch: "one", offsets: [2, 1, 9], sent: [4, 5, 9] });
    expect(await saved([1, 0, 0], [1, 2, 0], "two")).toEqual({
      ...{ epoch: "two", offsets: [1, 0, 0], sent: [1, 2, 0] },
    });
  });

  on("positions and changes are saved together, or neither is", async ({ engine }) => {
    const moved = async () => (await engine.positionsOf("d")).get("news")?.offsets;
    await engine.savePositions([at("d", [1, 0, 0])], [put("d", "1", null), put("e", "1")]);
    expect([await moved(), await kept(engine)]).toEqual([
      [1, 0, 0],
      ["d1", "e1"],
    ]);
    const calls = [
      engine.savePositions([at("d", [2, 0, 0])], [put("e", "2"), put("d", "2", "0")]),
      engine.savePositions([at("d", [3, 0, 0])], [put("d", "3", "1")]),
      engine.savePositions([at("d", [4, 0, 0])], [put("d", "4", "1")]),
      engine.savePositions([], [put("f", "1", null)]),
    ];
    expect(await Promise.all(calls.map(codeOf))).toEqual(["conflict", "done", "conflict", "done"]);
    expect([await moved(), await kept(engine)]).toEqual([
      [3, 0, 0],
      ["d3", "e1", "f1"],
    ]);
  });

  on("many positions in one call are all kept", async ({ engine }) => {
    const all = Array.from({ length: 5_000 }, (_, index) => at(`d${index}`, together(index + 1)));
    await engine.savePositions(all);
    for (const index of [0, 1_023, 1_024, 4_999]) {
      expect((await engine.positionsOf(`d${index}`)).get("news")?.offsets).toEqual(together(index + 1));
    }
  });

  on("what comes while many positions are saved is done after them", async ({ engine }) => {
    const many = Array.from({ length: 3_000 }, (_, index) => at(`d${index}`, together(5)));
    const other: DevicePosition = {
      ...at("d2999", together(1)),
      position: { epoch: "two", offsets: together(1) },
    };
    await Promise.all([
      engine.savePositions(many),
      engine.savePositions([other]),
      engine.savePositions(many.slice(0, 2_500).map((each) => ({ ...each, channel: "later" }))),
      engine.savePositions([at("d2999", together(7))], [put("d2999", "1", null)]),
      ...["d0", "d2998"].map((device) => engine.removeDevice(device, [], [])),
    ]);
    expect(await kept(engine)).toEqual(["d29991"]);
    const offsetsOf = async (device: string) =>
      [...(await engine.positionsOf(device)).values()].map(
        ({ epoch, offsets: [high] }) => `${epoch} ${high}`,
      );
    expect(await offsetsOf("d2999")).toEqual(["one 7"]);
    for (const device of ["d0", "d2998"]) expect(await offsetsOf(device)).toEqual([]);
    expect(await offsetsOf("d1")).toEqual(["one 5", "one 5"]);
    const closing = [engine.savePositions(many.map((each) => at(each.device, together(8)))), engine.close()];
    await Promise.all(closing);
  });

  on("a device is removed with its positions and its channels", async (rig) => {
    const { engine, item, clock, commits } = rig;
    const inbox = "$device/d";
    const key = { idempotencyKey: "k" };
    await engine.publish([item(key), item({ channel: inbox, ...key }), item({ channel: inbox, lane: 0 })]);
    const elsewhere = at("d", together(1), { channel: "other" });
    await engine.savePositions([at("d", together(1)), elsewhere, at("e", together(1))], [put("d", "1")]);
    await engine.removeDevice("d", [inbox, "void"], [put("d", undefined, "1"), put("gone", "d")]);
    expect((await engine.positionsOf("d")).size).toBe(0);
    expect((await engine.positionsOf("e")).size).toBe(1);
    expect(await kept(engine)).toEqual(["goned"]);
    expect(await engine.top(inbox)).toEqual({ epoch: expect.any(String), lanes: [0, 0, 0], offset: 0 });
    expect((await engine.channels("", 10)).map(({ channel }) => channel)).toEqual(["news"]);
    expect(await engine.channel(inbox)).toBeUndefined();
    for (const id of ["p2", "p3"]) expect(await engine.publication(id)).toBeUndefined();
    expect(await engine.publication("p1")).toMatchObject({ channel: "news" });
    // A reader that stands ahead has nothing to read.
    const ahead = { after: together(2), upTo: 0 };
    expect(await engine.read(inbox, request(clock, ahead))).toMatchObject({ publications: [] });
    const [again] = await engine.publish([item({ channel: inbox, ...key })]);
    expect(again).toMatchObject({ offset: 1, duplicate: false });
    expect(commits.flat().at(-1)).toMatchObject({ offset: 1, prev: 0 });
    expect(await engine.channel(inbox)).toMatchObject({ count: 1, offset: 1 });
    expect((await engine.read(inbox, request(clock, { ...ahead, upTo: 1 }))).publications).toEqual([]);
    expect(await engine.publish([item(key)])).toMatchObject([{ id: "p1", duplicate: true }]);
  });

  on("if a record is not as expected, nothing is removed", async ({ engine, item }) => {
    await engine.publish([item({ channel: "$device/d" })]);
    await engine.savePositions([at("d", together(1))], [put("d", "1")]);
    const removal = engine.removeDevice("d", ["$device/d"], [put("e", "1"), put("d", undefined, "0")]);
    expect(await codeOf(removal)).toBe("conflict");
    expect((await engine.positionsOf("d")).size).toBe(1);
    expect(await engine.channel("$device/d")).toMatchObject({ count: 1 });
    expect(await kept(engine)).toEqual(["d1"]);
  });

  on("what is asked together is done in its order", async ({ engine, item }) => {
    const channel = "$device/d";
    const publish = () => engine.publish([item({ channel })]).then(([result]) => result?.offset);
    const remove = () => engine.removeDevice("d", [channel], []);
    const calls = [
      ...[publish(), engine.savePositions([at("d", together(5))]), publish(), engine.withdraw(channel, 2)],
      ...[remove(), publish(), engine.withdraw(channel, 2), engine.withdraw(channel, 1), publish()],
      ...[engine.savePositions([at("d", together(1))]), publish()],
    ];
    expect(await Promise.all(calls as Promise<unknown>[])).toEqual([
      ...[1, undefined, 2, true],
      ...[undefined, 1, false, true, 2],
      ...[undefined, 3],
    ]);
    expect((await engine.positionsOf("d")).get("news")?.offsets).toEqual(together(1));
    expect(await engine.channel(channel)).toMatchObject({ count: 2, offset: 3 });
    await Promise.all([engine.savePositions([at("d", together(9))]), remove()]);
    expect((await engine.positionsOf("d")).size).toBe(0);
    expect(await engine.channel(channel)).toBeUndefined();
  });
}
