/** What is read from files and from standard input: text, bounded, and UTF-8 or an error. */
import { ConfigError } from "../config.ts";

/** Bytes of a file as they are asked for. */
export async function* openFile(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* Bun.file(path).stream();
  } catch (error) {
    throw new ConfigError(`--file ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * All of `input` as text, without one newline at its end.
 * @throws {ConfigError} if it is longer than `mostBytes` or not UTF-8; nothing further is read then.
 */
export async function readText(
  input: AsyncIterable<Uint8Array>,
  source: string,
  mostBytes: number,
): Promise<string> {
  const decode = utf8(source);
  let text = "";
  let bytes = 0;
  for await (const chunk of input) {
    bytes += chunk.length;
    if (bytes > mostBytes + "\r\n".length) throw tooLong(source, mostBytes);
    text += decode(chunk);
  }
  return (text + decode()).replace(/\r?\n$/, "");
}

export interface Line {
  /** From 1. */
  readonly number: number;
  readonly text: string;
}

/**
 * The lines of `input` that are not empty, as many at a time as have come in together.
 * @throws {ConfigError} if one is longer than `mostBytes`, or if it is not UTF-8.
 */
export async function* linesOf(
  input: AsyncIterable<Uint8Array>,
  source: string,
  mostBytes: number,
): AsyncGenerator<readonly Line[]> {
  const decode = utf8(source);
  let number = 0;
  let rest = "";
  const numbered = (texts: readonly string[]) =>
    texts
      .map((text) => ({ number: ++number, text: text.replace(/\r$/, "") }))
      .filter(({ text }) => text !== "");
  for await (const chunk of input) {
    const parts = (rest + decode(chunk)).split("\n");
    rest = parts.pop() ?? "";
    yield numbered(parts);
    if (rest.length > mostBytes) throw tooLong(`${source}, line ${number + 1}`, mostBytes);
  }
  yield numbered([rest + decode()]);
}

function tooLong(source: string, mostBytes: number): ConfigError {
  return new ConfigError(`${source}: longer than the ${mostBytes} bytes that a publication may have`);
}

function utf8(source: string): (chunk?: Uint8Array) => string {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  return (chunk) => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch {
      throw new ConfigError(`${source}: not UTF-8`);
    }
  };
}
