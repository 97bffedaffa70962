/** Whether a file is a whole SQLite database, as far as its size and its first bytes tell. The server looks closer. */

/** The bytes that `databaseProblem` wants to see. */
export const HEADER_BYTES = 100;

const MAGIC = "SQLite format 3\0";
const PAGE_SIZE_AT = 16;
const CHANGES_AT = 24;
const PAGES_AT = 28;
const PAGES_VALID_FOR_AT = 92;

/**
 * What is wrong with a file of `size` bytes that begins with `header`; `undefined` if nothing is. A transfer that was cut
 * shows here, whatever the two ends and the proxies between have made of its length.
 */
export function databaseProblem(header: Uint8Array, size: number): string | undefined {
  const bytes = Buffer.from(header.buffer, header.byteOffset, header.byteLength);
  if (size < HEADER_BYTES || bytes.toString("latin1", 0, MAGIC.length) !== MAGIC) return "not a database";
  const stored = bytes.readUInt16BE(PAGE_SIZE_AT);
  const pageSize = stored === 1 ? 65_536 : stored;
  // Programs older than SQLite 3.7 did not keep the count of pages.
  if (bytes.readUInt32BE(CHANGES_AT) !== bytes.readUInt32BE(PAGES_VALID_FOR_AT)) return undefined;
  const whole = pageSize * bytes.readUInt32BE(PAGES_AT);
  return size === whole ? undefined : `incomplete: ${size} of ${whole} bytes`;
}
