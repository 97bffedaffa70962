/**
 * The SQLite engine: everything in one file, `DIR/carillon.db`. A Worker writes it (`writer.ts`), the main thread reads
 * it (`reader.ts`), and what waits to be written shares transactions (`group-commit.ts`).
 *
 *     const engine = await openSqliteEngine({ dir: "./data", clock, log, retentionOf });
 */
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { randomName } from "../../lib/ids.ts";
import type { Log } from "../../lib/log.ts";
import { accepted } from "../accepted.ts";
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
} from "../engine.ts";
import { Backups } from "./backups.ts";
import { checkFile } from "./check.ts";
import { DeviceWrites } from "./device-writes.ts";
import { GroupCommit } from "./group-commit.ts";
import { lockDirectory, makeDirectory } from "./lock.ts";
import { problemOf } from "./problem.ts";
import { Reader } from "./reader.ts";
import { finishRestore } from "./restore.ts";
import { Sweeper } from "./sweeper.ts";
import { startWriter, WriterLink } from "./writer-link.ts";

export interface SqliteEngineOptions {
  /** The data directory; made if it is not there. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly retentionOf: RetentionOf;
  readonly onCommit?: OnCommit;
  /** For tests: a bound on the file in pages of 8 KiB, so that the disk is full at will. */
  readonly maxPages?: number;
  /** For tests: starts the writer's thread, and a backup's. */
  readonly startWorker?: () => Worker;
}

/**
 * Opens the engine, with a new file if there is none, or with what has been staged to be restored.
 * @throws {EngineError} by rejection, with one line that names the file: another process has the directory, it cannot be
 *   written, or the file is damaged, of another program or of a newer Carillon. The file is left as it is then.
 */
export async function openSqliteEngine(options: SqliteEngineOptions): Promise<Engine> {
  const { dir, clock, log, maxPages, startWorker } = options;
  makeDirectory(dir);
  const unlock = lockDirectory(dir);
  try {
    const file = join(dir, "carillon.db");
    if (finishRestore(dir, randomName())) {
      log.info(`Restored ${file} from a backup; what it held before is in ${file}.before-restore`);
    }
    checkFile(file);
    const bound = maxPages === undefined ? {} : { maxPages };
    const open = { kind: "open" as const, file, newEpoch: randomName(), ...bound };
    const link = new WriterLink({ open, clock, log, startWorker });
    const { epoch } = await link.start();
    return new SqliteEngine(options, { file, link, epoch, unlock });
  } catch (error) {
    unlock();
    throw error;
  }
}

/** A key has to be written down even if its publication is not. */
function isTransient({ stored, idempotencyKey }: NewPublication): boolean {
  return !stored && idempotencyKey === undefined;
}

interface Parts {
  readonly file: string;
  readonly link: WriterLink;
  readonly epoch: string;
  readonly unlock: () => void;
}

class SqliteEngine implements Engine {
  readonly #parts: Parts;
  readonly #epoch: string;
  readonly #reader: Reader;
  readonly #commits: GroupCommit;
  readonly #devices: DeviceWrites;
  readonly #sweeper: Sweeper;
  readonly #backups: Backups;
  #listener: (commit: readonly Accepted[]) => void = () => {};
  #closing: Promise<void> | undefined;

  constructor(options: SqliteEngineOptions, parts: Parts) {
    const { clock, log, retentionOf, onCommit, startWorker } = options;
    const { link, epoch } = parts;
    this.#parts = parts;
    this.#epoch = epoch;
    this.#reader = new Reader(parts.file);
    const announce = (commit: readonly Accepted[]) => this.#announce(commit);
    this.#commits = new GroupCommit({ link, epoch, clock, announce, onCommit });
    this.#devices = new DeviceWrites(this.#commits);
    this.#sweeper = new Sweeper({ link, reader: this.#reader, clock, log, retentionOf });
    this.#backups = new Backups(parts.file, startWorker ?? startWriter);
  }

  async publish(
    items: readonly NewPublication[],
    changes?: readonly RecordChange[],
  ): Promise<readonly PublishResult[]> {
    this.#assertOpen();
    const isPassed = !changes?.length && items.every(isTransient);
    return isPassed ? this.#pass(items) : this.#commits.next().publish(items, changes);
  }

