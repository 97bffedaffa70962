/**
 * Group commit: everything that comes while a transaction is under way shares the next one, so that the price of an
 * fsync is that of all who wait for it, and a lone publish pays for its own and waits for nothing else.
 */
import type { Clock } from "../../lib/clock.ts";
import { type Accepted, EngineError, type OnCommit } from "../engine.ts";
import { Gathering } from "./gathering.ts";
import type { Committed } from "./messages.ts";
import type { WriterLink } from "./writer-link.ts";

/** One transaction runs, the next is written down and ready: the writer never waits for the main thread. */
const MOST_IN_FLIGHT = 2;

export interface GroupCommitOptions {
  readonly link: WriterLink;
  readonly epoch: string;
  /** Hears what a commit announces, before those who wait do. */
  readonly announce: (commit: readonly Accepted[]) => void;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly onCommit?: OnCommit | undefined;
}

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #waiting: Gathering[] = [];
  #inFlight = 0;
  #flushing = false;
  #whenIdle: (() => void)[] = [];

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /** Nothing is under way, so what the file holds has been announced. */
  get isIdle(): boolean {
    return this.#inFlight === 0;
  }

  /** What the caller's wish is added to. */
  next(): Gathering {
    if (!this.#flushing) {
      this.#flushing = true;
      // Not at once: what comes in this tick shares the transaction.
      queueMicrotask(() => this.#flush());
    }
    const last = this.#waiting.at(-1);
    if (last !== undefined && !last.isFull) return last;
    const gathering = new Gathering();
    this.#waiting.push(gathering);
    return gathering;
  }

  /** Resolves when everything that was accepted is done. */
  async idle(): Promise<void> {
    while (this.#inFlight > 0 || this.#waiting.length > 0) {
      await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    }
  }

  #flush(): void {
    this.#flushing = false;
    while (this.#inFlight < MOST_IN_FLIGHT) {
      const gathering = this.#waiting.shift();
      if (gathering === undefined) return;
      this.#inFlight += 1;
      const startMs = this.#options.clock.monotonicMs();
      this.#options.link.request(gathering.request()).then(
        (committed) => this.#settle(gathering, committed, startMs),
        (error) => this.#fail(gathering, error),
      );
    }
  }

  #settle(gathering: Gathering, committed: Committed, startMs: number): void {
    const ms = this.#options.clock.monotonicMs() - startMs;
    if (committed.failure !== undefined) gathering.fail(new EngineError("unavailable", committed.failure));
    else {
      const announced = gathering.announced(committed);
      if (announced.length > 0) this.#options.announce(announced);
      if (gathering.writes) this.#options.onCommit?.({ items: gathering.itemCount, ms });
      gathering.succeed(this.#options.epoch, committed);
    }
    gathering.answerTops(committed);
    this.#landed();
  }

  #fail(gathering: Gathering, error: EngineError): void {
    gathering.fail(error);
    gathering.failTops(error);
    this.#landed();
  }

  #landed(): void {
    this.#inFlight -= 1;
    this.#flush();
    if (this.#inFlight > 0) return;
    const wake = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of wake) resolve();
  }
}
