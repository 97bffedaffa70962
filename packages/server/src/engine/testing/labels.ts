/** The part of the suite that is about the labels of records. */
import { expect } from "bun:test";
import type { Engine, EngineError, RecordChange } from "../engine.ts";
import type { On } from "./bed.ts";

const put = (id: string, labels?: readonly string[], kind = "device"): RecordChange => ({
  ...{ kind, id, data: `"${id}"` },
  ...(labels !== undefined && { labels }),
});

const idsOf = async (engine: Engine, label: string, after = "", limit = 10) =>
  (await engine.labelled("device", label, after, limit)).map(({ id }) => id);

/** Which records carry each label, by its name, and that each is counted. */
async function carriers(engine: Engine, ...labels: readonly string[]) {
  const found = [];
  for (const label of labels) {
    const ids = await idsOf(engine, label);
    expect(await engine.countLabelled("device", label)).toBe(ids.length);
    found.push(ids.join());
  }
  return found;
}

export function describeLabels(on: On): void {
  on("records are found by a label, by id, page by page", async ({ engine }) => {
    const ids = ["b", "a/1", "~", "A", "a"];
    await engine.saveRecords([...ids.map((id) => put(id, ["tag:x", "tag:y"])), put("other", ["tag:xy"])]);
    await engine.saveRecords([put("key", ["tag:x"], "key")]);
    expect(await idsOf(engine, "tag:x", "", 3)).toEqual(["A", "a", "a/1"]);
    expect(await idsOf(engine, "tag:x", "a/1", 3)).toEqual(["b", "~"]);
    expect(await idsOf(engine, "tag:x", "a0", 1)).toEqual(["b"]);
    expect(await idsOf(engine, "tag:x", "~", 3)).toEqual([]);
    expect(await carriers(engine, "tag:", "tag:xy", "tag:z", "")).toEqual(["", "other", "", ""]);
    expect(await engine.countLabelled("device", "tag:x")).toBe(5);
    expect(await engine.countLabelled("key", "tag:x")).toBe(1);
    expect(await engine.countLabelled("none", "tag:x")).toBe(0);
    expect(await engine.labelled("none", "tag:x", "", 10)).toEqual([]);
  });

  on("a record is told with its labels wherever it is found", async ({ engine }) => {
    const record = { kind: "device", id: "a", data: "1", dueMs: 5, labels: ["user:ann", 'tag:"!', "tag:b"] };
    await engine.saveRecords([record, put("b"), put("c", [])]);
    expect(await engine.record("device", "a")).toStrictEqual(record);
    expect(await engine.labelled("device", 'tag:"!', "", 10)).toStrictEqual([record]);
    expect(await engine.due("device", 5, 10)).toStrictEqual([record]);
    expect((await engine.records("device", "", 10))[0]).toStrictEqual(record);
    for (const id of ["b", "c"]) {
      expect(await engine.record("device", id)).toStrictEqual({ kind: "device", id, data: `"${id}"` });
    }
  });

  on("a save replaces the labels, and one that says none takes them off", async ({ engine }) => {
    const all = () => carriers(engine, "x", "y", "z");
    await engine.saveRecords([put("a", ["x", "y"]), put("b", ["y"])]);
    expect(await all()).toEqual(["a", "a,b", ""]);
    await engine.saveRecords([put("a", ["y", "z"])]);
    expect(await all()).toEqual(["", "a,b", "a"]);
    await engine.saveRecords([put("a", ["z"]), put("b")]);
    expect(await all()).toEqual(["", "", "a"]);
    await engine.saveRecords([{ kind: "device", id: "a", data: undefined }]);
    expect(await all()).toEqual(["", "", ""]);
    await engine.saveRecords([put("a", ["x"]), put("a", ["y"]), put("b", ["x"]), put("c", ["x", "x"])]);
    expect(await all()).toEqual(["b,c", "a", ""]);
    await engine.saveRecords([put("a"), put("b", []), put("c", ["z"]), put("a", ["y"])]);
    expect(await all()).toEqual(["", "a", "c"]);
  });

  on("where a record is not as expected, no labels change", async ({ engine }) => {
    await engine.saveRecords([put("a", ["x"])]);
    const changes = [put("b", ["x"]), { ...put("a", ["y"]), expect: "0" }];
    const refused = await engine.saveRecords(changes).catch((error: EngineError) => error.code);
    expect(refused).toBe("conflict");
    expect(await carriers(engine, "x", "y")).toEqual(["a", ""]);
    await engine.savePositions([], [{ ...put("a", ["y"]), expect: '"a"' }]);
    expect(await carriers(engine, "x", "y")).toEqual(["", "a"]);
  });
}
