/**
 * Expressions over the tags of devices, by which publications to `everyone` are kept to some.
 *
 *     tag:android & (tag:beta | tag:staff) & !tag:old
 *
 * `!` binds closest, then `&`, then `|`; spaces do not matter. What is kept is the normal form: one space around `&` and `|`,
 * no parentheses without need, no two `!` in a row. Equal normal forms fit the same tags.
 */

/** What an expression says; `all` and `any` have two or more parts. */
type Expression =
  | { readonly kind: "tag"; readonly tag: string }
  | { readonly kind: "not"; readonly part: Expression }
  | { readonly kind: "all" | "any"; readonly parts: readonly Expression[] };

/** The normal form, or in a line for people why there is none. */
export type ParsedExpression =
  | { readonly ok: true; readonly expression: string }
  | { readonly ok: false; readonly problem: string };

/** Whether a device with these tags is meant. */
export type TagTest = (tags: ReadonlySet<string>) => boolean;

const MAX_TERMS = 16;
const MAX_LENGTH = 500;
/** Parentheses in parentheses: 16 terms need no more, and the parser's own depth is bounded by it. */
const MAX_DEPTH = 16;

const TAG = /^[A-Za-z0-9_.:/@~-]{1,64}$/;
/** A tag, a sign, or anything else that is not a space. */
const TOKENS = /tag:[A-Za-z0-9_.:/@~-]*|[^ ]/gu;

/** Why `text` is not a device's tag, in one line for people; `undefined` if it is one. */
export function tagProblem(text: string): string | undefined {
  return TAG.test(text) ? undefined : "a tag is made of 1 to 64 of A-Z a-z 0-9 _ - . : / @ ~";
}

/** Reads what a user typed: at most 16 terms and 500 characters, also in the normal form. Never throws. */
export function parseTagExpression(text: string): ParsedExpression {
  const parsed = parse(text);
  return "problem" in parsed
    ? { ok: false, problem: parsed.problem }
    : { ok: true, expression: print(parsed) };
}

/** The test that an expression is; a text that is none fits nobody. Compiled once for as long as it is used. */
export function tagTest(expression: string): TagTest {
  return compiled(expression).test;
}

/** The tags without which nothing fits, each once: `a & (b | c)` has `a`. None says nothing. */
export function requiredTags(expression: string): readonly string[] {
  return compiled(expression).required;
}

/** The tag that is all that an expression says, if it is so simple. */
export function singleTag(expression: string): string | undefined {
  return compiled(expression).single;
}

interface Compiled {
  readonly test: TagTest;
  readonly required: readonly string[];
  readonly single: string | undefined;
}

/** Expressions kept compiled: at about 1 KB each, a publisher who makes up new ones cannot fill the memory. */
const MAX_COMPILED = 1_000;
const cache = new Map<string, Compiled>();

function compiled(text: string): Compiled {
  const known = cache.get(text);
  if (known !== undefined) return known;
  const made = compile(text);
  if (cache.size >= MAX_COMPILED) cache.clear();
  cache.set(text, made);
  return made;
}

function compile(text: string): Compiled {
  const expression = parse(text);
  if ("problem" in expression) return { test: () => false, required: [], single: undefined };
  return {
    test: testOf(expression),
    required: requiredBy(expression, true),
    single: expression.kind === "tag" ? expression.tag : undefined,
  };
}

function testOf(expression: Expression): TagTest {
  switch (expression.kind) {
    case "tag": {
      const { tag } = expression;
      return (tags) => tags.has(tag);
    }
    case "not": {
      const test = testOf(expression.part);
      return (tags) => !test(tags);
    }
    case "all": {
      const tests = expression.parts.map(testOf);
      return (tags) => tests.every((test) => test(tags));
    }
    case "any": {
      const tests = expression.parts.map(testOf);
      return (tags) => tests.some((test) => test(tags));
    }
  }
}

