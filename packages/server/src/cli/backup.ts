/** `carillon backup`: a consistent copy of what a running server keeps. */
import { type FileHandle, lstat, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { ConfigError } from "../config.ts";
import { command, type Io } from "./command.ts";
import { databaseProblem, HEADER_BYTES } from "./database-file.ts";
import { endpointFlags, jsonFlag, readEndpoint } from "./endpoint.ts";
import { StoppedError, UnreachableError } from "./errors.ts";
import { DONE } from "./help.ts";
import { Api, type Download } from "./http.ts";
import { inBytes, patiently, withProgress } from "./progress.ts";

const STANDARD_OUTPUT = "-";
/** The server makes the whole copy before it sends the first byte. */
const ANSWER_MS = 600_000;
const PAUSE_MS = 60_000;

export const backup = command({
  name: "backup",
  group: "Look after it",
  about: "copy everything that a running server keeps to a file",
  text: [
    "Writes one SQLite file with everything that the server keeps, as it was at one moment; publishes go on meanwhile. FILE appears when it is complete and on disk, or not at all, and only its owner may read it. A file that is there already is left alone.",
    "- for FILE writes to standard output. There, only the exit code tells whether it is complete.",
    "The admin key is not in it: keep data/admin.key as well.",
  ],
  args: ["FILE"],
  flags: { force: { about: "replace FILE if it is there" }, ...endpointFlags, ...jsonFlag },
  examples: [
    "carillon backup carillon-$(date +%F).db",
    "carillon backup - | zstd | ssh backups 'cat > carillon.db.zst'",
  ],
  async run({ args: [path], flags }, io) {
    if (path === STANDARD_OUTPUT && io.outputIsTerminal) {
      throw new ConfigError("standard output is a terminal, where a database makes no sense");
    }
    if (path !== STANDARD_OUTPUT && flags.force === undefined) await refuseExisting(path);
    const api = new Api(readEndpoint(flags, io), io);
    const stopped = new AbortController();
    io.stopSignal().then((signal) =>
      stopped.abort(new StoppedError(`stopped by ${signal}; nothing is kept`)),
    );
    const options = { timeoutMs: ANSWER_MS, pauseMs: PAUSE_MS, signal: stopped.signal };
    const download = await patiently(io, api.url, api.download("/v1/backup", options));
    const transfer = { download, api, io };
    if (path === STANDARD_OUTPUT) {
      await receive(transfer, io.write);
      return DONE;
    }
    const bytes = await receiveFile(path, transfer, flags.force !== undefined);
    io.out(
      flags.json === undefined
        ? `Backed up ${api.url} to ${path} (${inBytes(bytes)})`
        : JSON.stringify({ file: path, bytes }),
    );
    return DONE;
  },
});

interface Transfer {
  readonly download: Download;
  readonly api: Api;
  readonly io: Io;
}

async function refuseExisting(path: string): Promise<void> {
  const exists = await lstat(path).catch(() => undefined);
  if (exists !== undefined) throw new Error(`${path} is there already; --force replaces it`);
}

/** Writes what comes beside `path`, and gives it that name when it is complete and on disk. Resolves to its size. */
async function receiveFile(path: string, transfer: Transfer, mayReplace: boolean): Promise<number> {
  const part = `${path}.part`;
  const file = await create(part);
  try {
    const bytes = await receive(transfer, (chunk) => file.writeFile(chunk));
    await file.sync();
    await file.close();
    if (!mayReplace) await refuseExisting(path);
    await rename(part, path);
    await syncDirectory(dirname(path));
    return bytes;
  } catch (error) {
    await file.close().catch(() => {});
    await rm(part, { force: true });
    throw error;
  }
}

async function create(part: string): Promise<FileHandle> {
  try {
    return await open(part, "wx", 0o600);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    throw new Error(`${part} is there: another backup is under way, or was killed; if so, delete it`);
  }
}

/** The name of a file is on disk only when its directory is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** A stream has no length; the server says in RFC 2183's way how large the file is. */
function sizeOf(headers: Headers): number | undefined {
  const [, size] = /; *size=(\d+)/.exec(headers.get("content-disposition") ?? "") ?? [];
  const length = size ?? headers.get("content-length");
  return length === null ? undefined : Number(length);
}

/**
 * Hands on what comes; resolves to how much it was.
 * @throws {UnreachableError} if it is not all.
 */
async function receive(
  { download: { headers, chunks }, api, io }: Transfer,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<number> {
  const expected = sizeOf(headers);
  const header = new Uint8Array(HEADER_BYTES);
  let bytes = 0;
  const readAll = async () => {
    for await (const chunk of chunks) {
      if (bytes < HEADER_BYTES) header.set(chunk.subarray(0, HEADER_BYTES - bytes), bytes);
      await write(chunk);
      bytes += chunk.length;
    }
  };
  const describe = (elapsedS: number) => {
    const share = expected === undefined ? "" : ` of ${inBytes(expected)}`;
    return `Received ${inBytes(bytes)}${share} (${inBytes(bytes / elapsedS)} a second)`;
  };
  await withProgress(io, describe, readAll());
  const isShort = expected !== undefined && bytes !== expected;
  const problem = isShort ? `incomplete: ${bytes} of ${expected} bytes` : databaseProblem(header, bytes);
  if (problem !== undefined)
    throw new UnreachableError(`what ${api.url} has sent is ${problem}; nothing is kept`);
  return bytes;
}
