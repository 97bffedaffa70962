/** One channel of the memory engine: its publications by offset, and what has been dropped of them. */
import type { Lane, Offsets } from "@carillon/protocol/position";
import { accepted } from "./accepted.ts";
import type { Accepted, NewPublication, ReadPage, ReadRequest, Retention } from "./engine.ts";
import { gapOf } from "./gap.ts";

interface Entry {
  readonly publication: Accepted;
  readonly bytes: number;
  readonly collapseKey: string | undefined;
  /** Superseded, expired or dropped: waits for the next compaction. */
  gone: boolean;
}

/** Compacting costs a pass over the channel, so it waits until it frees at least half, and at least this many. */
const COMPACT_LEAST = 64;

export class MemoryLog {
  readonly retention: Retention;
  readonly #byId: Map<string, Accepted>;
  #lanes: Offsets = [0, 0, 0];
  #dropped: Offsets = [0, 0, 0];
  #entries: Entry[] = [];
  /** Where the oldest entry that may still be there stands in `#entries`. */
  #head = 0;
  #byCollapseKey = new Map<string, Entry>();
  #nextExpiryMs = Number.POSITIVE_INFINITY;
  #count = 0;
  #bytes = 0;

  /** `byId` holds what is kept here, and in other logs. */
  constructor(retention: Retention, byId: Map<string, Accepted>) {
    this.retention = retention;
    this.#byId = byId;
  }

  get lanes(): Offsets {
    return this.#lanes;
  }
  get offset(): number {
    return Math.max(...this.#lanes);
  }
  get count(): number {
    return this.#count;
  }
  get bytes(): number {
    return this.#bytes;
  }

  append(item: NewPublication): Accepted {
    const offset = this.offset + 1;
    const publication = accepted(item, offset, this.#lanes[item.lane]);
    const bytes = Buffer.byteLength(item.data) + Buffer.byteLength(item.meta);
    this.#lanes = withLane(this.#lanes, item.lane, offset);
    this.#supersede(item.collapseKey);
    const entry: Entry = { publication, bytes, collapseKey: item.collapseKey, gone: false };
    this.#entries.push(entry);
    this.#byId.set(publication.id, publication);
    if (item.collapseKey !== undefined) this.#byCollapseKey.set(item.collapseKey, entry);
    this.#nextExpiryMs = Math.min(this.#nextExpiryMs, item.expiresAtMs ?? Number.POSITIVE_INFINITY);
    this.#count += 1;
    this.#bytes += bytes;
    return publication;
  }

  read({ after, upTo, limit, maxBytes, nowMs }: ReadRequest): Omit<ReadPage, "epoch"> {
    const publications: Accepted[] = [];
    let bytes = 0;
    let to = upTo;
    for (let index = this.#firstBeyond(Math.min(...after)); index < this.#entries.length; index++) {
      const entry = this.#entries[index];
      if (entry === undefined || entry.publication.offset > upTo) break;
      const { publication } = entry;
      if (entry.gone || publication.offset <= after[publication.lane] || isExpired(publication, nowMs))
        continue;
      bytes += entry.bytes;
      if (publications.length === limit || (bytes > maxBytes && publications.length > 0)) {
        to = publications.at(-1)?.offset ?? Math.min(...after);
        break;
      }
      publications.push(publication);
    }
    const gap = gapOf(this.#dropped, { after, upTo });
    return gap === undefined ? { publications, to } : { publications, to, gap };
  }

  /** Takes one out as if it was superseded; `false` if it is not there. */
  withdraw(offset: number): boolean {
    const entry = this.#entries[this.#firstBeyond(offset - 1)];
    if (entry?.publication.offset !== offset || entry.gone) return false;
    this.#remove(entry);
    this.#compact();
    return true;
  }

  /** Before the log itself is dropped. */
  clear(): void {
    for (const entry of this.#entries) if (!entry.gone) this.#remove(entry);
  }

  /** Drops from the oldest on what is beyond the retention. */
  trim(nowMs: number): void {
    for (let entry = this.#oldest(); entry !== undefined && this.#isBeyond(entry, nowMs); ) {
      const { lane, offset } = entry.publication;
      this.#dropped = withLane(this.#dropped, lane, offset);
      this.#remove(entry);
      entry = this.#oldest();
    }
    this.#compact();
  }

  removeExpired(nowMs: number): void {
    if (nowMs < this.#nextExpiryMs) return;
    this.#nextExpiryMs = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries) {
      if (entry.gone) continue;
      if (isExpired(entry.publication, nowMs)) this.#remove(entry);
      else this.#nextExpiryMs = Math.min(this.#nextExpiryMs, entry.publication.expiresAtMs ?? Infinity);
    }
    this.#compact();
  }

  #isBeyond({ publication }: Entry, nowMs: number): boolean {
    const { maxAgeMs = Infinity, maxCount = Infinity, maxBytes = Infinity } = this.retention;
    return this.#count > maxCount || this.#bytes > maxBytes || nowMs - publication.timeMs >= maxAgeMs;
  }

  #supersede(collapseKey: string | undefined): void {
    const earlier = collapseKey === undefined ? undefined : this.#byCollapseKey.get(collapseKey);
    if (earlier === undefined) return;
    this.#remove(earlier);
    this.#compact();
  }

  #remove(entry: Entry): void {
    entry.gone = true;
    this.#byId.delete(entry.publication.id);
    this.#count -= 1;
    this.#bytes -= entry.bytes;
    if (entry.collapseKey !== undefined) this.#byCollapseKey.delete(entry.collapseKey);
  }

  #oldest(): Entry | undefined {
    while (this.#entries[this.#head]?.gone === true) this.#head += 1;
    return this.#entries[this.#head];
  }

  #compact(): void {
    if (this.#entries.length - this.#count < this.#count + COMPACT_LEAST) return;
    this.#entries = this.#entries.filter(({ gone }) => !gone);
    this.#head = 0;
  }

  /** The index of the first entry whose offset is greater than `offset`. */
  #firstBeyond(offset: number): number {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle]?.publication.offset ?? 0) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function withLane(offsets: Offsets, lane: Lane, offset: number): Offsets {
  return offsets.with(lane, offset) as unknown as Offsets;
}

function isExpired({ expiresAtMs }: Accepted, nowMs: number): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= nowMs;
}
