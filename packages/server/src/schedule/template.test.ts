import { expect, test } from "bun:test";
import { compileTemplate } from "./template.ts";

const now = "2026-11-24 09:30:00";

test.each([
  ["Server push message at {{now}}", `Server push message at ${now}`],
  ["{{now}} {{ now }}", `${now} ${now}`],
  ["no names, {one} brace, }} and $& $1", "no names, {one} brace, }} and $& $1"],
  ['{"at":"{{now}}"}', `{"at":"${now}"}`],
])("%j renders", (source, expected) => {
  const template = compileTemplate(source);
  expect(template.ok && template.render({ now })).toBe(expected);
});

test.each([
  ["", "empty"],
  ["{{then}}", "{{then}}"],
  ["{{}}", "{{}}"],
  ["{{constructor}}", "{{constructor}}"],
  ["x".repeat(65_537), "65536 bytes"],
  ["时".repeat(21_846), "65536 bytes"],
])("%j is refused, naming why", (source, reason) => {
  const template = compileTemplate(source);
  expect(template.ok ? "" : template.problem).toContain(reason);
});
