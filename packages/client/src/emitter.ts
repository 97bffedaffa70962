/** Typed events, for a client and its channels. */

export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(value: never) => unknown>>();

  /** Calls `listener` at each such event; returns a function that stops it. */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => unknown): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => {
      listeners.delete(listener);
    };
  }

  /**
   * What the listeners returned, in the order of their `on`. One that throws returns a rejected promise: the others hear
   * of it all the same, the client goes on, and the machine reports the rejection unless the caller takes care of it.
   */
  protected emit<Name extends keyof Events>(name: Name, value: Events[Name]): unknown[] {
    return [...(this.#listeners.get(name) ?? [])].map((listener) => {
      try {
        return listener(value as never);
      } catch (error) {
        return Promise.reject(error);
      }
    });
  }

  protected listeners(name: keyof Events): number {
    return this.#listeners.get(name)?.size ?? 0;
  }
}
