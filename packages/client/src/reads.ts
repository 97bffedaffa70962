/** What the user has read, told in batches; over a lost connection once there is another. */

import { MAX_READ } from "@carillon/protocol/limits";
import type { Carillon } from "./client.ts";
import { tooMany } from "./commands.ts";
import type { CarillonError } from "./errors.ts";

/** That wait for a connection. */
const MAX_WAITING = 1_000;

interface Read {
  readonly channel: string;
  readonly id: string;
  readonly end: (error?: unknown) => void;
}

export class Reads {
  readonly #carillon: Carillon;
  #waiting: Read[] = [];
  #isTelling = false;

  constructor(carillon: Carillon) {
    this.#carillon = carillon;
    carillon.on("state", ({ status }) => {
      if (status === "open") void this.#tell();
    });
  }

  /**
   * Resolves once the server knows.
   * @throws {CarillonError} by rejection: what the server answered, or `too_many_pending`.
   */
  add(channel: string, id: string): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= MAX_WAITING) return reject(tooMany());
      const end = (error?: unknown) => (error === undefined ? resolve() : reject(error));
      this.#waiting.push({ channel, id, end });
      // Those that are told in the same moment go together.
      void Promise.resolve().then(() => this.#tell());
    });
  }

  async #tell(): Promise<void> {
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined || this.#carillon.state.status !== "open") break;
      const { channel } = first;
      const batch = this.#waiting.filter((read) => read.channel === channel).slice(0, MAX_READ);
      const publications = batch.map(({ id }) => id);
      const error = await this.#carillon.ask({ type: "read", channel, publications }).then(
        () => undefined,
        (failed: CarillonError) => failed,
      );
      // At the next connection, then.
      if (error?.code === "connection_lost") break;
      this.#waiting = this.#waiting.filter((read) => !batch.includes(read));
      for (const { end } of batch) end(error);
    }
    this.#isTelling = false;
  }
}
