/** Bytes that look like a whole SQLite database of so many pages. */
export function databaseOf(pages: number): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.alloc(pages * 4_096, "carillon ");
  bytes.write("SQLite format 3\0", 0, "latin1");
  bytes.writeUInt16BE(4_096, 16);
  bytes.writeUInt32BE(7, 24);
  bytes.writeUInt32BE(pages, 28);
  bytes.writeUInt32BE(7, 92);
  return new Uint8Array(bytes);
}