  /** Nothing of it is written, so it neither waits for the disk nor needs one that works. */
  #pass(items: readonly NewPublication[]): readonly PublishResult[] {
    this.#announce(items.map((item) => accepted(item, 0, 0)));
    return items.map(({ id, timeMs }) => ({ id, epoch: this.#epoch, offset: 0, timeMs, duplicate: false }));
  }

  onPublication(listener: (commit: readonly Accepted[]) => void): void {
    this.#listener = listener;
  }

  /**
   * While a commit is under way the file may be ahead of what has been announced, so the writer is asked: its answer
   * stands in line with its commits.
   */
  async top(channel: string): Promise<Top> {
    const lanes = this.#commits.isIdle
      ? this.#read(() => this.#reader.top(channel))
      : await this.#open().#commits.next().top(channel);
    return { epoch: this.#epoch, lanes, offset: Math.max(...lanes) };
  }

  async read(channel: string, request: ReadRequest): Promise<ReadPage> {
    return { epoch: this.#epoch, ...this.#read(() => this.#reader.read(channel, request)) };
  }

  async channels(after: string, limit: number): Promise<readonly ChannelInfo[]> {
    const infos = this.#read(() => this.#reader.channels(after, limit));
    return infos.map((info) => ({ ...info, epoch: this.#epoch }));
  }

  async channel(name: string): Promise<ChannelInfo | undefined> {
    const info = this.#read(() => this.#reader.channel(name));
    return info === undefined ? undefined : { ...info, epoch: this.#epoch };
  }

  async publication(id: string): Promise<Accepted | undefined> {
    return this.#read(() => this.#reader.publication(id));
  }

  async withdraw(channel: string, offset: number): Promise<boolean> {
    this.#assertOpen();
    return this.#commits.next().withdraw(channel, offset);
  }

  async positionsOf(device: string): Promise<ReadonlyMap<string, KeptPosition>> {
    return this.#read(() => this.#reader.positionsOf(device));
  }

  async savePositions(
    positions: readonly DevicePosition[],
    changes: readonly RecordChange[] = [],
  ): Promise<void> {
    this.#assertOpen();
    return this.#devices.save(positions, changes);
  }

  async removeDevice(
    device: string,
    channels: readonly string[],
    changes: readonly RecordChange[],
  ): Promise<void> {
    this.#assertOpen();
    return this.#devices.remove(device, channels, changes);
  }

  async record(kind: string, id: string): Promise<KeptRecord | undefined> {
    return this.#read(() => this.#reader.record(kind, id));
  }

  async records(kind: string, after: string, limit: number): Promise<readonly KeptRecord[]> {
    return this.#read(() => this.#reader.records(kind, after, limit));
  }

  async labelled(kind: string, label: string, after: string, limit: number): Promise<readonly KeptRecord[]> {
    return this.#read(() => this.#reader.labelled(kind, label, after, limit));
  }

  async countLabelled(kind: string, label: string): Promise<number> {
    return this.#read(() => this.#reader.countLabelled(kind, label));
  }

  async due(kind: string, untilMs: number, limit: number): Promise<readonly KeptRecord[]> {
    return this.#read(() => this.#reader.due(kind, untilMs, limit));
  }

  async saveRecords(changes: readonly RecordChange[]): Promise<void> {
    this.#assertOpen();
    await this.#commits.next().publish([], changes);
  }

  async backup(path: string): Promise<void> {
    this.#assertOpen();
    return this.#backups.make(path);
  }

  async probe(): Promise<void> {
    this.#assertOpen();
    return this.#commits.next().probe();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#backups.stop();
    await this.#devices.idle();
    await this.#commits.idle();
    await this.#sweeper.stop();
    // Before the writer: the last handle to close leaves one tidy file, and only the writer's may write.
    this.#reader.close();
    await this.#parts.link.end();
    this.#parts.unlock();
  }

  #announce(commit: readonly Accepted[]): void {
    this.#sweeper.note(commit);
    this.#listener(commit);
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new EngineError("closed", "the engine is closed");
  }

  #open(): this {
    this.#assertOpen();
    return this;
  }

  #read<Result>(read: () => Result): Result {
    this.#assertOpen();
    try {
      return read();
    } catch (error) {
      throw new EngineError("unavailable", problemOf(this.#parts.file, error), { cause: error });
    }
  }
}
