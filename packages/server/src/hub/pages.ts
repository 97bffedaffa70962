/**
 * Pages of history, read and encoded once for all who need the same one: ten thousand clients that lost their server in
 * the same moment come back with the same position, and share one read and one encoding.
 */
import { type Offsets, together } from "@carillon/protocol/position";
import type { Engine, ReadPage } from "../engine/engine.ts";
import type { Clock } from "../lib/clock.ts";
import { type Codec, wirePage } from "./codecs.ts";

/** A page with its frames, encoded per codec when first asked for. */
export interface Page {
  readonly to: number;
  framesFor(codec: Codec): readonly string[];
}

/** Publications in a page. A frame of this many small ones is some 50 KB: one write, no long turn of the event loop. */
export const PAGE_LIMIT = 500;
/** A page of large publications ends about here, so that one read or one frame never blocks others for long. */
const PAGE_BYTES = 256 * 1024;
/** Pages kept, over all channels. */
const MAX_PAGES = 256;
/** A page that is older is read anew, so that one whose publications have expired since is not delivered. */
const MAX_AGE_MS = 1_000;

interface Kept {
  readonly page: Promise<Page>;
  readonly untilMs: number;
}

export class Pages {
  readonly #engine: Engine;
  readonly #clock: Clock;
  /** By channel, start and end; the least recently made first. */
  readonly #kept = new Map<string, Kept>();

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /**
   * The page of `channel` that begins after `after` and ends at `upTo` at the latest.
   * @throws {EngineError} by rejection.
   */
  page(channel: string, after: Offsets, upTo: number): Promise<Page> {
    const key = `${channel} ${after.join()} ${upTo}`;
    const nowMs = this.#clock.wallMs();
    const kept = this.#kept.get(key);
    // The first half is for a clock that was set back.
    if (kept !== undefined && nowMs >= kept.untilMs - MAX_AGE_MS && nowMs < kept.untilMs) return kept.page;
    const page = this.#read(channel, after, upTo, nowMs);
    this.#keep(key, { page, untilMs: nowMs + MAX_AGE_MS });
    page.catch(() => this.#kept.delete(key));
    return page;
  }

  /**
   * What is kept after `after`, for somebody who asks for it; not shared.
   * @throws {EngineError} by rejection.
   */
  async history(channel: string, after: number, limit: number): Promise<ReturnType<typeof wirePage>> {
    const { offset: upTo } = await this.#engine.top(channel);
    const request = {
      after: together(after),
      upTo,
      limit,
      maxBytes: PAGE_BYTES,
      nowMs: this.#clock.wallMs(),
    };
    const page = await this.#engine.read(channel, request);
    return wirePage(page, page.to < upTo);
  }

  async #read(channel: string, after: Offsets, upTo: number, nowMs: number): Promise<Page> {
    const request = { after, upTo, limit: PAGE_LIMIT, maxBytes: PAGE_BYTES, nowMs };
    return encodedOnce(channel, await this.#engine.read(channel, request), upTo);
  }

  #keep(key: string, kept: Kept): void {
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    if (this.#kept.size <= MAX_PAGES) return;
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
  }
}

function encodedOnce(channel: string, page: ReadPage, upTo: number): Page {
  const frames = new Map<Codec, readonly string[]>();
  return {
    to: page.to,
    framesFor(codec) {
      const known = frames.get(codec) ?? codec.page(channel, page, page.to < upTo);
      frames.set(codec, known);
      return known;
    },
  };
}
