/**
 * The memory engine: nothing outlives the process. For tests, for trying things out, and for servers whose clients
 * need no more history than a restart may cost.
 *
 *     const engine = openMemoryEngine({ clock: systemClock, retentionOf: () => ({ maxCount: 1_000 }) });
 */
import { START } from "@carillon/protocol/position";
import type { CancelTimer, Clock } from "../lib/clock.ts";
import { randomName } from "../lib/ids.ts";
import { accepted } from "./accepted.ts";
import {
  type Accepted,
  type ChannelInfo,
  type DevicePosition,
  type Engine,
  EngineError,
  type KeptPosition,
  type KeptRecord,
  type NewPublication,
  type OnCommit,
  type PublishResult,
  type ReadPage,
  type ReadRequest,
  type RecordChange,
  type RetentionOf,
  type Top,
} from "./engine.ts";
import { areMet, conflict } from "./expectations.ts";
import { MemoryFirsts } from "./memory-firsts.ts";
import { MemoryLog } from "./memory-log.ts";
import { MemoryPositions } from "./memory-positions.ts";
import { MemoryRecords } from "./memory-records.ts";

export interface MemoryEngineOptions {
  readonly clock: Clock;
  readonly retentionOf: RetentionOf;
  readonly onCommit?: OnCommit;
}

export function openMemoryEngine(options: MemoryEngineOptions): Engine {
  return new MemoryEngine(options);
}

/** How often expired publications, old ones and old idempotency keys are looked for… */
const SWEEP_MS = 1_000;
/** …and in how many channels at a time: a thousand take well under a millisecond. */
const SWEEP_CHANNELS = 1_000;

interface Call {
  readonly items: readonly NewPublication[];
  readonly changes: readonly RecordChange[];
  /** What is done besides publications and records. */
  readonly work?: () => void;
  readonly resolve: (results: readonly PublishResult[]) => void;
  readonly reject: (error: EngineError) => void;
}

class MemoryEngine implements Engine {
  readonly #epoch = randomName();
  readonly #clock: Clock;
  readonly #retentionOf: RetentionOf;
  readonly #onCommit: OnCommit | undefined;
  readonly #logs = new Map<string, MemoryLog>();
  /** What the logs hold, by id. */
  readonly #byId = new Map<string, Accepted>();
  readonly #firsts = new MemoryFirsts();
  readonly #positions = new MemoryPositions();
  readonly #records = new MemoryRecords();
  #listener: (commit: readonly Accepted[]) => void = () => {};
  #waiting: Call[] = [];
  /** Tops to answer after the next commit. */
  #asked: (() => void)[] = [];
  #sweeping: Iterator<MemoryLog> | undefined;
  #cancelSweep: CancelTimer;
  #closed = false;

  constructor({ clock, retentionOf, onCommit }: MemoryEngineOptions) {
    this.#clock = clock;
    this.#retentionOf = retentionOf;
    this.#onCommit = onCommit;
    this.#cancelSweep = clock.setTimer(SWEEP_MS, () => this.#sweep());
  }

  publish(
    items: readonly NewPublication[],
    changes: readonly RecordChange[] = [],
  ): Promise<readonly PublishResult[]> {
    return this.#call(items, changes);
  }

