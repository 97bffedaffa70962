import { expect, test } from "bun:test";
import type { Json } from "@carillon/protocol/frames";
import { MAX_DATA_BYTES } from "@carillon/protocol/limits";
import fc from "fast-check";
import { compileContent, type RunValues } from "./content.ts";

const values: RunValues = {
  nowMs: Date.UTC(2026, 10, 24, 9, 31, 5, 250),
  dueAtMs: Date.UTC(2026, 10, 24, 9, 30),
  run: 7,
  schedule: "nightly",
};

function render(data: Json, timeZone = "UTC"): Json {
  const content = compileContent(data, { timeZone });
  if (!content.ok) throw new Error(content.problem);
  return content.render(values);
}

test.each<[Json, Json]>([
  ["at {{now}}", "at 2026-11-24 10:31:05"],
  ["{{dueAt}}", "2026-11-24T09:30:00.000Z"],
  ["{{run}} of {{schedule}}{{run}}", "7 of nightly7"],
  ["{{now|HH:mm}}", "10:31"],
  ["{{ now | HH:mm | Asia/Tokyo }}", "18:31"],
  ["{{now||Asia/Tokyo}}", "2026-11-24 18:31:05"],
  ["{{dueAt||Asia/Kolkata}}", "2026-11-24T15:00:00.000+05:30"],
  ["{{dueAt|EEE d MMM}}", "Tue 24 Nov"],
  ["no names, {one} brace, }} and $& $1 {{", "no names, {one} brace, }} and $& $1 {{"],
  [
    { a: ["{{run}}", { b: "x" }], n: 1, ok: true, none: null },
    { a: ["7", { b: "x" }], n: 1, ok: true, none: null },
  ],
  [{ "{{run}}": 1 }, { "{{run}}": 1 }],
  [[], []],
  [0, 0],
])("%j renders as %j", (data, expected) => {
  expect(render(data, "Europe/Berlin")).toEqual(expected);
});

test("a key called __proto__ stays a key", () => {
  const data = JSON.parse('{"__proto__":{"x":"{{run}}"}}') as Json;
  expect(JSON.stringify(render(data))).toBe('{"__proto__":{"x":"7"}}');
});

test.each<[Json, string]>([
  ["", "empty"],
  ["{{then}}", "unknown name in {{then}}"],
  ["{{}}", "unknown name in {{}}"],
  ["{{first}} {{second}}", "unknown name in {{first}}"],
  ["{{constructor}}", "unknown name"],
  [{ deep: [[{ text: "{{nwo}}" }]] }, "unknown name in {{nwo}}"],
  ["{{run|HH}}", "run takes no format in {{run|HH}}"],
  ["{{now|YYYY}}", "unknown letters YYYY"],
  ["{{now|HH|Mars/Olympus}}", "no such time zone: Mars/Olympus"],
  ["{{now|HH|UTC|x}}", "more than a format and a zone"],
  ["x".repeat(MAX_DATA_BYTES - 1), `at most ${MAX_DATA_BYTES}`],
  ["时".repeat(MAX_DATA_BYTES / 3), `at most ${MAX_DATA_BYTES}`],
  [`${"x".repeat(MAX_DATA_BYTES - 9)}{{now}}`, `at most ${MAX_DATA_BYTES}`],
  [`{{${"very\nlong".repeat(1_000)}}}`, "unknown name"],
])("%j is refused, naming why", (data, reason) => {
  const content = compileContent(data, { timeZone: "UTC" });
  const problem = content.ok ? "" : content.problem;
  expect(problem).toContain(reason);
  expect(problem).toMatch(/^.{1,200}$/);
});

test("what is nested too deep is refused before a parser's stack runs out", () => {
  let deep: Json = "{{now}}";
  for (let level = 0; level < 100_000; level++) deep = [deep];
  expect(compileContent(deep, { timeZone: "UTC" })).toMatchObject({ ok: false, field: "data" });
});

test("the largest data that is taken is not too large when it is filled in", () => {
  const widest = {
    nowMs: Date.UTC(2026, 8, 30, 22),
    dueAtMs: 0,
    run: Number.MAX_SAFE_INTEGER,
    schedule: "x".repeat(64),
  };
  for (const name of [
    "now",
    "dueAt",
    "run",
    "schedule",
    "now|EEEE d MMMM yyyy HH:mm:ss.SSSxxx",
    "now|'\"'\"\n",
  ]) {
    for (let length = MAX_DATA_BYTES - 120; length < MAX_DATA_BYTES; length++) {
      const content = compileContent(`${"x".repeat(length)}{{${name}}}`, { timeZone: "UTC" });
      if (!content.ok) break;
      expect(Buffer.byteLength(JSON.stringify(content.render(widest)))).toBeLessThanOrEqual(MAX_DATA_BYTES);
    }
  }
});

test("data without names is handed on as it is", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (data) => {
      fc.pre(data !== "" && !JSON.stringify(data).includes("{{"));
      expect(render(data as Json)).toBe(data as Json);
    }),
  );
});

test("names are filled in wherever a text is, and nothing else changes", () => {
  const text = fc.oneof(
    fc.string().filter((each) => each !== "" && !each.includes("{{")),
    fc.constantFrom("{{run}}", "is {{ schedule }}."),
  );
  const { tree } = fc.letrec<{ tree: Json; array: Json[]; object: Record<string, Json> }>((tie) => ({
    tree: fc.oneof({ maxDepth: 4 }, text, fc.integer(), fc.constant(null), tie("array"), tie("object")),
    array: fc.array(tie("tree")),
    object: fc.dictionary(fc.string(), tie("tree")),
  }));
  fc.assert(
    fc.property(tree, (data) => {
      const expected = JSON.stringify(data)
        .replaceAll("{{run}}", "7")
        .replaceAll("{{ schedule }}", "nightly");
      // Keys are made of any letters too, but none of them holds a name.
      expect(JSON.stringify(render(data))).toBe(expected);
    }),
  );
});
