/** Commands that wait for their reply: a promise each, with a time limit, and bounded in number. */
import type { Command, Reply } from "@carillon/protocol/frames";
import { encodeFrame } from "@carillon/protocol/json";
import { MAX_FRAME_BYTES, MAX_PENDING_COMMANDS } from "@carillon/protocol/limits";
import { CarillonError } from "./errors.ts";
import { Pace } from "./pace.ts";
import type { CancelTimer, Platform } from "./platform.ts";

type DistributiveOmit<T, Key extends PropertyKey> = T extends unknown ? Omit<T, Key> : never;
/** A command as it is asked, before it has an id. */
export type Question = DistributiveOmit<Exclude<Command, { type: "ack" }>, "id">;

interface Pending {
  resolve(reply: Reply): void;
  reject(error: CarillonError): void;
  cancel: CancelTimer;
}

export class Commands {
  readonly #platform: Platform;
  readonly #timeoutMs: number;
  readonly #pending = new Map<number, Pending>();
  readonly #pace: Pace;
  #lastId = 0;

  constructor(platform: Platform, timeoutMs: number) {
    this.#platform = platform;
    this.#timeoutMs = timeoutMs;
    this.#pace = new Pace(platform);
  }

  /**
   * Asks by `send`, under an id that `asked` is told; resolves to the reply.
   * @throws {CarillonError} by rejection: what the server answered, `timeout`, `connection_lost`, `too_many_pending`,
   * `payload_too_large`.
   */
  ask(question: Question, send: (frame: string) => boolean, asked?: (id: number) => void): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#pending.size >= MAX_PENDING_COMMANDS) return reject(tooMany());
      const id = ++this.#lastId;
      const frame = encodeFrame({ ...question, id } as Command);
      // The server would close the connection, which all channels share.
      if (bytesOf(frame) > MAX_FRAME_BYTES) {
        const message = `${question.type}: a frame has at most ${MAX_FRAME_BYTES} bytes`;
        return reject(new CarillonError("payload_too_large", message));
      }
      const cancel = this.#platform.setTimer(this.#timeoutMs, () =>
        this.#take(id)?.reject(new CarillonError("timeout", `${question.type}: no answer in time`)),
      );
      this.#pending.set(id, { resolve, reject, cancel });
      asked?.(id);
      this.#pace.run(() => {
        if (this.#pending.has(id) && !send(frame)) {
          this.#take(id)?.reject(new CarillonError("connection_lost", "not connected"));
        }
      });
    });
  }

  /** A reply has come. One that nobody waits for any more is dropped. */
  settle(reply: Reply): void {
    const pending = this.#take(reply.id);
    if (reply.type === "error") pending?.reject(new CarillonError(reply.code, reply.message));
    else pending?.resolve(reply);
  }

  /** The connection is gone, and all answers with it. */
  fail(error: CarillonError): void {
    this.#pace.clear();
    for (const id of this.#pending.keys()) this.#take(id)?.reject(error);
  }

  #take(id: number | undefined): Pending | undefined {
    const pending = id === undefined ? undefined : this.#pending.get(id);
    if (id === undefined || pending === undefined) return undefined;
    this.#pending.delete(id);
    pending.cancel();
    return pending;
  }
}

/** Bytes of UTF-8, each of which is a letter or `%XX` to an address. Not every React Native has a `TextEncoder`. */
function bytesOf(json: string): number {
  return json.length < MAX_FRAME_BYTES / 3 ? 0 : encodeURI(json).replace(/%../g, "-").length;
}

export function tooMany(): CarillonError {
  return new CarillonError("too_many_pending", `${MAX_PENDING_COMMANDS} commands wait for their answer`);
}
