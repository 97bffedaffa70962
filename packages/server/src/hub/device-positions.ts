/** Where devices stand, kept by the engine: noted at every ack or sign of life, written in batches. */
import { furthest, type Position, START } from "@carillon/protocol/position";
import type { DevicePosition, Engine } from "../engine/engine.ts";
import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";

/** A crash makes a device see again what it had acknowledged in this time; a write per ack would cost an fsync each. */
const WRITE_AFTER_MS = 1_000;
/** Bounds what waits when the engine cannot write; a position that is not noted only means more is sent again. */
const MAX_WAITING = 100_000;

/** In the place of an epoch: the device has switched the channel off, and stands nowhere. No log is called so. */
const NOWHERE: Position = { epoch: "-", offsets: START };

export class DevicePositions {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #log: Log;
  #waiting = new Map<string, DevicePosition>();
  #cancel: CancelTimer | undefined;

  constructor(engine: Engine, clock: Clock, log: Log) {
    this.#engine = engine;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Where `device` stands, per channel, including what has not been written yet.
   * @throws {EngineError} by rejection.
   */
  async of(device: string): Promise<ReadonlyMap<string, Position>> {
    const positions = new Map(await this.#engine.positionsOf(device));
    for (const waiting of this.#waiting.values()) {
      if (waiting.device !== device) continue;
      positions.set(waiting.channel, further(positions.get(waiting.channel), waiting.position));
    }
    for (const [channel, { epoch }] of positions) if (epoch === NOWHERE.epoch) positions.delete(channel);
    return positions;
  }

  /** Moves a device on. */
  note(device: string, channel: string, position: Position): void {
    const key = `${device} ${channel}`;
    const before = this.#waiting.get(key);
    if (before === undefined && this.#waiting.size >= MAX_WAITING) return;
    this.#waiting.set(key, { device, channel, position: further(before?.position, position) });
    this.#cancel ??= this.#clock.setTimer(WRITE_AFTER_MS, () => void this.flush());
  }

  /** The device does not want the channel any more: when it does again, it starts from then. */
  forget(device: string, channel: string): void {
    this.note(device, channel, NOWHERE);
  }

  /** Writes what waits. Never rejects: what could not be written is tried with the next batch. */
  async flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    const batch = this.#waiting;
    if (batch.size === 0) return;
    this.#waiting = new Map();
    try {
      await this.#engine.savePositions([...batch.values()]);
    } catch (error) {
      this.#log.warn(`Positions of devices could not be written: ${error}`);
      for (const { device, channel, position } of batch.values()) this.note(device, channel, position);
    }
  }
}

function further(one: Position | undefined, other: Position): Position {
  if (one === undefined || one.epoch !== other.epoch) return other;
  return { epoch: other.epoch, offsets: furthest(one.offsets, other.offsets) };
}
