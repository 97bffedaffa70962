/**
 * Receipts: what became of a publication. Of each that devices are sent it is counted how many it was for, how many it was
 * sent to, how many have it and how many have read it; who these are is kept where it went to one device or one user, and
 * where its publisher asked. Counts grow with publications alone.
 */
import type { Accepted, Engine, KeptRecord } from "../engine/engine.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { isWithdrawal } from "./codecs.ts";
import { EVERYONE } from "./devices/device.ts";
import type { EventSink } from "./events.ts";
import {
  added,
  type Batch,
  COUNTS,
  type Counted,
  type KeptCounts,
  NAMED,
  ReceiptLog,
  receiptKey,
  receiverIn,
  type Times,
  timesIn,
} from "./receipt-log.ts";

/** A publication, as much of it as has to be known until it is acknowledged. */
export interface Sent extends Counted {
  readonly target: string | undefined;
  /** Whether it is kept who has it. */
  readonly isNamed: boolean;
  /** By what one of a user's devices takes it from the others. */
  readonly withdrawOn: "ack" | "read" | undefined;
}

/** What is known of a publication's way, in devices. */
export interface Funnel {
  readonly id: string;
  readonly channel: string;
  readonly timeMs: number;
  readonly recipients: number;
  readonly sent: number;
  readonly received: number;
  readonly read: number;
  /** Of the recipients, those that it can no longer reach: it has expired, was superseded, withdrawn or dropped. */
  readonly expired: number;
}

/** What is known of one device and one publication; times in milliseconds since 1970. */
export interface Receipt extends Times {
  readonly device: string;
}

export interface ReceiptsPorts {
  readonly engine: Pick<Engine, "record" | "records" | "labelled" | "publication" | "due" | "saveRecords">;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventSink;
  /** Counts whom a publication is for. */
  countAudience(channel: string, target: string | undefined): Promise<number>;
  /** Something waits to be written. */
  waits(): void;
  /** The first of a user's devices has it: it is for nobody else any more. */
  withdraw(sent: Sent): void;
}

/** Channels that are known to have no device: most servers' publications are for none. */
const MAX_KNOWN_EMPTY = 10_000;

export class Receipts {
  readonly #ports: ReceiptsPorts;
  readonly #log: ReceiptLog;
  readonly #empty = new Set<string>();
  #changes = 0;

  constructor(ports: ReceiptsPorts) {
    this.#ports = ports;
    this.#log = new ReceiptLog(ports);
  }

  sentOf({ id, channel, offset, lane, timeMs, target, expiresAtMs, meta }: Accepted): Sent {
    const isDirect = channel.startsWith("$") && channel !== EVERYONE;
    const withdrawOn = isDirect ? withdrawOnIn(meta) : undefined;
    const isNamed = isDirect || meta.includes('"receipts":true');
    return { id, channel, offset, lane, timeMs, target, expiresAtMs, isNamed, withdrawOn };
  }

  /**
   * What is known of a publication by its id, also when it is kept no more.
   * @throws {EngineError} by rejection.
   */
  async find(id: string): Promise<Sent | undefined> {
    const publication = await this.#ports.engine.publication(id);
    if (publication !== undefined) return this.sentOf(publication);
    const record = await this.#ports.engine.record(COUNTS, id);
    if (record === undefined) return undefined;
    const { channel, offset, timeMs, lane } = JSON.parse(record.data) as KeptCounts;
    const nothing = { target: undefined, expiresAtMs: undefined, withdrawOn: undefined };
    return { id, channel, offset, timeMs, lane, isNamed: false, ...nothing };
  }

