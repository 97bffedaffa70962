/** Identifiers. The only place, besides `clock`, where chance comes in. */

import type { Clock } from "./clock.ts";

/** Makes a new id at each call. */
export type NextId = () => string;

/**
 * Ids that are unique across restarts and nodes (48 random bits for the process) and cheap to make by the
 * ten thousand (a counter for the rest). They are names, not secrets.
 */
export function sequentialIds(): NextId {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  const prefix = Buffer.from(bytes).toString("base64url");
  let last = 0;
  return () => `${prefix}-${(++last).toString(36)}`;
}

/** A secret that cannot be guessed: 192 random bits, in letters that survive a shell and a URL. */
export function secret(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString("base64url");
}

/** Ids made in one millisecond before its number is borrowed from the next. */
const IDS_PER_MS = 36 ** 3;

/**
 * Ids that sort by the time they were made, across restarts as well as the clocks do: nine characters of milliseconds,
 * three that count within one, and six for the process. They never go back, also when the clock does.
 */
export function timeOrderedIds(clock: Pick<Clock, "wallMs">): NextId {
  const random = Buffer.from(crypto.getRandomValues(new Uint8Array(5)));
  const suffix = random.readUIntBE(0, 5).toString(36).padStart(8, "0").slice(-6);
  let lastMs = 0;
  let count = 0;
  let prefix = "";
  return () => {
    const nowMs = clock.wallMs();
    count += 1;
    if (nowMs > lastMs || count >= IDS_PER_MS) {
      lastMs = Math.max(nowMs, lastMs + 1);
      count = 0;
      prefix = lastMs.toString(36).padStart(9, "0");
    }
    return `${prefix}${count.toString(36).padStart(3, "0")}${suffix}`;
  };
}

/** A name for something of which there are few, such as an incarnation of a log: 48 random bits. */
export function randomName(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(6))).toString("base64url");
}

/** `count` random letters and digits, 5.95 bits each: what a shell, a URL and a double click take for one word. */
export function randomLetters(count: number): string {
  let letters = "";
  while (letters.length < count) {
    // What lies beyond the last whole alphabet would make its first letters likelier.
    for (const byte of crypto.getRandomValues(new Uint8Array(count))) letters += LETTERS[byte & 63] ?? "";
  }
  return letters.slice(0, count);
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** A number from 0 up to but not 1, by which many that wait are spread over a time. Anybody may guess it. */
export function chance(): number {
  return Math.random();
}
