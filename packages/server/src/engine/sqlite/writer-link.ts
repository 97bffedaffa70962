/** The main thread's end of the writer: one reply per request, in order, and a new writer should one die. */
import type { CancelTimer, Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { EngineError } from "../engine.ts";
import type { Failed, Open, Replies, WriterRequest } from "./messages.ts";

export interface WriterLinkOptions {
  readonly open: Open;
  readonly clock: Clock;
  readonly log: Log;
  /** Starts the thread. Tests hand in one that they can kill. */
  readonly startWorker?: (() => Worker) | undefined;
}

/** How long a dead writer is left in peace: doubled each time it dies again before it has done anything. */
const RESTART_MS = { first: 100, most: 5_000 };

interface Pending {
  readonly resolve: (reply: never) => void;
  readonly reject: (error: EngineError) => void;
}

export class WriterLink {
  readonly #options: WriterLinkOptions;
  #worker: Worker | undefined;
  #pending: Pending[] = [];
  /** Why there is no writer at the moment. */
  #absence = "the writer has not started";
  #restartMs = RESTART_MS.first;
  #cancelRestart: CancelTimer = () => {};
  #ended = false;

  constructor(options: WriterLinkOptions) {
    this.#options = options;
  }

  /**
   * Starts the writer and has it open the file.
   * @throws {EngineError} by rejection, if it cannot.
   */
  async start(): Promise<Replies["open"]> {
    const worker = (this.#options.startWorker ?? startWriter)();
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<string>) => this.#settle(JSON.parse(data));
    worker.onerror = ({ message }) => this.#lost(worker, message);
    worker.addEventListener("close", () => this.#lost(worker, "it ended"));
    try {
      return await this.request(this.#options.open);
    } catch (error) {
      this.#drop(worker);
      throw error;
    }
  }

  /** @throws {EngineError} by rejection, if the writer cannot do it or dies meanwhile. */
  request<Request extends WriterRequest>(request: Request): Promise<Replies[Request["kind"]]> {
    if (this.#worker === undefined) return Promise.reject(new EngineError("unavailable", this.#absence));
    const { promise, resolve, reject } = Promise.withResolvers<Replies[Request["kind"]]>();
    this.#pending.push({ resolve, reject });
    this.#worker.postMessage(JSON.stringify(request));
    return promise;
  }

  /** Ends the writer, which has nothing more to do. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#cancelRestart();
    const worker = this.#worker;
    if (worker === undefined) return;
    await this.request({ kind: "close" }).catch((error) => this.#options.log.error(error.message));
    this.#drop(worker);
  }

  #settle(reply: Replies[keyof Replies] | Failed): void {
    const pending = this.#pending.shift();
    if (pending === undefined) return;
    const failedAsWhole = "failure" in reply && !("tops" in reply);
    if (failedAsWhole) pending.reject(new EngineError("unavailable", reply.failure ?? ""));
    else {
      pending.resolve(reply as never);
      this.#restartMs = RESTART_MS.first;
    }
  }

  #lost(worker: Worker, why: string): void {
    if (worker !== this.#worker || this.#ended) return;
    this.#options.log.error(`The writer of ${this.#options.open.file} stopped: ${why}`);
    this.#drop(worker);
    this.#restartLater();
  }

  /** What it had in hand may have been kept or not; nobody can tell, so nobody is told that it was. */
  #drop(worker: Worker): void {
    this.#worker = undefined;
    this.#absence = `${this.#options.open.file}: the writer stopped`;
    worker.terminate();
    const lost = this.#pending;
    this.#pending = [];
    for (const { reject } of lost) reject(new EngineError("unavailable", this.#absence));
  }

  #restartLater(): void {
    if (this.#ended) return;
    const delayMs = this.#restartMs;
    this.#restartMs = Math.min(delayMs * 2, RESTART_MS.most);
    this.#cancelRestart = this.#options.clock.setTimer(delayMs, () => {
      this.start().then(
        () => this.#options.log.info(`The writer of ${this.#options.open.file} is back`),
        (error) => {
          this.#absence = error.message;
          this.#restartLater();
        },
      );
    });
  }
}

/** Named by its URL, so that it is found also inside a single compiled executable. */
export function startWriter(): Worker {
  return new Worker(new URL("./writer.ts", import.meta.url));
}
