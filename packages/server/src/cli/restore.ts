/** `carillon restore`: puts a backup in the place of what a server keeps. */
import { type FileHandle, open, stat } from "node:fs/promises";
import { z } from "zod";
import { ConfigError } from "../config.ts";
import { restoreInto } from "../server.ts";
import { command, type Io } from "./command.ts";
import { databaseProblem, HEADER_BYTES } from "./database-file.ts";
import { endpointFlags, jsonFlag, readEndpoint } from "./endpoint.ts";
import { RefusedError, retold, UnreachableError } from "./errors.ts";
import { DONE } from "./help.ts";
import { Api } from "./http.ts";
import { inBytes, withProgress } from "./progress.ts";

const begun = z.object({ id: z.string(), chunkBytes: z.int().min(1) });

/** The server reads the whole file before it answers. */
const APPLY_MS = 600_000;
/** A piece that was cut off is sent again; the same bytes at the same place change nothing. */
const RETRY_AFTER_MS = [1_000, 2_000, 5_000, 10_000];
/** By then the server has stopped listening as it was: it does so within milliseconds. */
const RESTART_MS = 1_000;
const POLL_MS = 500;
const BACK_WITHIN_MS = 300_000;

export const restore = command({
  name: "restore",
  group: "Look after it",
  about: "put a backup in the place of everything that a server keeps",
  text: [
    "Sends the file to a running server, which checks it and starts anew with it. It becomes a new log: apps that come back are told so and get what it keeps. What the server kept before is left beside it as carillon.db.before-restore.",
    "With --data, for a server that does not run: its next start begins with the file.",
  ],
  args: ["FILE"],
  flags: {
    yes: { about: "do not ask" },
    data: { value: "DIR", about: "a data directory on this machine, in place of a running server" },
    ...endpointFlags,
    ...jsonFlag,
  },
  examples: [
    "carillon restore carillon-2026-11-24.db",
    "carillon restore carillon.db --data /var/lib/carillon --yes",
  ],
  async run({ args: [path], flags }, io) {
    const { yes, data: dir, json } = flags;
    if (dir !== undefined && (flags.url !== undefined || flags.key !== undefined)) {
      throw new ConfigError("--data is for a server that does not run; it goes without --url and --key");
    }
    const file = await openBackup(path);
    try {
      const size = inBytes(file.size);
      if (dir !== undefined) {
        if (yes === undefined) await confirm(`everything in ${dir}`, path, size, io);
        restoreInto(dir, path);
        io.out(json === undefined ? staged(dir, path) : JSON.stringify({ staged: true, bytes: file.size }));
        return DONE;
      }
      const api = new Api(readEndpoint(flags, io), io);
      await refuseLog(path);
      if (yes === undefined) await confirm(`everything that ${api.url} keeps`, path, size, io);
      await send(file, api, io);
      io.out(
        json === undefined
          ? `Restored ${path} (${size}) to ${api.url}`
          : JSON.stringify({ restored: true, bytes: file.size }),
      );
      return DONE;
    } finally {
      await file.handle.close();
    }
  },
});

interface BackupFile {
  readonly handle: FileHandle;
  readonly size: number;
}

function staged(dir: string, path: string): string {
  return `The next start of carillon serve --data ${dir} begins with ${path}; restart it if it runs`;
}

/** @throws {ConfigError} if it cannot be read, or can be seen to be no whole database. */
async function openBackup(path: string): Promise<BackupFile> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    const { size } = await handle.stat();
    const header = new Uint8Array(HEADER_BYTES);
    await handle.read(header, 0, HEADER_BYTES, 0);
    const problem = databaseProblem(header, size);
    if (problem === undefined) return { handle, size };
    throw new Error(problem);
  } catch (error) {
    await handle?.close();
    throw new ConfigError(`${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/** A data file that a server uses has its last publications in a log beside it, which would stay behind. */
async function refuseLog(path: string): Promise<void> {
  const log = await stat(`${path}-wal`).catch(() => undefined);
  if (log === undefined || log.size === 0) return;
  throw new ConfigError(
    `${path} has a log beside it, ${path}-wal, so it is no backup; carillon backup makes one`,
  );
}

async function confirm(what: string, path: string, size: string, io: Io): Promise<void> {
  if (io.ask === undefined) throw new ConfigError(`this replaces ${what}; --yes says that it is meant`);
  const answer = await io.ask(`This replaces ${what} with ${path} (${size}). Type yes to go on: `);
  if (answer.trim().toLowerCase() !== "yes") throw new Error("nothing was changed");
}

async function send({ handle, size }: BackupFile, api: Api, io: Io): Promise<void> {
  const { id, chunkBytes } = await api.json("POST", "/v1/restore", begun);
  let sent = 0;
  const sendAll = async () => {
    const piece = new Uint8Array(chunkBytes);
    while (sent < size) {
      const { bytesRead } = await handle.read(piece, 0, chunkBytes, sent);
      if (bytesRead === 0) throw new Error("the file became shorter while it was read; nothing was changed");
      await sendPiece(`/v1/restore/${id}`, sent, piece.slice(0, bytesRead), api, io);
      sent += bytesRead;
    }
  };
  const describe = (elapsedS: number) =>
    `Sent ${inBytes(sent)} of ${inBytes(size)} (${inBytes(sent / elapsedS)} a second)`;
  await retold(withProgress(io, describe, sendAll()), (reason) => `${reason}; nothing was changed`);
  const apply = api.done("POST", `/v1/restore/${id}/apply`, { timeoutMs: APPLY_MS });
  const told = retold(apply, (reason, error) =>
    error instanceof RefusedError ? reason : `${reason}; whether it was restored is not known`,
  );
  await withProgress(io, () => `${api.url} checks the file`, told);
  await withProgress(io, () => `${api.url} starts with what was restored`, comesBack(api, io));
}

async function sendPiece(
  path: string,
  offset: number,
  body: Uint8Array<ArrayBuffer>,
  api: Api,
  io: Io,
): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await api.done("PUT", path, { body, query: { offset } });
      return;
    } catch (error) {
      const waitMs = RETRY_AFTER_MS[attempt];
      if (!(error instanceof UnreachableError) || waitMs === undefined) throw error;
      await sleep(waitMs, io);
    }
  }
}

/** Resolves when the server that was told to start anew is ready. */
async function comesBack(api: Api, io: Io): Promise<void> {
  const startMs = io.clock.monotonicMs();
  await sleep(RESTART_MS, io);
  for (;;) {
    try {
      // A connection from before would lead to the server as it was.
      await api.done("GET", "/readyz", { isAnonymous: true });
      return;
    } catch (error) {
      const isOver = io.clock.monotonicMs() - startMs > BACK_WITHIN_MS;
      if (isOver)
        throw new UnreachableError(`it was restored, but ${reasonOf(error)}; the server's log says more`);
      await sleep(POLL_MS, io);
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function sleep(ms: number, { clock }: Pick<Io, "clock">): Promise<void> {
  return new Promise((resolve) => clock.setTimer(ms, resolve));
}
