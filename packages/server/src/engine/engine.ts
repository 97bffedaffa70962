/**
 * The engine: where publications are kept, and how they reach every node. This page is the contract; `memory.ts` and
 * `sqlite/` keep it, and `conformance.ts` checks each of them against it.
 *
 * **Append and announce.** `publish` takes a list. All items of a list that name one channel are committed together and
 * in order; concurrent calls may share a commit. A publication is announced (`onPublication`) after its commit and
 * before its call resolves, to every node's listener, in the order of its channel's offsets. A commit's publications are
 * announced in one call, so that what was committed together is delivered in one tick. If `publish` rejects, nothing of
 * its list is kept and nothing is announced.
 *
 * **Offsets.** Per channel, from 1, without holes when written. `prev` is the offset before it in the same lane of the
 * channel, 0 if there was none; it counts what has been dropped since. An item with `stored: false` gets neither, is not
 * kept, and is announced all the same.
 *
 * **Idempotency.** A key counts per channel for `IDEMPOTENCY_MS` from its first use and is committed together with its
 * publication. A repeat, also one in the same list, resolves to the first result with `duplicate: true`; it is neither
 * kept nor announced. That holds for `stored: false` too.
 *
 * **Collapse.** A publication with a `collapseKey` supersedes the earlier one of its channel with the same key. `read`
 * skips what is superseded or expired (`expiresAtMs` at or before `nowMs`); an engine may remove it at any time.
 *
 * **Retention** drops the oldest publications of a channel by age, count and bytes, in the background and in slices, so
 * that no publish waits for it. What it dropped is remembered per lane (`read` reports it as `gap`); what expired or was
 * superseded is no gap.
 *
 * **Records.** Calls that change records are seen one after the other, those in one commit too. `publish` with changes makes
 * both in one commit. If a record is not as a change expects it, nothing of that call is done, and only that call rejects,
 * with `conflict`. Repeats are no reason to leave the changes out.
 *
 * **Labels.** A record may carry labels; `labelled` finds those that carry one, and `countLabelled` knows how many they are
 * without looking at them. A save replaces them, in its commit.
 *
 * **Epoch.** A random name of the log, made when the log is made: a new file, a new process of the memory engine.
 *
 * **Memory.** A channel that nobody publishes to costs none: caches are bounded.
 *
 * **Failure.** When the medium fails, calls reject with an `EngineError` and the engine keeps trying with each new call:
 * a full disk that has room again works again. An engine never crashes the process.
 */
import type { Lane, Offsets, Position } from "@carillon/protocol/position";

/** How long an idempotency key counts. */
export const IDEMPOTENCY_MS = 24 * 3_600_000;

/** A publication on its way in. Everything in it has been validated. */
export interface NewPublication {
  readonly id: string;
  readonly channel: string;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly lane: Lane;
  /** JSON. */
  readonly data: string;
  /** The rest of what receivers are told (`ttl`, `urgency`, `tags`, …), as a JSON object; "" for nothing. Opaque here. */
  readonly meta: string;
  /** Which of the channel's receivers it is for, if not all. Receivers are not told. Opaque here. */
  readonly target?: string;
  /** False for `ttl` 0. */
  readonly stored: boolean;
  readonly expiresAtMs?: number;
  readonly collapseKey?: string;
  readonly idempotencyKey?: string;
}

/** A publication that has been accepted. `offset` and `prev` are 0 where it was not stored. */
export interface Accepted extends Omit<NewPublication, "stored" | "collapseKey" | "idempotencyKey"> {
  readonly offset: number;
  readonly prev: number;
}

export interface PublishResult {
  readonly id: string;
  readonly epoch: string;
  /** 0 if it was not stored. */
  readonly offset: number;
  readonly timeMs: number;
  readonly duplicate: boolean;
}

/** How far a channel's log goes. A channel that was never published to is at 0. */
export interface Top {
  readonly epoch: string;
  /** The last offset of each lane. */
  readonly lanes: Offsets;
  /** The last offset of all: the greatest of `lanes`. */
  readonly offset: number;
}

