import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseTagExpression, requiredTags, singleTag, tagProblem, tagTest } from "./tag-expressions.ts";

const fits = (text: string, ...tags: string[]) => {
  const parsed = parseTagExpression(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return tagTest(parsed.expression)(new Set(tags));
};
const said = (text: string) => {
  const parsed = parseTagExpression(text);
  return parsed.ok ? parsed.expression : `no: ${parsed.problem}`;
};

test.each([
  ["tag:a", "tag:a"],
  ["tag:a&tag:b|tag:c", "tag:a & tag:b | tag:c"],
  ["  ( tag:a )  ", "tag:a"],
  ["tag:a & (tag:b & tag:c)", "tag:a & tag:b & tag:c"],
  ["tag:a | (tag:b | tag:c & tag:d)", "tag:a | tag:b | tag:c & tag:d"],
  ["(tag:a | tag:b) & !(tag:c)", "(tag:a | tag:b) & !tag:c"],
  ["!!!tag:a", "!tag:a"],
  ["!(!(tag:a & tag:b)) & tag:c", "tag:a & tag:b & tag:c"],
  ["! ( tag:a & tag:b )", "!(tag:a & tag:b)"],
  ["tag:app:1.2/beta@x~y_z-", "tag:app:1.2/beta@x~y_z-"],
])("%s is kept as %s", (text, normal) => {
  expect(said(text)).toBe(normal);
  expect(said(normal)).toBe(normal);
});

test.each([
  ["", "expected tag:NAME, ! or (, found the end"],
  ["tag:", "a tag is made of 1 to 64"],
  ["tag:a tag:b", 'expected & or |, found "tag:b"'],
  ["tag:a && tag:b", 'expected tag:NAME, ! or (, found "&"'],
  ["tag:a &", "expected tag:NAME, ! or (, found the end"],
  ["(tag:a | tag:b", "expected &, | or ), found the end"],
  ["tag:a)", 'expected & or |, found ")"'],
  ["()", 'expected tag:NAME, ! or (, found ")"'],
  ["android", 'expected tag:NAME, ! or (, found "a"'],
  ["tag:a & tág", 'expected tag:NAME, ! or (, found "t"'],
  ["tag:größe", 'expected & or |, found "ö"'],
  ["tag:a\n", 'expected & or |, found "\\n"'],
  [`tag:${"a".repeat(65)}`, "a tag is made of 1 to 64"],
  [Array.from({ length: 17 }, () => "tag:a").join("|"), "at most 16 tags"],
  [`${"(".repeat(17)}tag:a${")".repeat(17)}`, "at most 16 parentheses may be open"],
  [`tag:a${" ".repeat(496)}`, "at most 500 characters"],
  // Fits as it is typed, but would not with its spaces.
  [Array.from({ length: 16 }, () => `tag:${"a".repeat(26)}`).join("|"), "at most 500 characters"],
])("%j is refused, saying why", (text, problem) => {
  expect(said(text)).toStartWith("no: ");
  expect(said(text)).toContain(problem);
});

test("the longest and the deepest are read", () => {
  expect(said(Array.from({ length: 16 }, (_, at) => `tag:${at}`).join(" & "))).toStartWith("tag:0");
  expect(said(`${"(".repeat(16)}tag:a${")".repeat(16)}`)).toBe("tag:a");
  expect(said(Array(10).fill("((tag:a))").join("&"))).toBe(Array(10).fill("tag:a").join(" & "));
  expect(said(`${"!".repeat(495)}tag:a`)).toBe("!tag:a");
  expect(
    said(
      Array(8)
        .fill(`tag:${"a".repeat(55)}`)
        .join(" & "),
    ),
  ).toHaveLength(493);
});

test("! binds closest, then &, then |", () => {
  expect(fits("tag:a | tag:b & tag:c", "a")).toBe(true);
  expect(fits("tag:a & tag:b | tag:c", "c")).toBe(true);
  expect(fits("!tag:a & tag:b", "b")).toBe(true);
  expect(fits("!tag:a & tag:b")).toBe(false);
  expect(fits("!(tag:a & tag:b)")).toBe(true);
});

test("who has no tags is meant by what they lack", () => {
  expect(fits("!tag:old")).toBe(true);
  expect(fits("tag:old")).toBe(false);
});

test("a text that is no expression fits nobody", () => {
  expect(tagTest("everyone")(new Set(["everyone"]))).toBe(false);
  expect(requiredTags("tag:")).toEqual([]);
  expect(singleTag("tag:")).toBeUndefined();
});

test.each([
  ["tag:a & (tag:b | tag:c)", ["a"], undefined],
  ["tag:a & tag:b & tag:a", ["a", "b"], undefined],
  ["tag:a & tag:b | tag:b & tag:c", ["b"], undefined],
  ["!(!tag:a | tag:b)", ["a"], undefined],
  ["!(!tag:a & !tag:b)", [], undefined],
  ["!tag:a", [], undefined],
  ["tag:a", ["a"], "a"],
])("%s cannot do without %j", (expression, required, single) => {
  expect(requiredTags(expression)).toEqual(required);
  expect(singleTag(expression)).toBe(single as string);
});

/** A text in which everything is in parentheses, and what it says of a set of tags. */
interface Model {
  readonly text: string;
  readonly fits: (tags: ReadonlySet<string>) => boolean;
}

const NAMES = ["a", "b", "c", "d"];
const { model } = fc.letrec<{ model: Model }>((tie) => ({
  model: fc.oneof(
    { maxDepth: 3, depthIdentifier: "model" },
    fc
      .constantFrom(...NAMES)
      .map((tag) => ({ text: `tag:${tag}`, fits: (tags: ReadonlySet<string>) => tags.has(tag) })),
    tie("model").map(({ text, fits }) => ({
      text: `!(${text})`,
      fits: (tags: ReadonlySet<string>) => !fits(tags),
    })),
    fc.tuple(tie("model"), tie("model")).map(([one, other]) => ({
      text: `(${one.text})&(${other.text})`,
      fits: (tags: ReadonlySet<string>) => one.fits(tags) && other.fits(tags),
    })),
    fc.tuple(tie("model"), tie("model")).map(([one, other]) => ({
      text: `( ${one.text} ) | ( ${other.text} )`,
      fits: (tags: ReadonlySet<string>) => one.fits(tags) || other.fits(tags),
    })),
  ),
}));

test("an expression and its normal form say what the model says, and no tag is required in vain", () => {
  const subsets = fc.subarray(NAMES).map((tags) => new Set(tags));
  fc.assert(
    fc.property(model, fc.array(subsets, { minLength: 1 }), ({ text, fits }, sets) => {
      const parsed = parseTagExpression(text);
      fc.pre(parsed.ok);
      const { expression } = parsed;
      expect(parseTagExpression(expression)).toEqual({ ok: true, expression });
      for (const tags of sets) {
        expect(tagTest(expression)(tags)).toBe(fits(tags));
        if (fits(tags)) expect([...tags]).toEqual(expect.arrayContaining([...requiredTags(expression)]));
      }
    }),
    { numRuns: 2_000 },
  );
});

test("any text is read or refused, never thrown at, and what is read reads the same again", () => {
  const token = fc.constantFrom("tag:a", "tag:", "&", "|", "!", "(", ")", " ", "x", "\ud800", "\0");
  const garbage = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(token).map((tokens) => tokens.join("")),
  );
  fc.assert(
    fc.property(garbage, (text) => {
      const parsed = parseTagExpression(text);
      if (parsed.ok) expect(parseTagExpression(parsed.expression)).toEqual(parsed);
      else expect(parsed.problem).not.toBe("");
    }),
    { numRuns: 2_000 },
  );
});

test("a million characters are refused as fast as a few", () => {
  for (const text of ["(", "!", "tag:a&", "tag:a ", " ", "tag:".repeat(2), "&"]) {
    expect(said(text.repeat(1_000_000))).toContain("at most 500 characters");
  }
});

test("more expressions than are kept compiled do no harm", () => {
  for (let at = 0; at < 2_500; at++) expect(fits(`tag:t${at} & !tag:x`, `t${at}`)).toBe(true);
  expect(fits("tag:t0 & !tag:x", "t0")).toBe(true);
});

test("tags are told from other texts", () => {
  expect(tagProblem("beta:2.0/x@y~z_w-")).toBeUndefined();
  for (const text of ["", "a b", "a&b", "ä", "a\n", "a".repeat(65)]) expect(tagProblem(text)).toBeDefined();
});
