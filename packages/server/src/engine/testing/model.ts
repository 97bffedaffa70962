/** The contract once more, as plainly as it can be written: everything in one list, looked through every time. */
import { furthest, type Offsets } from "@carillon/protocol/position";
import { accepted } from "../accepted.ts";
import {
  type Accepted,
  type DevicePosition,
  IDEMPOTENCY_MS,
  type KeptPosition,
  type KeptRecord,
  type NewPublication,
  type PublishResult,
  type RecordChange,
  type Retention,
} from "../engine.ts";

import { CHANNELS } from "./arbitraries.ts";

interface Kept {
  readonly item: NewPublication;
  readonly publication: Accepted;
  /** Or withdrawn. */
  superseded: boolean;
  withdrawn: boolean;
}

type Result = Omit<PublishResult, "epoch">;

export interface Outcome {
  readonly result: Result;
  readonly announced: Accepted | undefined;
}

export class Model {
  readonly #retention: Retention;
  #kept: Kept[] = [];
  #firsts: { readonly item: NewPublication; readonly result: Result }[] = [];
  /** Per channel: up to here retention was ever free to drop. */
  readonly #droppable = new Map<string, number>();

  /** With their channels. */
  readonly #removed: Accepted[] = [];
  #records: KeptRecord[] = [];
  #positions: (Omit<DevicePosition, "position" | "sent"> & { readonly kept: KeptPosition })[] = [];

  constructor(retention: Retention) {
    this.#retention = retention;
  }

  topOf(channel: string): Offsets {
    const top = (lane: number) =>
      this.#of(channel).findLast(({ item }) => item.lane === lane)?.publication.offset ?? 0;
    return [top(0), top(1), top(2)];
  }