export interface ReadRequest {
  /** Per lane, what the reader has. */
  readonly after: Offsets;
  /** Nothing beyond this offset. */
  readonly upTo: number;
  /** At most this many publications… */
  readonly limit: number;
  /** …and about this many bytes of data and meta; at least one publication, if there is any, whatever its size. */
  readonly maxBytes: number;
  readonly nowMs: number;
}

export interface ReadPage {
  readonly epoch: string;
  /** By offset. Of each lane only what lies beyond its `after`. */
  readonly publications: readonly Accepted[];
  /** Everything up to here was looked at, in all lanes: at most `upTo`, and `upTo` exactly when nothing more is there. */
  readonly to: number;
  /** Set when retention has dropped something beyond `after`: the first and last offset that may be missing. */
  readonly gap?: { readonly from: number; readonly to: number };
}

/** What is kept of a channel, for operators. */
export interface ChannelInfo {
  readonly channel: string;
  readonly epoch: string;
  readonly offset: number;
  /** Publications kept now, and the bytes of their data and meta. */
  readonly count: number;
  readonly bytes: number;
}

export interface DevicePosition {
  readonly device: string;
  readonly channel: string;
  /** What it has handled… */
  readonly position: Position;
  /** …and what it has been sent, of the same log; no less, also where it is absent. */
  readonly sent?: Offsets;
}

/** Where a device stands: what it has handled, and what it has been sent. */
export interface KeptPosition extends Position {
  readonly sent: Offsets;
}

/**
 * Something small kept beside the log, such as an API key: found by its kind and its id, both of printable ASCII, so
 * that every engine orders them alike, or by its time. Opaque here.
 */
export interface KeptRecord {
  readonly kind: string;
  readonly id: string;
  /** JSON. */
  readonly data: string;
  /** Whole milliseconds since 1970, by which `due` finds it; one without is never due. */
  readonly dueMs?: number;
  /** By which `labelled` finds it: none twice, each of printable ASCII. */
  readonly labels?: readonly string[];
}

/** What becomes of a record: it is put in the place of the one before, with its time or without, or removed. */
export interface RecordChange extends Omit<KeptRecord, "data"> {
  /** `undefined` removes it. */
  readonly data: string | undefined;
  /**
   * The call is refused with `conflict` unless the record's data is exactly this when its turn comes, what the same call
   * has changed before included; `null` for no record. Absent: whatever is there.
   */
  readonly expect?: string | null;
}

/** How long a channel's publications are kept. Absent means without bound. */
export interface Retention {
  readonly maxAgeMs?: number;
  readonly maxCount?: number;
  readonly maxBytes?: number;
}

/** Retention by channel name. */
export type RetentionOf = (channel: string) => Retention;

/** A commit that succeeded, for those who measure. */
export interface CommitTaken {
  /** Publications that were asked for in it, repeats and conflicts included; 0 for one of positions, records or a probe alone. */
  readonly items: number;
  /** From its request until its reply, on the monotonic clock. */
  readonly ms: number;
}

/** Hears of each commit, once it is announced. It must not throw. */
export type OnCommit = (commit: CommitTaken) => void;

