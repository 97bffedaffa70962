/**
 * Publishes 1, 2, 3 … to a channel, one after the other, until it is stopped. A publish that got no answer is repeated
 * with its idempotency key, so each number is published once, whatever happens to the server meanwhile.
 */
import { Carillon, CarillonError } from "@carillon/client";

export class SteadyPublisher implements AsyncDisposable {
  readonly #client: Carillon;
  readonly #channel: string;
  #acknowledged = 0;
  #isStopped = false;
  #waiters: (() => void)[] = [];
  readonly #running: Promise<void>;

  constructor(url: string, token: string, channel: string) {
    this.#client = new Carillon(url, { token });
    this.#channel = channel;
    this.#running = this.#run();
  }

  /** Waits until `count` more have been acknowledged. */
  async more(count: number): Promise<void> {
    const goal = this.#acknowledged + count;
    while (this.#acknowledged < goal) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  /** Stops; resolves to the last number, which like all before it has been acknowledged. */
  async stop(): Promise<number> {
    this.#isStopped = true;
    await this.#running;
    return this.#acknowledged;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    this.#client.close();
    await this.#running.catch(() => {});
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.#publish(String(this.#acknowledged + 1));
      this.#acknowledged += 1;
      for (const wake of this.#waiters.splice(0)) wake();
    }
  }

  async #publish(data: string): Promise<void> {
    for (;;) {
      try {
        await this.#client.channel(this.#channel).publish(data, { idempotencyKey: data });
        return;
      } catch (error) {
        const isUnknown =
          error instanceof CarillonError && (error.code === "connection_lost" || error.code === "timeout");
        if (!isUnknown) throw error;
      }
    }
  }
}
