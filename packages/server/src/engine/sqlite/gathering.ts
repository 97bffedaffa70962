/** What waits for the next transaction, and who is told what came of it. */
import type { Offsets } from "@carillon/protocol/position";
import { accepted } from "../accepted.ts";
import type {
  Accepted,
  DevicePosition,
  EngineError,
  NewPublication,
  PublishResult,
  RecordChange,
} from "../engine.ts";
import { conflict } from "../expectations.ts";
import type { Commit, Committed, Deed } from "./messages.ts";

/** What a call does besides publications and records, if those are as it expects. */
type Besides = Omit<Deed, "at" | "count" | "changes">;

interface Waiter<Value> {
  readonly resolve: (value: Value) => void;
  readonly reject: (error: EngineError) => void;
}

interface Call {
  readonly items: readonly NewPublication[];
  /** Where it stands among the deeds; -1 if it is not one. */
  readonly place: number;
  /** `isThere`: whether what it was to withdraw was there. */
  readonly resolve: (results: readonly PublishResult[], isThere: boolean) => void;
  readonly reject: (error: EngineError) => void;
}

/**
 * What fits in one: 512 publications keep both threads busy when 1,000 callers wait, and neither those nor half a
 * megabyte of text hold the event loop for more than about a millisecond. One call is never divided.
 */
const MOST_ITEMS = 512;
const MOST_CHARACTERS = 512 * 1_024;
/** To write a position takes as long as to write a publication of this many characters. */
const POSITION_CHARACTERS = 512;

export class Gathering {
  #calls: Call[] = [];
  #itemCount = 0;
  #characters = 0;
  #deeds: Deed[] = [];
  #probes: Waiter<void>[] = [];
  #tops = new Map<string, Waiter<Offsets> & { readonly promise: Promise<Offsets> }>();

  get isFull(): boolean {
    return this.#itemCount >= MOST_ITEMS || this.#characters >= MOST_CHARACTERS;
  }

  /** How many publications it is to make. */
  get itemCount(): number {
    return this.#itemCount;
  }

  /** Anything at all is to be written; tops alone are only asked for. */
  get writes(): boolean {
    return this.#calls.length > 0 || this.#probes.length > 0;
  }

  publish(
    items: readonly NewPublication[],
    changes: readonly RecordChange[] = [],
  ): Promise<readonly PublishResult[]> {
    const place = changes.length > 0 ? this.#add(items.length, changes) : -1;
    this.#itemCount += items.length;
    for (const { data, meta } of items) this.#characters += data.length + meta.length;
    return new Promise((resolve, reject) => this.#calls.push({ items, place, resolve, reject }));
  }

  /** Of the items that come next, `count`. */
  #add(count: number, changes: readonly RecordChange[], besides?: Besides): number {
    for (const { kind, id, data, expect } of changes) {
      this.#characters += kind.length + id.length + (data?.length ?? 0) + (expect?.length ?? 0);
    }
    return this.#deeds.push({ at: this.#itemCount, count, changes, ...besides }) - 1;
  }

  async savePositions(positions: readonly DevicePosition[], changes: readonly RecordChange[]): Promise<void> {
    this.#characters += positions.length * POSITION_CHARACTERS;
    await this.#do(changes, { positions });
  }

  async removeDevice(
    device: string,
    channels: readonly string[],
    changes: readonly RecordChange[],
  ): Promise<void> {
    await this.#do(changes, { removal: { device, channels } });
  }

  withdraw(channel: string, offset: number): Promise<boolean> {
    return this.#do([], { withdrawal: { channel, offset } });
  }

  /** Resolves to `false` if it was to withdraw what is not there. */
  #do(changes: readonly RecordChange[], besides: Besides): Promise<boolean> {
    const place = this.#add(0, changes, besides);
    return new Promise((resolve, reject) => {
      this.#calls.push({ items: [], place, resolve: (_, isThere) => resolve(isThere), reject });
    });
  }

  probe(): Promise<void> {
    return new Promise((resolve, reject) => this.#probes.push({ resolve, reject }));
  }

  /** Ten thousand apps that subscribe at once share one question. */
  top(channel: string): Promise<Offsets> {
    let asked = this.#tops.get(channel);
    if (asked === undefined) {
      asked = Promise.withResolvers();
      this.#tops.set(channel, asked);
    }
    return asked.promise;
  }

  request(): Commit {
    const items = this.#calls.flatMap((call) => call.items);
    const tops = [...this.#tops.keys()];
    return { kind: "commit", items, deeds: this.#deeds, tops, probe: this.#probes.length > 0 };
  }

  /** What is to be announced of the commit. */
  announced({ offsets, repeats, conflicts }: Committed): Accepted[] {
    const repeated = new Set(repeats.map(({ index }) => index));
    const refused = new Set(conflicts);
    const announced: Accepted[] = [];
    let index = 0;
    for (const { items, place } of this.#calls) {
      const isRefused = refused.size > 0 && refused.has(place);
      for (const item of items) {
        const isTold = !isRefused && !(repeated.size > 0 && repeated.has(index));
        if (isTold) announced.push(accepted(item, offsets[2 * index] ?? 0, offsets[2 * index + 1] ?? 0));
        index += 1;
      }
    }
    return announced;
  }

  /** It has been committed, all but the calls that were left out of it. */
  succeed(epoch: string, { offsets, repeats, conflicts, missing }: Committed): void {
    const firsts = new Map(repeats.map((repeat) => [repeat.index, repeat]));
    const refused = new Set(conflicts);
    const absent = new Set(missing);
    let index = 0;
    for (const { items, place, resolve, reject } of this.#calls) {
      const results = items.map(({ id, timeMs }): PublishResult => {
        const first = firsts.size === 0 ? undefined : firsts.get(index);
        const offset = offsets[2 * index] ?? 0;
        index += 1;
        if (first === undefined) return { id, epoch, offset, timeMs, duplicate: false };
        return { id: first.id, epoch, offset: first.offset, timeMs: first.timeMs, duplicate: true };
      });
      if (refused.size > 0 && refused.has(place)) reject(conflict());
      else resolve(results, !absent.has(place));
    }
    for (const { resolve } of this.#probes) resolve();
  }

  /** Nothing of it was kept. */
  fail(error: EngineError): void {
    for (const { reject } of this.#calls) reject(error);
    for (const { reject } of this.#probes) reject(error);
  }

  answerTops({ tops }: Committed): void {
    let index = 0;
    for (const { resolve } of this.#tops.values()) {
      const [high = 0, normal = 0, low = 0] = tops.slice(index, index + 3);
      resolve([high, normal, low]);
      index += 3;
    }
  }

  failTops(error: EngineError): void {
    for (const { reject } of this.#tops.values()) reject(error);
  }
}
