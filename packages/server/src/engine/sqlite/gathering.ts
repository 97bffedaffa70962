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
import type { Commit, Committed } from "./messages.ts";

interface Waiter<Value> {
  readonly resolve: (value: Value) => void;
  readonly reject: (error: EngineError) => void;
}

interface Call extends Waiter<readonly PublishResult[]> {
  readonly items: readonly NewPublication[];
}

/**
 * What fits in one: 512 publications keep both threads busy when 1,000 callers wait, and neither those nor half a
 * megabyte of text hold the event loop for more than about a millisecond. One call is never divided.
 */
const MOST_ITEMS = 512;
const MOST_CHARACTERS = 512 * 1_024;

export class Gathering {
  #calls: Call[] = [];
  #itemCount = 0;
  #characters = 0;
  #positions: DevicePosition[] = [];
  #records: RecordChange[] = [];
  #probe = false;
  /** Of positions, records and probes. */
  #writes: Waiter<void>[] = [];
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
    return this.#calls.length > 0 || this.#writes.length > 0;
  }

  publish(items: readonly NewPublication[]): Promise<readonly PublishResult[]> {
    this.#itemCount += items.length;
    for (const { data, meta } of items) this.#characters += data.length + meta.length;
    return new Promise((resolve, reject) => this.#calls.push({ items, resolve, reject }));
  }

  savePositions(positions: readonly DevicePosition[]): Promise<void> {
    for (const each of positions) this.#positions.push(each);
    return new Promise((resolve, reject) => this.#writes.push({ resolve, reject }));
  }

  saveRecords(changes: readonly RecordChange[]): Promise<void> {
    for (const each of changes) {
      this.#records.push(each);
      this.#characters += each.data?.length ?? 0;
    }
    return new Promise((resolve, reject) => this.#writes.push({ resolve, reject }));
  }

  probe(): Promise<void> {
    this.#probe = true;
    return new Promise((resolve, reject) => this.#writes.push({ resolve, reject }));
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
    const [positions, records, probe] = [this.#positions, this.#records, this.#probe];
    return { kind: "commit", items, positions, records, tops, probe };
  }

  /** What is to be announced of the commit. */
  announced({ offsets, repeats }: Committed): Accepted[] {
    const repeated = new Set(repeats.map(({ index }) => index));
    const announced: Accepted[] = [];
    let index = 0;
    for (const { items } of this.#calls) {
      for (const item of items) {
        const isRepeat = repeated.size > 0 && repeated.has(index);
        if (!isRepeat) announced.push(accepted(item, offsets[2 * index] ?? 0, offsets[2 * index + 1] ?? 0));
        index += 1;
      }
    }
    return announced;
  }

  succeed(epoch: string, { offsets, repeats }: Committed): void {
    const firsts = new Map(repeats.map((repeat) => [repeat.index, repeat]));
    let index = 0;
    for (const { items, resolve } of this.#calls) {
      const results = items.map(({ id, timeMs }): PublishResult => {
        const first = firsts.size === 0 ? undefined : firsts.get(index);
        const offset = offsets[2 * index] ?? 0;
        index += 1;
        if (first === undefined) return { id, epoch, offset, timeMs, duplicate: false };
        return { id: first.id, epoch, offset: first.offset, timeMs: first.timeMs, duplicate: true };
      });
      resolve(results);
    }
    for (const { resolve } of this.#writes) resolve();
  }

  /** Nothing of it was kept. */
  fail(error: EngineError): void {
    for (const { reject } of this.#calls) reject(error);
    for (const { reject } of this.#writes) reject(error);
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
