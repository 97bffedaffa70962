/** Where devices stand, kept by the engine: noted at every ack or sign of life, written in batches. */
import { furthest, type Offsets, type Position, START } from "@carillon/protocol/position";
import type { DevicePosition, Engine, KeptPosition, RecordChange } from "../engine/engine.ts";
import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { receiverIn } from "./receipt-log.ts";
import type { Receipts } from "./receipts.ts";

/** A crash makes a device see again what it had acknowledged in this time; a write per ack would cost an fsync each. */
const WRITE_AFTER_MS = 1_000;
/** Bounds what waits when the engine cannot write; a position that is not noted only means more is sent again. */
const MAX_WAITING = 100_000;

/**
 * Beyond it positions are written first, in slices, and then the counts: 15,000 in one commit would have every publish wait for
 * 100 ms, in slices 12 ms at most. A crash between the two counts less than there was.
 */
const MOST_IN_COMMIT = 1_000;

/** The connections of a removed device are closed at once; what they still say for so long is nobody's. */
const GONE_FOR_MS = 60_000;

/** In the place of an epoch: the device has switched the channel off, and stands nowhere. No log is called so. */
const NOWHERE: Position = { epoch: "-", offsets: START };

interface Noted {
  readonly position: Position;
  readonly sent: Offsets;
}

export interface DevicePositionsPorts {
  readonly engine: Pick<Engine, "positionsOf" | "removeDevice" | "savePositions">;
  readonly clock: Clock;
  readonly log: Log;
  /** Written in the same commits. */
  readonly receipts: Receipts;
}

export class DevicePositions {
  readonly #ports: DevicePositionsPorts;
  #waiting = new Map<string, Map<string, Noted>>();
  #count = 0;
  /** Being written. */
  #writing = new Map<string, Map<string, Noted>>();
  /** Devices that were removed lately: nothing of them is written any more. */
  readonly #gone = new Set<string>();
  /** Those of them that were removed while a batch was being written. */
  #late: string[] = [];
  #cancel: CancelTimer | undefined;
  #flushing: Promise<void> | undefined;

  constructor(ports: DevicePositionsPorts) {
    this.#ports = ports;
  }

  /**
   * Where `device` stands, per channel, including what has not been written yet.
   * @throws {EngineError} by rejection.
   */
  async of(device: string): Promise<ReadonlyMap<string, KeptPosition>> {
    const kept = await this.#ports.engine.positionsOf(device);
    const positions = new Map(kept);
    for (const noted of [this.#writing.get(device), this.#waiting.get(device)]) {
      for (const [channel, { position, sent }] of noted ?? []) {
        const before = positions.get(channel);
        positions.set(channel, { ...further(before, position), sent: furtherSent(before, position, sent) });
      }
    }
    for (const [channel, { epoch }] of positions) if (epoch === NOWHERE.epoch) positions.delete(channel);
    return positions;
  }

  /** Moves a device on. */
  note(device: string, channel: string, position: Position, sent: Offsets): void {
    if (this.#gone.has(device)) return;
    let channels = this.#waiting.get(device);
    if (channels === undefined) {
      channels = new Map();
      this.#waiting.set(device, channels);
    }
    const before = channels.get(channel);
    if (before === undefined) {
      if (this.#count >= MAX_WAITING) return;
      this.#count += 1;
    }
    const kept = before && { ...before.position, sent: before.sent };
    channels.set(channel, {
      position: further(before?.position, position),
      sent: furtherSent(kept, position, sent),
    });
    this.wake();
  }

  /** Something waits to be written, here or with the receipts. */
  wake(): void {
    this.#cancel ??= this.#ports.clock.setTimer(WRITE_AFTER_MS, () => void this.flush());
  }

  /** The device does not want the channel any more: when it does again, it starts from then. */
  forget(device: string, channel: string): void {
    this.note(device, channel, NOWHERE, START);
  }

  /** A device is no more: nothing of it is written, neither what waits nor what its connections still say. */
  drop(device: string): void {
    this.#count -= this.#waiting.get(device)?.size ?? 0;
    this.#waiting.delete(device);
    this.#gone.add(device);
    this.#late.push(device);
    this.#ports.clock.setTimer(GONE_FOR_MS, () => this.#gone.delete(device));
  }

  /** Writes what waits. Never rejects: what could not be written is tried with the next batch. */
  flush(): Promise<void> {
    // One after the other: a receipt is read, counted up and written.
    this.#flushing = (this.#flushing ?? Promise.resolve()).then(() => this.#flush());
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    const { engine, receipts, log } = this.#ports;
    if (this.#count === 0 && !receipts.isWaiting) return;
    const batch = this.#waiting;
    this.#waiting = new Map();
    this.#count = 0;
    this.#writing = batch;
    this.#late = [];
    let counted: Awaited<ReturnType<Receipts["take"]>> | undefined;
    try {
      counted = await receipts.take();
      const isGone = (device = "") => this.#gone.has(device);
      const positions = [...positionsIn(batch)].filter(({ device }) => !isGone(device));
      const changes = counted.changes.filter((change) => !isGone(receiverIn(change)));
      const fitsOneCommit = positions.length <= MOST_IN_COMMIT;
      if (!fitsOneCommit) await engine.savePositions(positions);
      await engine.savePositions(fitsOneCommit ? positions : [], changes);
      await this.#removeLate(changes);
      receipts.written(counted);
    } catch (error) {
      log.warn(`Positions of devices could not be written: ${error}`);
      counted?.putBack();
      for (const { device, channel, position, sent } of positionsIn(batch)) {
        this.note(device, channel, position, sent ?? START);
      }
      this.wake();
    } finally {
      this.#writing = new Map();
    }
  }

  /** What has just been written may be of devices whose removal was on its way, and not known here. */
  async #removeLate(written: readonly RecordChange[]): Promise<void> {
    for (const device of this.#late) {
      const named = written.filter((change) => receiverIn(change) === device);
      const removals = named.map(({ kind, id }) => ({ kind, id, data: undefined }));
      await this.#ports.engine.removeDevice(device, [], removals);
    }
  }
}

function* positionsIn(batch: ReadonlyMap<string, ReadonlyMap<string, Noted>>): Generator<DevicePosition> {
  for (const [device, channels] of batch) {
    for (const [channel, noted] of channels) yield { device, channel, ...noted };
  }
}

function further(one: Position | undefined, other: Position): Position {
  if (one === undefined || one.epoch !== other.epoch) return other;
  return { epoch: other.epoch, offsets: furthest(one.offsets, other.offsets) };
}

function furtherSent(one: KeptPosition | undefined, other: Position, sent: Offsets): Offsets {
  return one === undefined || one.epoch !== other.epoch ? sent : furthest(one.sent, sent);
}