  /** What a reader may see at all, and from which offset on it must see it, for it cannot have been dropped. */
  visible(
    channel: string,
    nowMs: number,
  ): { readonly publications: readonly Accepted[]; readonly beyond: number } {
    this.#noteDroppable(channel, nowMs);
    const live = this.#of(channel).filter(
      ({ item, superseded }) => !superseded && (item.expiresAtMs ?? Number.POSITIVE_INFINITY) > nowMs,
    );
    return {
      publications: live.map(({ publication }) => publication),
      beyond: this.#droppable.get(channel) ?? 0,
    };
  }

  /** One call: what came of each item, or `undefined` if a record was not as expected. */
  call(items: readonly NewPublication[], changes: readonly RecordChange[]): readonly Outcome[] | undefined {
    const before = this.#records;
    for (const { expect, ...change } of changes) {
      const now = this.record(change.kind, change.id)?.data ?? null;
      if (expect !== undefined && now !== expect) {
        this.#records = before;
        return undefined;
      }
      this.#saveRecord(change);
    }
    return items.map((item) => this.#publish(item));
  }

  /** All that was ever published: whether it must be kept, or must not. */
  published(nowMs: number) {
    const sure = CHANNELS.flatMap((channel) => {
      const { publications, beyond } = this.visible(channel, nowMs);
      return publications.filter(({ offset }) => offset > beyond);
    });
    const isSure = (publication: Accepted) => sure.includes(publication);
    const removed = this.#removed.map((publication) => ({ publication, mustBe: false, mustNotBe: true }));
    const others = this.#kept.map(({ publication, withdrawn }) => {
      return { publication, mustBe: isSure(publication), mustNotBe: withdrawn };
    });
    return [...removed, ...others];
  }

  savePosition({ device, channel, position, sent = position.offsets }: DevicePosition): void {
    const before = this.positionsOf(device).get(channel);
    let kept = { ...position, sent: furthest(position.offsets, sent) };
    if (before?.epoch === position.epoch) {
      const offsets = furthest(before.offsets, kept.offsets);
      kept = { ...position, offsets, sent: furthest(before.sent, kept.sent) };
    }
    this.#positions = this.#positions.filter((each) => each.device !== device || each.channel !== channel);
    this.#positions.push({ device, channel, kept });
  }

  positionsOf(device: string): ReadonlyMap<string, KeptPosition> {
    const own = this.#positions.filter((each) => each.device === device);
    return new Map(own.map(({ channel, kept }) => [channel, kept]));
  }

  removeDevice(device: string, channels: readonly string[]): void {
    const isRemoved = (item: NewPublication) => channels.includes(item.channel);
    this.#positions = this.#positions.filter((each) => each.device !== device);
    this.#removed.push(
      ...this.#kept.flatMap(({ item, publication }) => (isRemoved(item) ? [publication] : [])),
    );
    this.#kept = this.#kept.filter(({ item }) => !isRemoved(item));
    this.#firsts = this.#firsts.filter(({ item }) => !isRemoved(item));
    for (const channel of channels) this.#droppable.delete(channel);
  }

  /** Whether it was there; `undefined` if an engine may have removed it or not. */
  withdraw(channel: string, offset: number, nowMs: number): boolean | undefined {
    const { publications, beyond } = this.visible(channel, nowMs);
    const kept = this.#of(channel).find(({ publication }) => publication.offset === offset);
    if (kept === undefined) return false;
    const isThere = publications.includes(kept.publication) && offset > beyond ? true : undefined;
    kept.superseded = true;
    kept.withdrawn = true;
    return isThere;
  }

  record(kind: string, id: string): KeptRecord | undefined {
    return this.#records.find((each) => each.kind === kind && each.id === id);
  }

  recordsOf(kind: string): readonly KeptRecord[] {
    const ids = this.#records.flatMap((each) => (each.kind === kind ? [each.id] : [])).sort();
    return ids.flatMap((id) => this.record(kind, id) ?? []);
  }

  labelled(kind: string, label: string): readonly KeptRecord[] {
    return this.recordsOf(kind).filter(({ labels = [] }) => labels.includes(label));
  }

  due(kind: string, untilMs: number): readonly KeptRecord[] {
    const timeOf = ({ dueMs = Infinity }: KeptRecord) => dueMs;
    // By id within one time: sorting is stable.
    const all = [...this.recordsOf(kind)].sort((one, other) =>
      timeOf(one) === timeOf(other) ? 0 : timeOf(one) - timeOf(other),
    );
    return all.filter((each) => timeOf(each) <= untilMs);
  }

  #saveRecord({ kind, id, data, dueMs, labels = [] }: RecordChange): void {
    this.#records = this.#records.filter((each) => each.kind !== kind || each.id !== id);
    if (data === undefined) return;
    const time = dueMs === undefined ? {} : { dueMs };
    this.#records = [...this.#records, { kind, id, data, ...time, ...(labels.length > 0 && { labels }) }];
  }

  #publish(item: NewPublication): Outcome {
    const first = this.#firsts.findLast(
      (each) =>
        item.idempotencyKey !== undefined &&
        each.item.idempotencyKey === item.idempotencyKey &&
        each.item.channel === item.channel &&
        item.timeMs - each.item.timeMs < IDEMPOTENCY_MS,
    );
    if (first !== undefined) return { result: { ...first.result, duplicate: true }, announced: undefined };
    const publication = item.stored ? this.#append(item) : accepted(item, 0, 0);
    const { id, timeMs } = item;
    const result = { id, offset: publication.offset, timeMs, duplicate: false };
    this.#firsts.push({ item, result });
    return { result, announced: publication };
  }

  #append(item: NewPublication): Accepted {
    const { channel, collapseKey } = item;
    // An engine may have dropped already what is superseded now.
    this.#noteDroppable(channel, item.timeMs);
    const lanes = this.topOf(channel);
    const publication = accepted(item, Math.max(...lanes) + 1, lanes[item.lane]);
    for (const other of this.#of(channel)) {
      if (collapseKey !== undefined && other.item.collapseKey === collapseKey) other.superseded = true;
    }
    this.#kept.push({ item, publication, superseded: false, withdrawn: false });
    this.#noteDroppable(channel, item.timeMs);
    return publication;
  }

  #of(channel: string): Kept[] {
    return this.#kept.filter(({ item }) => item.channel === channel);
  }

  /** An engine may have removed what is expired or not; with it there, retention is free to drop the most. */
  #noteDroppable(channel: string, nowMs: number): void {
    const { maxAgeMs = Infinity, maxCount = Infinity, maxBytes = Infinity } = this.#retention;
    const there = this.#of(channel).filter(({ superseded }) => !superseded);
    let count = 0;
    let bytes = 0;
    for (const { item, publication } of there.reverse()) {
      count += 1;
      bytes += bytesOf(item);
      if (count > maxCount || bytes > maxBytes || nowMs - item.timeMs >= maxAgeMs) {
        this.#droppable.set(channel, Math.max(publication.offset, this.#droppable.get(channel) ?? 0));
        return;
      }
    }
  }
}

export function bytesOf({ data, meta }: Pick<NewPublication, "data" | "meta">): number {
  return Buffer.byteLength(data) + Buffer.byteLength(meta);
}
