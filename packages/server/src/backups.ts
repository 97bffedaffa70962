/**
 * Backups of a running server: a snapshot goes out as a stream, and one that is to be restored comes in by pieces and is
 * put in the place of the data when the server has started anew.
 */
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { EngineError } from "./engine/engine.ts";
import type { Backups, Snapshot } from "./gateway/api/backups.ts";
import { randomName } from "./lib/ids.ts";

export interface BackupPorts {
  /** The data directory. Snapshots and uploads stand there, as there is room for the data. */
  readonly dir: string;
  /** Writes a snapshot to a new file. */
  readonly backup: (path: string) => Promise<void>;
  /** Makes a file the one that the next start begins with. @throws {EngineError} if it is none of ours. */
  readonly stage: (path: string) => void;
  /** Starts the server anew. */
  readonly restart: () => void;
}

const PIECE_BYTES = 256 * 1024;
/** Some proxies take no more than 1 MB in one request unless they are told to. */
const UPLOAD_PIECE_BYTES = 768 * 1024;

interface Upload {
  readonly id: string;
  readonly file: string;
  readonly descriptor: number;
  size: number;
}

export function backupsOf({ dir, backup, stage, restart }: BackupPorts): Backups {
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
    pieceBytes: UPLOAD_PIECE_BYTES,
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
      upload = { id, file, descriptor: openSync(file, "w", 0o600), size: 0 };
      return id;
    },
    write(id, offset, bytes) {
      const found = find(id);
      if (found === undefined) return "unknown";
      if (offset > found.size) return "hole";
      writeSync(found.descriptor, bytes, 0, bytes.length, offset);
      found.size = Math.max(found.size, offset + bytes.length);
      return found.size;
    },
    async apply(id) {
      const found = find(id);
      if (found === undefined) return "unknown";
      fsyncSync(found.descriptor);
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
