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
