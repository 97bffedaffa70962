/** The records of devices: read one, change one. */
import { type DevicePosition, type Engine, EngineError, type KeptRecord } from "../../engine/engine.ts";
import type { Log } from "../../lib/log.ts";
import type { Device } from "./device.ts";
import { DEVICE, keepDevice, publicPart, readDevice, type StoredDevice } from "./stored.ts";

/** Something has become durable. */
export interface DeviceChange {
  readonly id: string;
  /** `undefined` if it was removed. */
  readonly device: Device | undefined;
  /** Its tokens of before are not valid any more. */
  readonly tokenWithdrawn: boolean;
}

export interface StorePorts {
  readonly engine: Pick<Engine, "record" | "savePositions">;
  readonly log: Log;
  /** Hears of each change once it is durable. It must not throw. */
  changed(change: DeviceChange): void;
}

/** What a device is to be from now on, and where it stands. */
export interface Edited {
  readonly device: StoredDevice;
  readonly positions?: readonly DevicePosition[];
}

/** Somebody who connects is looked at three times within a moment, and to check a record takes 20 µs. */
const MAX_LATELY = 256;

/** Changes of one device that meet are made one after the other here; only another node's come in between. */
const MAX_TRIES = 5;

export class DeviceStore {
  readonly #ports: StorePorts;
  /** What was read last, by device: good as long as the record is the same. */
  readonly #lately = new Map<
    string,
    { readonly data: string; readonly dueMs: number | undefined; readonly device: StoredDevice }
  >();
  /** The last change under way, by device. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(ports: StorePorts) {
    this.#ports = ports;
  }

  /**
   * What is kept of a device.
   * @throws {EngineError} by rejection.
   */
  async read(id: string): Promise<StoredDevice | undefined> {
    const record = await this.#ports.engine.record(DEVICE, id);
    if (record === undefined) return undefined;
    const lately = this.#lately.get(id);
    if (lately !== undefined && lately.data === record.data && lately.dueMs === record.dueMs)
      return lately.device;
    const device = readDevice(record);
    if (this.#lately.size >= MAX_LATELY) this.#lately.clear();
    this.#lately.set(id, { data: record.data, dueMs: record.dueMs, device });
    return device;
  }

  /** Those of `records` that can be read; the others are said in the log. */
  readable(records: readonly KeptRecord[]): readonly StoredDevice[] {
    return records.flatMap((record) => {
      try {
        return [readDevice(record)];
      } catch (error) {
        this.#ports.log.error(`${error}`);
        return [];
      }
    });
  }

  /**
   * Changes what is kept of a device to what `edit` makes of it; resolves to that when it is durable. If `edit` returns
   * nothing, nothing is written, and it resolves to what is there.
   * @throws {EngineError} by rejection; then nothing has changed.
   * @throws whatever `edit` throws, by rejection.
   */
  edit(
    id: string,
    edit: (device: StoredDevice | undefined) => Promise<Edited | undefined>,
  ): Promise<StoredDevice | undefined> {
    return this.inTurn(id, async () => {
      for (let tries = 1; ; tries++) {
        try {
          return await this.#tryEdit(id, edit);
        } catch (error) {
          const isConflict = error instanceof EngineError && error.code === "conflict";
          if (!isConflict || tries >= MAX_TRIES) throw error;
        }
      }
    });
  }

  async #tryEdit(
    id: string,
    edit: (device: StoredDevice | undefined) => Promise<Edited | undefined>,
  ): Promise<StoredDevice | undefined> {
    const record = await this.#ports.engine.record(DEVICE, id);
    const before = record && readDevice(record);
    const edited = await edit(before);
    if (edited === undefined) return before;
    const { device, positions = [] } = edited;
    await this.#ports.engine.savePositions(positions, [keepDevice(device, record?.data ?? null)]);
    const tokenWithdrawn = before?.hash !== undefined && before.hash !== device.hash;
    this.#ports.changed({ id, device: publicPart(device), tokenWithdrawn });
    return device;
  }

  /** Does something with a device's record when nobody else here does. */
  async inTurn<Result>(id: string, act: () => Promise<Result>): Promise<Result> {
    const before = this.#turns.get(id) ?? Promise.resolve();
    const turn = before.then(act);
    const settled = turn.then(
      () => {},
      () => {},
    );
    this.#turns.set(id, settled);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(id) === settled) this.#turns.delete(id);
    }
  }
}
