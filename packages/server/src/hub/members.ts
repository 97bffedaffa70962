/** Who is in a channel. Most channels are the inbox of one device, and a `Set` takes 330 bytes for its first element. */
import type { Session } from "./session.ts";

export class Members {
  #first: Session | undefined;
  #others: Set<Session> | undefined;

  get size(): number {
    return (this.#first === undefined ? 0 : 1) + (this.#others?.size ?? 0);
  }

  *[Symbol.iterator](): Generator<Session, undefined> {
    if (this.#first !== undefined) yield this.#first;
    if (this.#others !== undefined) yield* this.#others;
  }

  /** `false` if it is there already. */
  add(session: Session): boolean {
    if (this.#first === session || this.#others?.has(session) === true) return false;
    if (this.#first === undefined) {
      this.#first = session;
      return true;
    }
    this.#others ??= new Set();
    this.#others.add(session);
    return true;
  }

  /** `false` if it is not there. */
  delete(session: Session): boolean {
    if (this.#first !== session) return this.#others?.delete(session) === true;
    this.#first = undefined;
    return true;
  }
}
