/** The part of the suite that is about records. */
import { expect } from "bun:test";
import type { On } from "./bed.ts";

export function describeRecords(on: On): void {
  on("records are listed by kind and id, page by page", async ({ engine }) => {
    const of = (kind: string, ids: readonly string[]) =>
      ids.map((id) => ({ kind, id, data: `"${kind} ${id}"` }));
    await engine.saveRecords([...of("key", ["b", "a/1", "~", "A", "a"]), ...of("hook", ["a"])]);
    expect(await engine.records("key", "", 3)).toEqual(of("key", ["A", "a", "a/1"]));
    expect(await engine.records("key", "a/1", 3)).toEqual(of("key", ["b", "~"]));
    expect(await engine.records("key", "~", 3)).toEqual([]);
    expect(await engine.records("hook", "", 3)).toEqual(of("hook", ["a"]));
    expect(await engine.records("ke", "", 3)).toEqual([]);
  });

  on("a record is replaced, removed, and made again, in the order that was asked", async ({ engine }) => {
    const save = (...all: readonly (string | undefined)[]) =>
      engine.saveRecords(all.map((data) => ({ kind: "key", id: "a", data }) as never));
    const kept = async () => (await engine.records("key", "", 10)).map(({ data }) => data);
    await save("1");
    await save("2");
    expect(await kept()).toEqual(["2"]);
    await save(undefined);
    expect(await kept()).toEqual([]);
    await save(undefined);
    await save("3", undefined, "4");
    expect(await kept()).toEqual(["4"]);
    await Promise.all([save("5"), save("6", undefined), save("7")]);
    expect(await kept()).toEqual(["7"]);
  });

  on("a record is found by its kind and id, and one that is not there is not", async ({ engine }) => {
    const record = { kind: "key", id: "a", data: '"ü"' };
    await engine.saveRecords([record, { ...record, id: "b", dueMs: 5 }]);
    expect(await engine.record("key", "a")).toStrictEqual(record);
    expect(await engine.record("key", "b")).toStrictEqual({ ...record, id: "b", dueMs: 5 });
    expect(await engine.record("key", "c")).toBeUndefined();
    expect(await engine.record("hook", "a")).toBeUndefined();
  });

  on("what is due comes by its time, then by its id, up to the time that was asked", async ({ engine }) => {
    const at = (id: string, dueMs: number, kind = "run") => ({ kind, id, data: `"${id}"`, dueMs });
    const [early, one, other, late] = [at("z", 1), at("a", 4e12), at("b", 4e12), at("c", 4e12 + 1)];
    const never = { kind: "run", id: "never", data: "0" };
    await engine.saveRecords([late, never, other, early, one, at("d", 2, "hook")]);
    expect(await engine.due("run", 4e12, 10)).toStrictEqual([early, one, other]);
    expect(await engine.due("run", 4e12 - 1, 10)).toEqual([early]);
    expect(await engine.due("run", Number.MAX_SAFE_INTEGER, 2)).toEqual([early, one]);
    expect(await engine.due("run", Number.MAX_SAFE_INTEGER, 10)).toEqual([early, one, other, late]);
    expect(await engine.due("run", 0, 10)).toEqual([]);
    expect(await engine.due("none", Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
  });

  on("a record that is put anew is due when that says, or never", async ({ engine }) => {
    const record = { kind: "run", id: "a", data: "0" };
    const due = async () => (await engine.due("run", 100, 10)).map(({ dueMs }) => dueMs);
    for (const dueMs of [5, 7, 3]) {
      await engine.saveRecords([{ ...record, dueMs }]);
      expect(await due()).toEqual([dueMs]);
    }
    await engine.saveRecords([record]);
    expect(await due()).toEqual([]);
    expect(await engine.record("run", "a")).toStrictEqual(record);
    await engine.saveRecords([{ ...record, dueMs: 9 }]);
    expect(await due()).toEqual([9]);
    await engine.saveRecords([{ ...record, data: undefined }]);
    expect(await due()).toEqual([]);
  });

  on("records and publications that come together are all kept", async ({ engine, item, commits }) => {
    const saving = engine.saveRecords([{ kind: "key", id: "a", data: '{"ü":"\\n"}' }]);
    const publishing = engine.publish([item()]);
    await saving;
    expect(await engine.records("key", "", 1)).toEqual([{ kind: "key", id: "a", data: '{"ü":"\\n"}' }]);
    expect(await publishing).toMatchObject([{ offset: 1 }]);
    expect(commits.flat()).toHaveLength(1);
    expect(await engine.channels("", 10)).toHaveLength(1);
  });
}
