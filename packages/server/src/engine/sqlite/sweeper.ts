/** Decides, on the main thread, what the writer is to remove, and hands it out slice by slice. */
import type { CancelTimer, Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Accepted, RetentionOf } from "../engine.ts";
import { isBounded } from "../retention.ts";
import type { ChannelRetention } from "./messages.ts";
import type { Reader } from "./reader.ts";
import type { WriterLink } from "./writer-link.ts";

/** How often it looks. */
const SWEEP_MS = 1_000;
/** Channels whose age is looked at each time, in turn: half a millisecond. A million take half an hour. */
const SCANNED = 500;
/** Channels handed over at once. */
const HANDED_OVER = 500;
/** Channels noted between two looks as published to; those beyond are found when their turn comes. */
const MOST_NOTED = 10_000;

export interface SweeperOptions {
  readonly link: WriterLink;
  readonly reader: Reader;
  readonly clock: Clock;
  readonly log: Log;
  readonly retentionOf: RetentionOf;
}

export class Sweeper {
  readonly #options: SweeperOptions;
  #published = new Set<string>();
  #scannedTo = 0;
  #cancel: CancelTimer;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: SweeperOptions) {
    this.#options = options;
    this.#cancel = options.clock.setTimer(SWEEP_MS, () => this.#look());
  }

  note(commit: readonly Accepted[]): void {
    let last = "";
    for (const { channel, offset } of commit) {
      if (channel === last || offset === 0) continue;
      last = channel;
      if (this.#published.size < MOST_NOTED) this.#published.add(channel);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#running;
  }

  #look(): void {
    this.#running = this.#sweep()
      .catch((error) => this.#options.log.debug(`Nothing could be removed: ${error.message}`))
      .finally(() => {
        if (!this.#stopped) this.#cancel = this.#options.clock.setTimer(SWEEP_MS, () => this.#look());
      });
  }

  async #sweep(): Promise<void> {
    const { link, clock } = this.#options;
    const nowMs = clock.wallMs();
    for (let done = 0; done === 0 && !this.#stopped; )
      ({ done } = await link.request({ kind: "expire", nowMs }));
    const due = [...this.#duePublished(), ...this.#dueScanned(nowMs)];
    while (due.length > 0 && !this.#stopped) {
      const { done } = await link.request({ kind: "trim", nowMs, channels: due.slice(0, HANDED_OVER) });
      due.splice(0, done);
    }
  }

  /** Channels published to since the last look; the writer has their rows at hand and sees whether they are too big. */
  #duePublished(): ChannelRetention[] {
    const published = this.#published;
    this.#published = new Set();
    return [...published].flatMap((channel) => {
      const retention = this.#options.retentionOf(channel);
      return isBounded(retention) ? [{ channel, ...retention }] : [];
    });
  }

  /** Channels in turn, also those that nobody publishes to: what they hold grows old all the same. */
  #dueScanned(nowMs: number): ChannelRetention[] {
    const page = this.#options.reader.scan(this.#scannedTo, SCANNED);
    this.#scannedTo = page.length < SCANNED ? 0 : (page.at(-1)?.id ?? 0);
    return page.flatMap(({ channel, count, bytes, oldestMs }) => {
      const retention = this.#options.retentionOf(channel);
      const { maxAgeMs = Infinity, maxCount = Infinity, maxBytes = Infinity } = retention;
      const isDue = count > maxCount || bytes > maxBytes || (count > 0 && nowMs - oldestMs >= maxAgeMs);
      return isDue ? [{ channel, ...retention }] : [];
    });
  }
}