/** The tags that are there whenever `expression` is `holds`. */
function requiredBy(expression: Expression, holds: boolean): readonly string[] {
  if (expression.kind === "tag") return holds ? [expression.tag] : [];
  if (expression.kind === "not") return requiredBy(expression.part, !holds);
  const lists = expression.parts.map((part) => requiredBy(part, holds));
  // Of `all`, every part holds; that it does not hold may be any part's doing.
  if ((expression.kind === "all") === holds) return [...new Set(lists.flat())];
  return lists.reduce((one, other) => one.filter((tag) => other.includes(tag)));
}

function print(expression: Expression, within: "all" | "any" | "not" | "nothing" = "nothing"): string {
  switch (expression.kind) {
    case "tag":
      return `tag:${expression.tag}`;
    case "not":
      return `!${print(expression.part, "not")}`;
    case "all": {
      const text = expression.parts.map((part) => print(part, "all")).join(" & ");
      return within === "not" ? `(${text})` : text;
    }
    case "any": {
      const text = expression.parts.map((part) => print(part, "any")).join(" | ");
      return within === "not" || within === "all" ? `(${text})` : text;
    }
  }
}

type Problem = { readonly problem: string };

function parse(text: string): Expression | Problem {
  const tooLong = {
    problem: `a tag expression has at most ${MAX_LENGTH} characters, with a space around & and |`,
  };
  if (text.length > MAX_LENGTH) return tooLong;
  const tokens = text.match(TOKENS) ?? [];
  if (tokens.filter((token) => token.startsWith("tag:")).length > MAX_TERMS) {
    return { problem: `a tag expression has at most ${MAX_TERMS} tags` };
  }
  const parser = new Parser(tokens);
  const parsed = parser.whole();
  return "problem" in parsed || print(parsed).length <= MAX_LENGTH ? parsed : tooLong;
}

class Parser {
  readonly #tokens: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  whole(): Expression | Problem {
    const parsed = this.#any();
    if ("problem" in parsed || this.#at === this.#tokens.length) return parsed;
    return this.#expected("& or |");
  }

  #any(): Expression | Problem {
    return this.#joined("any", "|", () => this.#joined("all", "&", () => this.#one()));
  }

  /** One or more of what `next` reads, with `sign` between them. */
  #joined(kind: "all" | "any", sign: string, next: () => Expression | Problem): Expression | Problem {
    const parts: Expression[] = [];
    do {
      const part = next();
      if ("problem" in part) return part;
      parts.push(part);
    } while (this.#take(sign));
    const [only] = parts;
    return only !== undefined && parts.length === 1 ? only : { kind, parts };
  }

  #one(): Expression | Problem {
    let isNegated = false;
    while (this.#take("!")) isNegated = !isNegated;
    const part = this.#take("(") ? this.#inParentheses() : this.#tag();
    if (!isNegated || "problem" in part) return part;
    return part.kind === "not" ? part.part : { kind: "not", part };
  }

  #inParentheses(): Expression | Problem {
    if (this.#depth === MAX_DEPTH) return { problem: `at most ${MAX_DEPTH} parentheses may be open` };
    this.#depth += 1;
    const part = this.#any();
    this.#depth -= 1;
    return "problem" in part || this.#take(")") ? part : this.#expected("&, | or )");
  }

  #tag(): Expression | Problem {
    const token = this.#tokens[this.#at];
    if (token?.startsWith("tag:") !== true) return this.#expected("tag:NAME, ! or (");
    const tag = token.slice("tag:".length);
    const problem = tagProblem(tag);
    if (problem !== undefined) return { problem };
    this.#at += 1;
    return { kind: "tag", tag };
  }

  #take(sign: string): boolean {
    if (this.#tokens[this.#at] !== sign) return false;
    this.#at += 1;
    return true;
  }

  #expected(what: string): Problem {
    const found = this.#tokens[this.#at];
    return { problem: `expected ${what}, found ${found === undefined ? "the end" : JSON.stringify(found)}` };
  }
}