export interface Engine {
  /**
   * Publishes, and makes all of the changes in the same commit.
   * @throws {EngineError} by rejection, `conflict` if a record is not as expected; then nothing of `items` was published
   *   and nothing changed.
   */
  publish(
    items: readonly NewPublication[],
    changes?: readonly RecordChange[],
  ): Promise<readonly PublishResult[]>;
  /** One listener; set once, before the first publish. It must not throw. */
  onPublication(listener: (commit: readonly Accepted[]) => void): void;
  /** Resolves once everything up to the top it reports has been announced here: what is announced later lies beyond it. */
  top(channel: string): Promise<Top>;
  read(channel: string, request: ReadRequest): Promise<ReadPage>;
  /** Channels that have ever been published to, by name, after `after`; at most `limit`. */
  channels(after: string, limit: number): Promise<readonly ChannelInfo[]>;
  /** What is kept of one channel; nothing if it was never published to. */
  channel(name: string): Promise<ChannelInfo | undefined>;
  /**
   * A publication by its id, as long as it is kept; an expired one may still be. Ids are expected to ascend in the order of
   * `publish`, as `timeOrderedIds` makes them. An engine may lose track of the oldest after 64 that do not: a clock may be
   * set back that often between two starts.
   */
  publication(id: string): Promise<Accepted | undefined>;
  /** Takes one publication out of its channel, as if it had been superseded; resolves to `false` if it is not there. */
  withdraw(channel: string, offset: number): Promise<boolean>;
  /** Where a device stands, per channel. */
  positionsOf(device: string): Promise<ReadonlyMap<string, KeptPosition>>;
  /**
   * Notes positions. Of the same epoch, what a device has handled and what it has been sent only moves on, lane by lane; what
   * is of a new epoch replaces the old. `changes` are made in the same commit, for which other calls wait: 6 µs a position.
   * Without changes many positions may take several commits, so that nothing waits for all of them.
   * @throws {EngineError} by rejection, `conflict` if a record is not as expected; then no position was noted.
   */
  savePositions(positions: readonly DevicePosition[], changes?: readonly RecordChange[]): Promise<void>;
  /**
   * In one commit: removes all positions of a device, removes `channels` with all that they hold, their idempotency keys
   * included, and makes `changes`. A channel that has been removed begins again at offset 1. The commit waits for the logs to
   * be removed, some 2 µs a publication, and others wait for it: this is for channels that one device reads.
   * @throws {EngineError} by rejection, `conflict` if a record is not as expected; then nothing was done.
   */
  removeDevice(device: string, channels: readonly string[], changes: readonly RecordChange[]): Promise<void>;
  /** A record; nothing if there is none. */
  record(kind: string, id: string): Promise<KeptRecord | undefined>;
  /** The records of a kind by id, after the id `after`; at most `limit`. */
  records(kind: string, after: string, limit: number): Promise<readonly KeptRecord[]>;
  /** The records of a kind that carry a label, by id, after the id `after`; at most `limit`. */
  labelled(kind: string, label: string, after: string, limit: number): Promise<readonly KeptRecord[]>;
  /** How many these are. */
  countLabelled(kind: string, label: string): Promise<number>;
  /** The records of a kind whose time is at most `untilMs`, the earliest first, then by id; at most `limit`. */
  due(kind: string, untilMs: number, limit: number): Promise<readonly KeptRecord[]>;
  /**
   * Makes all of the changes in one commit, in their order, or none.
   * @throws {EngineError} by rejection, `conflict` if a record is not as expected.
   */
  saveRecords(changes: readonly RecordChange[]): Promise<void>;
  /**
   * Writes everything as it stands at one moment to a new file at `path`, a complete data file, while publishes and
   * reads go on. One at a time; `close` ends it.
   * @throws {EngineError} by rejection, `unsupported` where there is nothing that a file could hold, else `unavailable`:
   *   the path exists or cannot be written, the disk is full, another backup is under way. Nothing is left at `path` then.
   */
  backup(path: string): Promise<void>;
  /** A round trip through everything a publish needs: writes something small, durably. */
  probe(): Promise<void>;
  /** Finishes what was accepted and lets go of the medium. Later calls reject. */
  close(): Promise<void>;
}

/**
 * Stable. `unavailable`: disk full, read-only, corrupt, unreachable; `closed`: `close` was called; `unsupported`: this
 * engine cannot do it, ever; `conflict`: a record is not as the call expects it.
 */
export type EngineErrorCode = "unavailable" | "closed" | "unsupported" | "conflict";

/** The engine cannot do what was asked, now. Its message is one line for operators. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly code: EngineErrorCode;
  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
