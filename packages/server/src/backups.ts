/**
 * Backups of a running server: a snapshot goes out as a stream, and one that is to be restored comes in by pieces and is
 * put in the place of the data when the server has started anew.
 */
import { closeSync, fsyncSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { EngineError } from "./engine/engine.ts";
import type { Backups, Snapshot } from "./gateway/api/backups.ts";
import { randomName } from "./lib/ids.ts";

export interface BackupPorts {
  /** The largest body of a request. */
  readonly maxBodyBytes: number;
  /** The data directory. Snapshots and uploads stand there, as there is room for the data. */
  readonly dir: string;
  /** Writes a snapshot to a new file. */
  readonly backup: (path: string) => Promise<void>;
  /** Makes a file the one that the next start begins with. @throws {EngineError} if it is none of ours. */
  readonly stage: (path: string) => void;
  /** Starts the server anew. */
  readonly restart: () => void;
}

const LEFT_OVER = /^(?:backup-[\w-]+\.tmp(?:\.carillon-partial)?|restore\.upload)$/;
const PIECE_BYTES = 256 * 1024;
/** Some proxies take no more than 1 MB in one request unless they are told to. */
const UPLOAD_PIECE_BYTES = 768 * 1024;

interface Upload {
  readonly id: string;
  readonly file: string;
  readonly descriptor: number;
  size: number;
}

/** What one that was killed has left is removed. */
export function backupsOf({ dir, backup, stage, restart, maxBodyBytes }: BackupPorts): Backups {
  for (const name of readdirSync(dir)) {
    if (LEFT_OVER.test(name)) rmSync(join(dir, name), { force: true });
  }
  let upload: Upload | undefined;
  const drop = async () => {
    const dropped = upload;
    upload = undefined;
    if (dropped === undefined) return;
    closeSync(dropped.descriptor);
    await rm(dropped.file, { force: true });
  };
  const find = (id: string) => (upload?.id === id ? upload : undefined);
  return {
    pieceBytes: Math.min(UPLOAD_PIECE_BYTES, maxBodyBytes),
    async snapshot() {
      const file = join(dir, `backup-${randomName()}.tmp`);
      try {
        await backup(file);
        return await streamOf(file);
      } finally {
        // The stream holds the file open; its name is not needed, and nothing is left behind whatever happens.
        await rm(file, { force: true });
      }
    },
    async begin() {
      await drop();
      const id = randomName();
      const file = join(dir, "restore.upload");
      upload = { id, file, descriptor: onDisk(() => openSync(file, "w", 0o600)), size: 0 };
      return id;
    },
    write(id, offset, bytes) {
      const found = find(id);
      if (found === undefined) return "unknown";
      if (offset > found.size) return "hole";
      onDisk(() => writeAll(found.descriptor, bytes, offset));
      found.size = Math.max(found.size, offset + bytes.length);
      return found.size;
    },
    async apply(id) {
      const found = find(id);
      if (found === undefined) return "unknown";
      onDisk(() => fsyncSync(found.descriptor));
      try {
        stage(found.file);
      } catch (error) {
        if (error instanceof EngineError) return { problem: error.message };
        throw error;
      } finally {
        await drop();
      }
      restart();
      return "applied";
    },
    close: drop,
  };
}

/** @throws {EngineError} where the disk does not work. */
function onDisk<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw new EngineError("unavailable", error instanceof Error ? error.message : String(error));
  }
}

/** A disk that is nearly full takes a part. */
function writeAll(descriptor: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
  }
}

/** Read as it is asked for: Bun asks when the client has taken what was before. */
async function streamOf(file: string): Promise<Snapshot> {
  const handle = await open(file, "r");
  const { size } = await handle.stat();
  const piece = new Uint8Array(PIECE_BYTES);
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const { bytesRead } = await handle.read(piece, 0, piece.length);
        if (bytesRead > 0) return controller.enqueue(piece.slice(0, bytesRead));
        await handle.close();
        controller.close();
      },
      cancel: () => handle.close(),
    },
    { highWaterMark: 0 },
  );
  return { size, stream };
}
