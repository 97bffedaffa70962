/** Backups of the running engine: each is made in a thread of its own, so that neither publishes nor reads wait for it. */
import { resolve as absolute } from "node:path";
import { EngineError } from "../engine.ts";
import { removePartial } from "./copy.ts";
import type { Backup, Failed, Replies } from "./messages.ts";

export class Backups {
  readonly #file: string;
  readonly #startWorker: () => Worker;
  /** Ends the one that is under way. */
  #cancel: ((error: EngineError) => void) | undefined;

  constructor(file: string, startWorker: () => Worker) {
    this.#file = file;
    this.#startWorker = startWorker;
  }

  /** @throws {EngineError} by rejection; then nothing is left at `given`. */
  async make(given: string): Promise<void> {
    if (this.#cancel !== undefined) {
      throw new EngineError("unavailable", `${given}: another backup is under way`);
    }
    // A relative one could be read as a URI by SQLite.
    const path = absolute(given);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const worker = this.#startWorker();
    const cancel = (error: EngineError) => {
      if (this.#cancel !== cancel) return;
      // SQLite works on until the copy is made; what it then does not get is the file's name.
      worker.terminate();
      removePartial(path);
      reject(error);
    };
    const lost = (why: string) =>
      cancel(new EngineError("unavailable", `${path}: the backup stopped: ${why}`));
    worker.onmessage = ({ data }: MessageEvent<string>) => {
      const { failure } = JSON.parse(data) as Replies["backup"] & Partial<Failed>;
      if (failure === undefined) resolve();
      else reject(new EngineError("unavailable", failure));
    };
    worker.onerror = ({ message }) => lost(message);
    worker.addEventListener("close", () => lost("its thread ended"));
    this.#cancel = cancel;
    worker.postMessage(JSON.stringify({ kind: "backup", file: this.#file, path } satisfies Backup));
    try {
      await promise;
    } finally {
      this.#cancel = undefined;
      worker.terminate();
    }
  }

  /** Ends the one that is under way. */
  stop(): void {
    this.#cancel?.(new EngineError("closed", "the engine is closed"));
  }
}
