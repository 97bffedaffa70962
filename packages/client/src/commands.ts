/** Commands that wait for their reply: a promise each, with a time limit, and bounded in number. */
import type { Command, Reply } from "@carillon/protocol/frames";
import { MAX_PENDING_COMMANDS } from "@carillon/protocol/limits";
import { CarillonError } from "./errors.ts";
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
  #lastId = 0;

  constructor(platform: Platform, timeoutMs: number) {
    this.#platform = platform;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Asks by `send`; resolves to the reply.
   * @throws {CarillonError} by rejection: what the server answered, `timeout`, `connection_lost`, `too_many_pending`.
   */
  ask(question: Question, send: (command: Command) => boolean): Promise<Reply> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.#pending.size >= MAX_PENDING_COMMANDS) {
        return reject(tooMany());
      }
      if (!send({ ...question, id } as Command)) {
        return reject(new CarillonError("connection_lost", "not connected"));
      }
      const cancel = this.#platform.setTimer(this.#timeoutMs, () => {
        this.#pending.delete(id);
        reject(new CarillonError("timeout", `${question.type}: no answer in time`));
      });
      this.#pending.set(id, { resolve, reject, cancel });
    });
  }

  /** A reply has come. One that nobody waits for any more is dropped. */
  settle(reply: Reply): void {
    const { id } = reply;
    const pending = id === undefined ? undefined : this.#pending.get(id);
    if (id === undefined || pending === undefined) return;
    this.#pending.delete(id);
    pending.cancel();
    if (reply.type === "error") pending.reject(new CarillonError(reply.code, reply.message));
    else pending.resolve(reply);
  }

  /** The connection is gone, and all answers with it. */
  fail(error: CarillonError): void {
    for (const [id, { reject, cancel }] of this.#pending) {
      this.#pending.delete(id);
      cancel();
      reject(error);
    }
  }
}

export function tooMany(): CarillonError {
  return new CarillonError("too_many_pending", `${MAX_PENDING_COMMANDS} commands wait for their answer`);
}
