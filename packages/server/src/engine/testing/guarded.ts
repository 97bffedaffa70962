/** The part of the suite that is about calls that publish and change records, or do neither. */
import { expect } from "bun:test";
import type { Engine, RecordChange } from "../engine.ts";
import type { On } from "./bed.ts";

const put = (id: string, data: string, more: Partial<RecordChange> = {}): RecordChange => ({
  ...{ kind: "run", id, data },
  ...more,
});

const remove = (id: string, expect: string | null): RecordChange => ({
  ...{ kind: "run", id, data: undefined, expect },
});

/** How each ended: its offsets, or the code that it was refused with. */
const ended = (calls: readonly Promise<unknown>[]) =>
  Promise.all(
    calls.map((call) =>
      call.then(
        (results) => (results as readonly { offset: number }[]).map(({ offset }) => offset),
        ({ name, code }) => `${name} ${code}`,
      ),
    ),
  );

const kept = async (engine: Engine) => (await engine.records("run", "", 10)).map(({ id, data }) => id + data);

const CONFLICT = "EngineError conflict";

export function describeGuarded(on: On): void {
  on("publications and changes are made together", async ({ engine, item, commits }) => {
    const calls = [
      engine.publish([item(), item()], [put("a", "1", { expect: null, dueMs: 5 }), put("b", "1")]),
      engine.publish([item()], [put("a", "2", { expect: "1", dueMs: 7 }), remove("b", "1")]),
      engine.publish([], [put("c", "1")]),
    ];
    expect(await ended(calls)).toEqual([[1, 2], [3], []]);
    expect(commits.flat().map(({ offset }) => offset)).toEqual([1, 2, 3]);
    expect(await kept(engine)).toEqual(["a2", "c1"]);
    expect(await engine.due("run", 10, 10)).toEqual([{ kind: "run", id: "a", data: "2", dueMs: 7 }]);
  });

  on("if one record is not as expected, nothing of the call is done", async (rig) => {
    const { engine, item, commits } = rig;
    await engine.saveRecords([put("a", "1"), put("b", "1")]);
    const changes: readonly (readonly RecordChange[])[] = [
      [put("a", "2", { expect: null })],
      [put("a", "2", { expect: "1 " }), put("b", "2")],
      [put("b", "2"), put("c", "2", { expect: "1" })],
      [put("b", "2"), remove("c", "2"), put("a", "2")],
      [put("a", "2", { expect: "1" }), remove("a", "1")],
      [remove("a", "1"), put("a", "2", { expect: "1" })],
      [{ ...put("a", "2"), kind: "other" }, put("a", "3", { expect: "2" })],
      [{ ...put("a", "2", { expect: "1" }), kind: "other" }],
    ];
    for (const each of changes) {
      expect(await ended([engine.publish([item({ idempotencyKey: "k" })], each)])).toEqual([CONFLICT]);
      expect(await ended([engine.saveRecords(each)])).toEqual([CONFLICT]);
    }
    expect(await kept(engine)).toEqual(["a1", "b1"]);
    expect(await engine.top("news")).toMatchObject({ offset: 0 });
    expect(await engine.channels("", 10)).toEqual([]);
    // Nor has the key been used.
    const [result] = await engine.publish([item({ idempotencyKey: "k" })]);
    expect(result).toMatchObject({ offset: 1, duplicate: false });
    expect(commits.flat()).toHaveLength(1);
  });

  on("a call finds what it has changed itself", async ({ engine, item }) => {
    const steps = [put("a", "1", { expect: null }), put("a", "2", { expect: "1" }), remove("a", "2")];
    expect(await ended([engine.publish([item()], [...steps, put("a", "3", { expect: null })])])).toEqual([
      [1],
    ]);
    expect(await kept(engine)).toEqual(["a3"]);
  });

  on("a conflict is no concern of the calls it shares a commit with", async (rig) => {
    const { engine, item, commits } = rig;
    const taken = () => [put("a", "1", { expect: null })];
    const calls = [
      engine.publish([item({ data: '"first"' })]),
      engine.publish([item({ data: '"taken"' })], taken()),
      engine.publish([item({ data: '"late"' }), item({ data: '"later"', channel: "other" })], taken()),
      engine.publish([item({ data: '"between"', channel: "other" })]),
      engine.saveRecords([put("b", "1"), ...taken()]).then(() => []),
      engine.saveRecords([put("b", "2", { expect: null })]).then(() => []),
      engine.publish([item({ data: '"more"' })], [put("a", "2", { expect: "1" })]),
      engine.publish([item({ data: '"last"' })]),
    ];
    expect(await ended(calls)).toEqual([[1], [2], CONFLICT, [1], CONFLICT, [], [3], [4]]);
    const told = commits.flat().map(({ data }) => data);
    expect(told).toEqual(['"first"', '"taken"', '"between"', '"more"', '"last"']);
    expect(await kept(engine)).toEqual(["a2", "b2"]);
  });

  on(
    "repeats are told apart after a conflict too, and its own are none",
    async ({ engine, item, commits }) => {
      const [first] = await engine.publish([item({ idempotencyKey: "k" })]);
      const key = { idempotencyKey: "k" };
      const late = { idempotencyKey: "late" };
      const calls = await Promise.allSettled([
        engine.publish([item(key), item(late)], [put("a", "1", { expect: "0" })]),
        engine.publish([item(), item(key), item(late)]),
      ]);
      expect(calls.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
      const results = calls[1]?.status === "fulfilled" ? calls[1].value : [];
      expect(results.map(({ offset, duplicate }) => [offset, duplicate])).toEqual([
        [2, false],
        [1, true],
        [3, false],
      ]);
      expect(results[1]?.id).toBe(first?.id as string);
      expect(commits.flat().map(({ offset }) => offset)).toEqual([1, 2, 3]);
    },
  );

  on("the changes are made though all publications are repeats", async ({ engine, item, commits }) => {
    const publish = (changes: readonly RecordChange[]) =>
      engine.publish([item({ idempotencyKey: "k" })], changes);
    await publish([put("a", "1")]);
    expect(await publish([put("a", "2", { expect: "1" })])).toMatchObject([{ offset: 1, duplicate: true }]);
    expect(await kept(engine)).toEqual(["a2"]);
    expect(commits.flat()).toHaveLength(1);
  });

  on("what is not stored is announced once the changes are made, or not at all", async (rig) => {
    const { engine, item, commits } = rig;
    const live = () => item({ stored: false });
    const first = engine.publish([live()], [put("a", "1", { expect: null })]);
    const second = engine.publish([live()], [put("a", "2", { expect: null })]);
    expect(commits).toEqual([]);
    expect(await ended([first, second])).toEqual([[0], CONFLICT]);
    expect(commits.flat().map(({ id, offset }) => [id, offset])).toEqual([["p1", 0]]);
    expect(await kept(engine)).toEqual(["a1"]);
  });

  on("it is announced and kept before its call resolves", async ({ engine, item, commits }) => {
    for (let run = 1; run <= 5; run++) {
      await engine.publish([item()], [put("a", String(run))]);
      expect([commits.flat().length, await kept(engine)]).toEqual([run, [`a${run}`]]);
    }
  });

  on("runs that come together share few commits", async ({ engine, item, commits, measured }) => {
    const calls = Array.from({ length: 128 }, (_, run) => {
      const ids = [`lease-${run}`, `next-${run}`, `last-${run}`, `count-${run}`];
      return engine.publish(
        [item({ channel: `c${run}` })],
        [...ids.map((id) => put(id, "1", { expect: null }))],
      );
    });
    await Promise.all(calls);
    expect(commits).toHaveLength(1);
    expect(measured).toEqual([{ items: 128, ms: expect.any(Number) }]);
    expect(await engine.records("run", "", 1_000)).toHaveLength(512);
  });
}
