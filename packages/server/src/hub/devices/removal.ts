/** Removes all that is kept of a device. */
import { type Engine, EngineError, type KeptRecord } from "../../engine/engine.ts";
import { DEVICE } from "./stored.ts";

export interface RemovalPorts {
  readonly engine: Pick<Engine, "record" | "removeDevice" | "saveRecords">;
  /** See `DevicesPorts.receiptsOf`. */
  receiptsOf(id: string, after: string, limit: number): Promise<readonly KeptRecord[]>;
}

/** Records removed in one commit: a few milliseconds of the disk's time. */
const SLICE = 500;
const MAX_TRIES = 5;

/**
 * Removes the device, its positions, its own channel's log and its receipts, those last but a few before: a device that is
 * half removed is there, and may be removed again. Resolves to `false` if there is none.
 * @throws {EngineError} by rejection.
 */
export async function removeDevice(id: string, ports: RemovalPorts): Promise<boolean> {
  const { engine, receiptsOf } = ports;
  for (let tries = 1; ; tries++) {
    const record = await engine.record(DEVICE, id);
    if (record === undefined) return false;
    let receipts = await receiptsOf(id, "", SLICE);
    while (receipts.length === SLICE) {
      await engine.saveRecords(receipts.map(removed));
      receipts = await receiptsOf(id, "", SLICE);
    }
    const changes = [{ ...removed(record), expect: record.data }, ...receipts.map(removed)];
    try {
      await engine.removeDevice(id, [`$device/${id}`], changes);
      return true;
    } catch (error) {
      const isConflict = error instanceof EngineError && error.code === "conflict";
      if (!isConflict || tries >= MAX_TRIES) throw error;
    }
  }
}

function removed({ kind, id }: KeptRecord) {
  return { kind, id, data: undefined };
}
