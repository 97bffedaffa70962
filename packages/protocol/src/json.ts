/**
 * The codec of `carillon.v1`: frames to and from JSON. Pure; nothing here throws.
 *
 *     const parsed = parseCommand('{"type":"ping","id":1}');
 *     if (parsed.ok) parsed.command; // { type: "ping", id: 1 }
 *
 * What goes to many is put together from parts that are encoded once: a publication's JSON is the same in a live push, in
 * a page and in a history reply.
 */
import { type CommandError, commandProblem, type Fields } from "./commands.ts";
import type { Command, Gap, Push, Reply, ServerFrame } from "./frames.ts";
import { MAX_DATA_BYTES, MAX_DEPTH } from "./limits.ts";
import type { Offsets } from "./position.ts";
import { isServerFrame } from "./server-frames.ts";

export type ParsedCommand =
  | { readonly ok: true; readonly command: Command }
  | { readonly ok: false; readonly error: CommandError };

/** Reads one frame of a client. */
export function parseCommand(frame: string): ParsedCommand {
  const fields = parseObject(frame);
  if (fields === undefined) return refuse({ code: "bad_frame", message: "not a JSON object" });
  const problem = commandProblem(fields);
  if (problem !== undefined) return refuse(problem);
  const command = fields as unknown as Command;
  // A letter may be three bytes of UTF-8, and `1e20` is written out as 21 digits: what is a sixth of the limit in letters
  // cannot be over it in bytes.
  if (command.type === "publish" && frame.length > MAX_DATA_BYTES / 6) return checkSize(command);
  return { ok: true, command };
}

function checkSize(command: Extract<Command, { type: "publish" }>): ParsedCommand {
  const bytes = byteLength(JSON.stringify(command.data));
  if (bytes <= MAX_DATA_BYTES) return { ok: true, command };
  const message = `data: ${bytes} bytes, at most ${MAX_DATA_BYTES} are allowed`;
  return refuse({ id: command.id, code: "payload_too_large", message });
}

function refuse(error: CommandError): ParsedCommand {
  return { ok: false, error };
}

/** Reads one frame of a server; `undefined` for one that is not understood, which a client ignores. */
export function parseServerFrame(frame: string): ServerFrame | undefined {
  try {
    const value: unknown = JSON.parse(frame);
    return isServerFrame(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function parseObject(frame: string): Fields | undefined {
  if (isDeep(frame)) return undefined;
  try {
    const value: unknown = JSON.parse(frame);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A list is none. */
function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether brackets outside of texts are nested more than `MAX_DEPTH` deep; looked at before a parser recurses. */
export function isDeep(json: string): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < json.length; at++) {
    const letter = json.charCodeAt(at);
    if (inText) {
      if (letter === BACKSLASH) at += 1;
      else if (letter === QUOTE) inText = false;
    } else if (letter === QUOTE) inText = true;
    else if (letter === OPEN_BRACKET || letter === OPEN_BRACE) {
      depth += 1;
      if (depth > MAX_DEPTH) return true;
    } else if (letter === CLOSE_BRACKET || letter === CLOSE_BRACE) depth -= 1;
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** A command, reply or push as a frame. */
export function encodeFrame(frame: Command | Reply | Push): string {
  return JSON.stringify(frame);
}

/** A publication as the server has it. */
export interface EncodablePublication {
  readonly id: string;
  /** 0 where it was not stored. */
  readonly offset: number;
  readonly prev: number;
  readonly timeMs: number;
  /** JSON. */
  readonly data: string;
  /** A JSON object with the other fields, or "". */
  readonly meta: string;
}

/** The JSON of a `Publication`. */
export function encodePublication({ id, offset, prev, timeMs, data, meta }: EncodablePublication): string {
  const place = offset > 0 ? `"offset":${offset},"prev":${prev},` : "";
  const rest = meta.length > "{}".length ? `,${meta.slice(1, -1)}` : "";
  return `{"id":"${id}",${place}"time":"${new Date(timeMs).toISOString()}","data":${data}${rest}}`;
}

/** A live push of a publication that is encoded already. Channel names need no escaping. */
export function encodePublicationFrame(channel: string, publication: string): string {
  return `{"type":"publication","channel":"${channel}","publication":${publication}}`;
}

/** A page whose publications are encoded already. */
export interface EncodablePage {
  readonly epoch: string;
  readonly publications: readonly string[];
  readonly to: number | Offsets;
  readonly more: boolean;
  readonly gap?: Gap;
}

export function encodePageFrame(channel: string, page: EncodablePage): string {
  return `{"type":"page","channel":"${channel}",${pageFields(page)}}`;
}

export function encodeHistoryReply(id: number, channel: string, page: EncodablePage): string {
  return `{"type":"history","id":${id},"channel":"${channel}",${pageFields(page)}}`;
}

function pageFields({ epoch, publications, to, more, gap }: EncodablePage): string {
  const told = gap === undefined ? "" : `,"gap":${JSON.stringify(gap)}`;
  const list = publications.join(",");
  const end = typeof to === "number" ? to : `[${to}]`;
  return `"epoch":${JSON.stringify(epoch)},"publications":[${list}],"to":${end},"more":${more}${told}`;
}

/** What a plain-text client is sent: a text as it is, anything else as JSON. */
export function textOf(data: string): string {
  return data.startsWith('"') ? (JSON.parse(data) as string) : data;
}

/** Bytes of UTF-8, counted without a runtime's help: this package knows neither DOM nor Bun. */
export function byteLength(text: string): number {
  let bytes = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if ((text.codePointAt(at) ?? unit) > 0xffff) {
      bytes += 4;
      at += 1;
    } else bytes += 3;
  }
  return bytes;
}