  async #call(
    items: readonly NewPublication[],
    changes: readonly RecordChange[],
    work?: () => void,
  ): Promise<readonly PublishResult[]> {
    this.#assertOpen();
    const { promise, resolve, reject } = Promise.withResolvers<readonly PublishResult[]>();
    if (this.#waiting.length === 0) queueMicrotask(() => this.#commit());
    this.#waiting.push({ items, changes, ...(work !== undefined && { work }), resolve, reject });
    return promise;
  }

  onPublication(listener: (commit: readonly Accepted[]) => void): void {
    this.#listener = listener;
  }

  /**
   * While a commit is due, its announcement comes first. The promise is handed out as it is, not by an async function:
   * that would take two ticks more, and another commit could come in between.
   */
  top(channel: string): Promise<Top> {
    if (this.#closed) return Promise.reject(closed());
    if (this.#waiting.length === 0) return Promise.resolve(this.#topOf(channel));
    return new Promise((resolve) => this.#asked.push(() => resolve(this.#topOf(channel))));
  }

  async read(channel: string, request: ReadRequest): Promise<ReadPage> {
    this.#assertOpen();
    const page = this.#logs.get(channel)?.read(request) ?? { publications: [], to: request.upTo };
    return { epoch: this.#epoch, ...page };
  }

  async channels(after: string, limit: number): Promise<readonly ChannelInfo[]> {
    this.#assertOpen();
    const names = [...this.#logs.keys()].filter((name) => name > after).sort();
    return names.slice(0, limit).flatMap((name) => this.#infoOf(name) ?? []);
  }

  async channel(name: string): Promise<ChannelInfo | undefined> {
    this.#assertOpen();
    return this.#infoOf(name);
  }

  async publication(id: string): Promise<Accepted | undefined> {
    this.#assertOpen();
    return this.#byId.get(id);
  }

  async withdraw(channel: string, offset: number): Promise<boolean> {
    let isThere = false;
    await this.#call([], [], () => {
      isThere = this.#logs.get(channel)?.withdraw(offset) ?? false;
    });
    return isThere;
  }

  async positionsOf(device: string): Promise<ReadonlyMap<string, KeptPosition>> {
    this.#assertOpen();
    return this.#positions.of(device);
  }

  async savePositions(
    positions: readonly DevicePosition[],
    changes: readonly RecordChange[] = [],
  ): Promise<void> {
    await this.#call([], changes, () => {
      for (const each of positions) this.#positions.save(each);
    });
  }

  async removeDevice(
    device: string,
    channels: readonly string[],
    changes: readonly RecordChange[],
  ): Promise<void> {
    await this.#call([], changes, () => {
      this.#positions.remove(device);
      for (const channel of channels) {
        this.#logs.get(channel)?.clear();
        this.#logs.delete(channel);
        this.#firsts.removeChannel(channel);
      }
    });
  }

  async record(kind: string, id: string): Promise<KeptRecord | undefined> {
    this.#assertOpen();
    return this.#records.get(kind, id);
  }

  async records(kind: string, after: string, limit: number): Promise<readonly KeptRecord[]> {
    this.#assertOpen();
    return this.#records.list(kind, after, limit);
  }

  async labelled(kind: string, label: string, after: string, limit: number): Promise<readonly KeptRecord[]> {
    this.#assertOpen();
    return this.#records.labelled(kind, label, after, limit);
  }

  async countLabelled(kind: string, label: string): Promise<number> {
    this.#assertOpen();
    return this.#records.countLabelled(kind, label);
  }

  async due(kind: string, untilMs: number, limit: number): Promise<readonly KeptRecord[]> {
    this.#assertOpen();
    return this.#records.due(kind, untilMs, limit);
  }

  async saveRecords(changes: readonly RecordChange[]): Promise<void> {
    await this.publish([], changes);
  }

  async backup(): Promise<void> {
    this.#assertOpen();
    throw new EngineError("unsupported", "the memory engine keeps nothing that could be backed up");
  }

  async probe(): Promise<void> {
    this.#assertOpen();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelSweep();
  }

  #assertOpen(): void {
    if (this.#closed) throw closed();
  }

  #topOf(channel: string): Top {
    const lanes = this.#logs.get(channel)?.lanes ?? START;
    return { epoch: this.#epoch, lanes, offset: Math.max(...lanes) };
  }

  #infoOf(channel: string): ChannelInfo | undefined {
    const log = this.#logs.get(channel);
    if (log === undefined) return undefined;
    const { offset, count, bytes } = log;
    return { channel, epoch: this.#epoch, offset, count, bytes };
  }

  /** Calls of one tick share a commit, as they do in engines with a medium. */
  #commit(): void {
    const startMs = this.#clock.monotonicMs();
    const calls = this.#waiting;
    this.#waiting = [];
    const announced: Accepted[] = [];
    const done = calls.map(({ items, changes, work, resolve, reject }) => {
      if (!areMet(changes, (kind, id) => this.#records.get(kind, id)?.data)) return () => reject(conflict());
      const results = items.map((item) => this.#publishOne(item, announced));
      for (const change of changes) this.#records.save(change);
      work?.();
      return () => resolve(results);
    });
    if (announced.length > 0) this.#listener(announced);
    const items = calls.reduce((sum, call) => sum + call.items.length, 0);
    this.#onCommit?.({ items, ms: this.#clock.monotonicMs() - startMs });
    const asked = this.#asked;
    this.#asked = [];
    // Those first: the others may publish again at once.
    for (const resolve of [...asked, ...done]) resolve();
  }

  #publishOne(item: NewPublication, announced: Accepted[]): PublishResult {
    const first = this.#firsts.find(item);
    if (first !== undefined) return { ...first, duplicate: true };
    const publication = item.stored ? this.#append(item) : accepted(item, 0, 0);
    announced.push(publication);
    const { id, timeMs } = item;
    const result = { id, epoch: this.#epoch, offset: publication.offset, timeMs, duplicate: false };
    this.#firsts.note(item, result);
    return result;
  }

  #append(item: NewPublication): Accepted {
    let log = this.#logs.get(item.channel);
    if (log === undefined) {
      log = new MemoryLog(this.#retentionOf(item.channel), this.#byId);
      this.#logs.set(item.channel, log);
    }
    const publication = log.append(item);
    log.trim(this.#clock.wallMs());
    return publication;
  }

  #sweep(): void {
    const nowMs = this.#clock.wallMs();
    this.#sweeping ??= this.#logs.values();
    for (let seen = 0; seen < SWEEP_CHANNELS; seen++) {
      const next = this.#sweeping.next();
      if (next.done === true) {
        this.#sweeping = undefined;
        break;
      }
      next.value.removeExpired(nowMs);
      next.value.trim(nowMs);
    }
    this.#firsts.forgetOld(nowMs);
    this.#cancelSweep = this.#clock.setTimer(SWEEP_MS, () => this.#sweep());
  }
}

function closed(): EngineError {
  return new EngineError("closed", "the engine is closed");
}
