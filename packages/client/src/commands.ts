/** Commands that wait for their reply: a promise each, with a time limit, and bounded in number. */
import type { Command, Reply } from "@carillon/protocol/frames";
import { encodeFrame } from "@carillon/protocol/json";
import { MAX_FRAME_BYTES, MAX_PENDING_COMMANDS } from "@carillon/protocol/limits";
import { CarillonError } from "./errors.ts";
import { Pace } from "./pace.ts";
import type { Platform } from "./platform.ts";

type DistributiveOmit<T, Key extends PropertyKey> = T extends unknown ? Omit<T, Key> : never;
/** A command as it is asked, before it has an id. */
export type Question = DistributiveOmit<Exclude<Command, { type: "ack" }>, "id">;

/** The reply of one type. */
export type Answer<Type extends Reply["type"]> = Extract<Reply, { type: Type }>;

/** Ends the wait for a reply. */
type End = (result: Reply | CarillonError) => void;

export class Commands {
  readonly #platform: Platform;
  readonly #timeoutMs: number;
  readonly #pending = new Map<number | undefined, End>();
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
        const message = `${question.type}: over ${MAX_FRAME_BYTES} bytes`;
        return reject(new CarillonError("payload_too_large", message));
      }
      const end: End = (result) => {
        this.#pending.delete(id);
        cancel();
        if (result instanceof CarillonError) reject(result);
        else resolve(result);
      };
      const cancel = this.#platform.setTimer(this.#timeoutMs, () =>
        end(new CarillonError("timeout", `${question.type}: no answer in time`)),
      );
      this.#pending.set(id, end);
      asked?.(id);
      this.#pace.run(() => {
        if (this.#pending.has(id) && !send(frame)) end(new CarillonError("connection_lost", "not connected"));
      });
    });
  }

  /** A reply has come. One that nobody waits for any more is dropped. */
  settle(reply: Reply): void {
    this.#pending.get(reply.id)?.(
      reply.type === "error" ? new CarillonError(reply.code, reply.message) : reply,
    );
  }

  /** The connection is gone, and all answers with it. */
  fail(error: CarillonError): void {
    this.#pace.clear();
    for (const end of this.#pending.values()) end(error);
  }
}

/** Bytes of UTF-8, each of which is a letter or `%XX` to an address. Not every React Native has a `TextEncoder`. */
function bytesOf(json: string): number {
  return json.length < MAX_FRAME_BYTES / 3 ? 0 : encodeURI(json).replace(/%../g, "-").length;
}

export function tooMany(): CarillonError {
  return new CarillonError("too_many_pending", `${MAX_PENDING_COMMANDS} commands wait`);
}
