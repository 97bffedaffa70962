/**
 * Pages of history, read and encoded once for all who need the same one: ten thousand clients that lost their server in
 * the same moment come back with the same position, and share one read and one encoding.
 */
import { type Offsets, together } from "@carillon/protocol/position";
import type { Accepted, Engine, ReadPage } from "../engine/engine.ts";
import type { Clock } from "../lib/clock.ts";
import { type View, viewKey } from "./audience.ts";
import { wirePage } from "./codecs.ts";
import { tagTest } from "./tag-expressions.ts";

/** A page with its frames, encoded per view when first asked for. */
export interface Page {
  readonly to: number;
  /** What of it those get who have this view. */
  publicationsFor(view: View): readonly Accepted[];
  framesFor(view: View): readonly string[];
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

  /** What was kept for others may hold what has been taken out of the channel since. */
  forget(channel: string): void {
    for (const key of this.#kept.keys()) if (key.startsWith(`${channel} `)) this.#kept.delete(key);
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
  const frames = new Map<string, readonly string[]>();
  const isForSome = page.publications.some(({ target }) => target !== undefined);
  const publicationsFor = ({ tags }: View) =>
    isForSome ? page.publications.filter(({ target }) => isFor(target, tags)) : page.publications;
  return {
    to: page.to,
    publicationsFor,
    framesFor(view) {
      const key = viewKey(isForSome ? view : { ...view, tags: undefined });
      let known = frames.get(key);
      if (known === undefined) {
        const publications = publicationsFor(view);
        known = view.codec.page(channel, { ...page, publications }, page.to < upTo, view.isUrgentOnly);
        frames.set(key, known);
      }
      return known;
    },
  };
}

/** Whether those with these tags are meant; without a target everybody is. */
export function isFor(target: string | undefined, tags: View["tags"]): boolean {
  return target === undefined || (tags !== undefined && tagTest(target)(tags.tags));
}
