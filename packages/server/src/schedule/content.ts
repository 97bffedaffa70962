/**
 * What a schedule publishes: a text or any JSON, with names in double braces that are filled in at each run.
 *
 *     const content = compileContent({ text: "Run {{run}} at {{now|HH:mm}}" }, { timeZone });
 *     if (content.ok) content.render({ nowMs, dueAtMs, run: 7, schedule: "nightly" }); // { text: "Run 7 at 09:30" }
 *
 * - `{{now}}`: the time when the run is made, as `yyyy-MM-dd HH:mm:ss` in the schedule's zone.
 * - `{{dueAt}}`: when it was due, as RFC 3339 in UTC: `2026-11-24T09:30:00.000Z`.
 * - `{{run}}`: the run's number, from 1. `{{schedule}}`: the schedule's id.
 *
 * The two times take a format and a zone: `{{now|HH:mm}}`, `{{now|HH:mm|Asia/Tokyo}}`, `{{now||Asia/Tokyo}}`; the letters are in
 * time-format.ts. Spaces around a part do not count. Names are filled in wherever a text stands as a value; the keys of
 * objects stay as they are, and so do braces that are not closed.
 */
import type { Json } from "@carillon/protocol/frames";
import { MAX_DATA_BYTES, MAX_DEPTH } from "@carillon/protocol/limits";
import { printable } from "../lib/printable.ts";
import { type TimeZone, timeZone } from "../lib/zones.ts";
import { parseTimeFormat } from "./time-format.ts";

/** What is known when a run is made. */
export interface RunValues {
  readonly nowMs: number;
  readonly dueAtMs: number;
  /** From 1. */
  readonly run: number;
  /** The schedule's id. */
  readonly schedule: string;
}

export type Content =
  | { readonly ok: true; readonly render: (values: RunValues) => Json }
  | { readonly ok: false; readonly field: "data"; readonly problem: string };

/** The longest id of a schedule, in characters; a content that names it must fit with it. */
export const MAX_SCHEDULE_ID_LENGTH = 64;

const MAX_PROBLEM_LENGTH = 160;

type Render = (values: RunValues) => Json;

/** Text between placeholders, and placeholders. */
export type TemplatePart =
  | string
  | { readonly whole: string; readonly name: string; readonly args: string[] };

const PLACEHOLDER = /\{\{([^{}]*)\}\}/g;

/** Takes `source` apart; what its names mean is not looked at. */
export function splitTemplate(source: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let end = 0;
  for (const { 0: whole, 1: inside = "", index } of source.matchAll(PLACEHOLDER)) {
    if (index > end) parts.push(source.slice(end, index));
    const [name = "", ...args] = inside.split("|").map((part) => part.trim());
    parts.push({ whole, name, args });
    end = index + whole.length;
  }
  if (end < source.length) parts.push(source.slice(end));
  return parts;
}

/**
 * Compiles the data of a schedule whose zone is `context.timeZone`; a problem (an unknown name, format or zone, or data that
 * might be too large when filled in) is one line for people. Never throws.
 */
export function compileContent(data: Json, context: { readonly timeZone: string }): Content {
  const zone = timeZone(context.timeZone);
  if (zone === undefined) return refuse(`no such time zone: ${context.timeZone}`);
  const compiler = new Compiler(zone);
  const render = compiler.compile(data, 1);
  if (compiler.problem !== undefined) return refuse(compiler.problem);
  if (data === "") return refuse("the text is empty");
  const bytes = Buffer.byteLength(JSON.stringify(data)) + compiler.growth;
  if (bytes > MAX_DATA_BYTES) return refuse(`up to ${bytes} bytes, at most ${MAX_DATA_BYTES} are allowed`);
  return { ok: true, render: render ?? (() => data) };
}

/** Problems quote what was written, which may be long and hold line breaks. */
function refuse(problem: string): Content {
  const line = printable(
    problem.length > MAX_PROBLEM_LENGTH ? `${problem.slice(0, MAX_PROBLEM_LENGTH)}…` : problem,
  );
  return { ok: false, field: "data", problem: line };
}

interface Filler {
  readonly render: (values: RunValues) => string;
  readonly maxLength: number;
}

/** Walks through a content once. What has no names in it is not touched again. */
class Compiler {
  /** The first thing that is wrong. */
  problem: string | undefined;
  /** Bytes that the content may gain by being filled in. */
  growth = 0;
  readonly #zone: TimeZone;

  constructor(zone: TimeZone) {
    this.#zone = zone;
  }

  /** How to render `value`; `undefined` if it stays as it is, or is refused. */
  compile(value: Json, depth: number): Render | undefined {
    if (typeof value === "string") return this.#compileText(value);
    if (typeof value !== "object" || value === null) return undefined;
    if (depth > MAX_DEPTH) {
      this.problem ??= `nested more than ${MAX_DEPTH} deep`;
      return undefined;
    }
    const entries = Object.entries(value as Readonly<Record<string, Json>>);
    const renders = entries.map(([, each]) => this.compile(each, depth + 1));
    if (renders.every((render) => render === undefined)) return undefined;
    const renderEach = (values: RunValues) =>
      entries.map(([key, each], at): [string, Json] => [key, renders[at]?.(values) ?? each]);
    if (Array.isArray(value)) return (values) => renderEach(values).map(([, each]) => each);
    return (values) => Object.fromEntries(renderEach(values));
  }

  #compileText(source: string): Render | undefined {
    const parts = splitTemplate(source);
    if (parts.every((part) => typeof part === "string")) return undefined;
    const pieces = parts.map((part) => {
      if (typeof part === "string") return part;
      const filler = this.#filler(part.name, part.args);
      if (typeof filler === "string") {
        this.problem ??= `${filler} in ${part.whole}`;
        return "";
      }
      this.growth += Math.max(0, filler.maxLength - part.whole.length);
      return filler.render;
    });
    return (values) => {
      let text = "";
      for (const piece of pieces) text += typeof piece === "string" ? piece : piece(values);
      return text;
    };
  }

  /** What fills in a name, or what is wrong with it. */
  #filler(name: string, args: readonly string[]): Filler | string {
    if (name === "now" || name === "dueAt") return this.#time(name, args);
    if (name !== "run" && name !== "schedule") return "unknown name";
    if (args.length > 0) return `${name} takes no format`;
    if (name === "run") return { render: ({ run }) => `${run}`, maxLength: 16 };
    return { render: ({ schedule }) => schedule, maxLength: MAX_SCHEDULE_ID_LENGTH };
  }

  #time(name: "now" | "dueAt", [pattern = "", zoneName = "", ...more]: readonly string[]): Filler | string {
    if (more.length > 0) return "more than a format and a zone";
    const zone = zoneName === "" ? this.#zone : timeZone(zoneName);
    if (zone === undefined) return `no such time zone: ${zoneName}`;
    if (name === "dueAt" && pattern === "" && zoneName === "") {
      return { render: ({ dueAtMs }) => new Date(dueAtMs).toISOString(), maxLength: 24 };
    }
    const usual = name === "now" ? "yyyy-MM-dd HH:mm:ss" : "yyyy-MM-dd'T'HH:mm:ss.SSSxxx";
    const parsed = parseTimeFormat(pattern === "" ? usual : pattern);
    if (!parsed.ok) return parsed.problem;
    const { render, maxLength } = parsed.format;
    const atOf = name === "now" ? (values: RunValues) => values.nowMs : (values: RunValues) => values.dueAtMs;
    return { render: (values) => render(atOf(values), zone), maxLength };
  }
}