  /** Something was published: counts whom it is for. */
  published(publication: Accepted): void {
    const { channel } = publication;
    if (this.#empty.has(channel) || isWithdrawal(publication.meta)) return;
    this.#count(publication).catch((error) => {
      this.#ports.log.warn(`Whom a publication is for could not be counted: ${error}`, { channel });
    });
  }

  async #count(publication: Accepted): Promise<void> {
    const { channel, target } = publication;
    const changes = this.#changes;
    const count = await this.#ports.countAudience(channel, target);
    if (count > 0) {
      const delta = this.#log.of(this.sentOf(publication));
      if (delta !== undefined) delta.recipients = count;
    } else if (!channel.startsWith("$") && changes === this.#changes && this.#empty.size < MAX_KNOWN_EMPTY) {
      this.#empty.add(channel);
    }
  }

  /** Devices have come to channels, or left them. */
  devicesChanged(): void {
    this.#changes += 1;
    if (this.#empty.size > 0) this.#empty.clear();
  }

  /** It was sent live to so many devices. */
  sent(sent: Sent, devices: number): void {
    const delta = this.#log.of(sent);
    if (delta !== undefined) delta.sent += devices;
  }

  /** It was sent to this device, for the first time. */
  sentTo(sent: Sent, device: string): void {
    this.sent(sent, 1);
    this.name(sent, device, "sentMs");
  }

  /** The device has it. */
  received(sent: Sent, device: string): void {
    const delta = this.#log.of(sent);
    if (delta !== undefined) delta.received += 1;
    this.name(sent, device, "receivedMs");
    if (sent.withdrawOn === "ack") this.#ports.withdraw(sent);
  }

  /**
   * Its app says that it was read. Said again it is not counted again.
   * @throws {EngineError} by rejection.
   */
  async read(sent: Sent, device: string): Promise<void> {
    const key = receiptKey(device, sent.id);
    const record = await this.#ports.engine.record(NAMED, key);
    const known = this.#log.timesOf(key)?.readMs ?? timesIn(record)?.readMs;
    if (known !== undefined) return;
    const delta = this.#log.of(sent);
    if (delta !== undefined) delta.read += 1;
    this.#log.note(key, { readMs: this.#ports.clock.wallMs() });
    if (sent.withdrawOn === "read") this.#ports.withdraw(sent);
  }

  /** Keeps when it was so, where it is kept who has it. */
  name(sent: Sent, device: string, what: "sentMs" | "receivedMs"): void {
    if (!sent.isNamed) return;
    this.#log.note(receiptKey(device, sent.id), { [what]: this.#ports.clock.wallMs() });
  }

  get isWaiting(): boolean {
    return this.#log.isWaiting;
  }

  /**
   * Takes what waits to be written.
   * @throws {EngineError} by rejection; then it still waits.
   */
  take(): Promise<Batch> {
    return this.#log.take();
  }

  /** A batch is on disk. */
  written({ counts }: Batch): void {
    const { events } = this.#ports;
    if (!events.wants("receipts")) return;
    for (const [publication, { channel, recipients = 0, sent, received, read }] of counts) {
      events.tell({ type: "receipts", publication, channel, recipients, sent, received, read });
    }
  }

  /**
   * What became of a publication; `undefined` if nothing is known of one of this id.
   * @throws {EngineError} by rejection.
   */
  async funnel(id: string): Promise<Funnel | undefined> {
    const { engine, clock } = this.#ports;
    const publication = await engine.publication(id);
    const record = await engine.record(COUNTS, id);
    const waiting = this.#log.waitingOf(id);
    const of = waiting?.of ?? (publication && this.sentOf(publication)) ?? (record && NOBODY);
    if (of === undefined) return undefined;
    const kept = added(record, waiting ?? { of, ...NOTHING });
    const { channel, timeMs, expiresAtMs, recipients = 0, sent, received, read } = kept;
    const hasExpired = expiresAtMs !== undefined && expiresAtMs <= clock.wallMs();
    const expired = publication === undefined || hasExpired ? Math.max(0, recipients - sent) : 0;
    return { id, channel, timeMs, recipients, sent, received, read, expired };
  }

  /**
   * Who has a publication, by device, after `after`; only where that is kept.
   * @throws {EngineError} by rejection.
   */
  async of(id: string, after: string, limit: number): Promise<readonly Receipt[]> {
    const from = after === "" ? "" : receiptKey(after, id);
    const records = await this.#ports.engine.labelled(NAMED, id, from, limit);
    return records.map((record) => ({ device: receiverIn(record) ?? "", ...timesIn(record) }));
  }

  /**
   * The records of a device's receipts after the record `after`; at most `limit`.
   * @throws {EngineError} by rejection.
   */
  async ofDevice(device: string, after: string, limit: number): Promise<readonly KeptRecord[]> {
    const records = await this.#ports.engine.records(NAMED, after === "" ? `${device} ` : after, limit);
    return records.filter((record) => receiverIn(record) === device);
  }

  /**
   * Forgets some of what is over; resolves to whether there may be more.
   * @throws {EngineError} by rejection.
   */
  async forgetOld(limit: number): Promise<boolean> {
    const { engine, clock } = this.#ports;
    const nowMs = clock.wallMs();
    const old = [...(await engine.due(COUNTS, nowMs, limit)), ...(await engine.due(NAMED, nowMs, limit))];
    if (old.length === 0) return false;
    await engine.saveRecords(old.map(({ kind, id }) => ({ kind, id, data: undefined })));
    return true;
  }
}

const NOTHING = { recipients: undefined, sent: 0, received: 0, read: 0 };
/** What a record says of its publication counts more. */
const NOBODY: Counted = { id: "", channel: "", offset: 0, lane: 1, timeMs: 0, expiresAtMs: undefined };

function withdrawOnIn(meta: string): Sent["withdrawOn"] {
  if (!meta.includes('"withdrawOn":')) return undefined;
  return (JSON.parse(meta) as { readonly withdrawOn?: "ack" | "read" }).withdrawOn;
}
