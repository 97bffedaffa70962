/**
 * What is counted of publications, until it is written: how many devices were sent each, have it, have read it, and where
 * it is kept, which and when. Written together with the devices' positions, so that after a crash both stand at one second.
 */
import type { Lane } from "@carillon/protocol/position";
import type { Engine, KeptRecord, RecordChange } from "../engine/engine.ts";
import type { Clock } from "../lib/clock.ts";

/** The records of what is counted, by publication… */
export const COUNTS = "receipt";
/** …and of what is known of one device and one publication, by both, with the publication as label. */
export const NAMED = "receipt-of";
/** How long receipts are kept, from the publication on. */
export const KEEP_RECEIPTS_MS = 30 * 86_400_000;
/** Publications and receipts that wait to be written; what is more is not counted. */
const MAX_WAITING = 100_000;

/** Which publication it is. */
export interface Counted {
  readonly id: string;
  readonly channel: string;
  /** 0 where it was not stored. */
  readonly offset: number;
  readonly lane: Lane;
  readonly timeMs: number;
  readonly expiresAtMs: number | undefined;
}

/** What is kept of it. */
export interface KeptCounts extends Omit<Counted, "id" | "expiresAtMs"> {
  readonly expiresAtMs?: number;
  /** Absent until they have been counted. */
  readonly recipients?: number;
  readonly sent: number;
  readonly received: number;
  readonly read: number;
}

/** What has been counted since. */
export interface Delta {
  readonly of: Counted;
  recipients: number | undefined;
  sent: number;
  received: number;
  read: number;
}

/** Milliseconds since 1970. */
export interface Times {
  readonly sentMs?: number;
  readonly receivedMs?: number;
  readonly readMs?: number;
}

/** What is to be written, and what to do if it was not. */
export interface Batch {
  readonly changes: readonly RecordChange[];
  readonly counts: ReadonlyMap<string, KeptCounts>;
  putBack(): void;
}

export interface ReceiptLogPorts {
  readonly engine: Pick<Engine, "record">;
  readonly clock: Pick<Clock, "wallMs">;
  /** Something waits to be written. */
  waits(): void;
}

export class ReceiptLog {
  readonly #ports: ReceiptLogPorts;
  #deltas = new Map<string, Delta>();
  /** By device and publication. */
  #times = new Map<string, Times>();

  constructor(ports: ReceiptLogPorts) {
    this.#ports = ports;
  }

  get isWaiting(): boolean {
    return this.#deltas.size > 0 || this.#times.size > 0;
  }

  /** What has been counted of a publication and is not written yet. */
  waitingOf(id: string): Delta | undefined {
    return this.#deltas.get(id);
  }

  timesOf(key: string): Times | undefined {
    return this.#times.get(key);
  }

  /** What is counted up for a publication; `undefined` when too much waits. */
  of(counted: Counted): Delta | undefined {
    const known = this.#deltas.get(counted.id);
    if (known !== undefined || this.#deltas.size >= MAX_WAITING) return known;
    const { id, channel, offset, lane, timeMs, expiresAtMs } = counted;
    const of = { id, channel, offset, lane, timeMs, expiresAtMs };
    const delta = { of, recipients: undefined, sent: 0, received: 0, read: 0 };
    this.#deltas.set(id, delta);
    this.#ports.waits();
    return delta;
  }

  note(key: string, times: Times): void {
    const before = this.#times.get(key);
    if (before === undefined && this.#times.size >= MAX_WAITING) return;
    // What was first is what counts.
    this.#times.set(key, { ...times, ...before });
    this.#ports.waits();
  }

  /**
   * Takes what waits to be written.
   * @throws {EngineError} by rejection; then it still waits.
   */
  async take(): Promise<Batch> {
    const deltas = this.#deltas;
    const times = this.#times;
    this.#deltas = new Map();
    this.#times = new Map();
    const putBack = () => this.#putBack(deltas, times);
    try {
      const counts = new Map<string, KeptCounts>();
      const changes: RecordChange[] = [];
      for (const [id, delta] of deltas) {
        const record = await this.#ports.engine.record(COUNTS, id);
        const kept = added(record, delta);
        counts.set(id, kept);
        const dueMs = kept.timeMs + KEEP_RECEIPTS_MS;
        changes.push({ kind: COUNTS, id, data: JSON.stringify(kept), dueMs, expect: record?.data ?? null });
      }
      for (const [key, some] of times) changes.push(await this.#named(key, some));
      return { changes, counts, putBack };
    } catch (error) {
      putBack();
      throw error;
    }
  }

  async #named(key: string, times: Times): Promise<RecordChange> {
    const record = await this.#ports.engine.record(NAMED, key);
    const data = JSON.stringify({ ...times, ...timesIn(record) });
    const publication = key.slice(key.indexOf(" ") + 1);
    const dueMs = record?.dueMs ?? this.#ports.clock.wallMs() + KEEP_RECEIPTS_MS;
    return { kind: NAMED, id: key, data, labels: [publication], dueMs, expect: record?.data ?? null };
  }

  #putBack(deltas: ReadonlyMap<string, Delta>, times: ReadonlyMap<string, Times>): void {
    for (const { of, recipients, sent, received, read } of deltas.values()) {
      const delta = this.of(of);
      if (delta === undefined) continue;
      delta.recipients ??= recipients;
      delta.sent += sent;
      delta.received += received;
      delta.read += read;
    }
    for (const [key, some] of times) this.note(key, some);
  }
}

export function receiptKey(device: string, publication: string): string {
  return `${device} ${publication}`;
}

/** The device that a record of what is known of one device and one publication is of; `undefined` for any other. */
export function receiverIn({ kind, id }: Pick<KeptRecord, "kind" | "id">): string | undefined {
  return kind === NAMED ? id.split(" ", 1)[0] : undefined;
}

export function timesIn(record: KeptRecord | undefined): Times | undefined {
  return record === undefined ? undefined : (JSON.parse(record.data) as Times);
}

/** What is kept with what has been counted since. */
export function added(record: KeptRecord | undefined, { of, ...delta }: Delta): KeptCounts {
  const kept = record === undefined ? undefined : (JSON.parse(record.data) as KeptCounts);
  const { channel, offset, lane, timeMs, expiresAtMs } = kept ?? of;
  const recipients = delta.recipients ?? kept?.recipients;
  return {
    channel,
    offset,
    lane,
    timeMs,
    ...(expiresAtMs !== undefined && { expiresAtMs }),
    ...(recipients !== undefined && { recipients }),
    sent: (kept?.sent ?? 0) + delta.sent,
    received: (kept?.received ?? 0) + delta.received,
    read: (kept?.read ?? 0) + delta.read,
  };
}
