/** Where devices stand, as the writer writes it. */
import { furthest } from "@carillon/protocol/position";
import type { DevicePosition } from "../engine.ts";
import type { Connection } from "./connection.ts";

const LANES = ["high", "normal", "low", "sent_high", "sent_normal", "sent_low"];

export class PositionRows {
  readonly #save;

  constructor(db: Connection) {
    const move = (lane: string) =>
      `${lane} = iif(epoch = excluded.epoch, max(${lane}, excluded.${lane}), excluded.${lane})`;
    this.#save = db.prepare(
      `INSERT INTO device_position (device, channel, epoch, ${LANES.join(", ")})
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (device, channel) DO UPDATE SET ${LANES.map(move).join(", ")}, epoch = excluded.epoch`,
    );
  }

  save({ device, channel, position: { epoch, offsets }, sent }: DevicePosition): void {
    const reached = sent === undefined ? offsets : furthest(offsets, sent);
    this.#save.run(device, channel, epoch, ...offsets, ...reached);
  }
}
