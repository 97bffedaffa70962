/** Taking out what is not to be there any more: single publications, and all that there is of a device. */
import type { ChannelRows } from "./channel-rows.ts";
import type { Connection } from "./connection.ts";
import type { Removal, Withdrawal } from "./messages.ts";

export class Removals {
  readonly #rows: ChannelRows;
  readonly #withdraw;
  readonly #positions;
  readonly #publications;
  readonly #keys;
  readonly #channel;

  constructor(db: Connection, rows: ChannelRows) {
    this.#rows = rows;
    this.#withdraw = db.prepare("DELETE FROM publication WHERE channel_id = ? AND offset = ? RETURNING size");
    this.#positions = db.prepare("DELETE FROM device_position WHERE device = ?");
    this.#publications = db.prepare("DELETE FROM publication WHERE channel_id = ?");
    this.#keys = db.prepare("DELETE FROM idempotency WHERE channel_id = ?");
    this.#channel = db.prepare("DELETE FROM channel WHERE id = ?");
  }

  withdraw({ channel, offset }: Withdrawal): boolean {
    const row = this.#rows.find(channel);
    const [[size] = []] = row === undefined ? [] : (this.#withdraw.values(row.id, offset) as [number][]);
    if (row === undefined || size === undefined) return false;
    row.count -= 1;
    row.bytes -= size;
    this.#rows.change(row);
    return true;
  }

  remove({ device, channels }: Removal): void {
    this.#positions.run(device);
    for (const channel of channels) {
      const row = this.#rows.find(channel);
      if (row === undefined) continue;
      this.#publications.run(row.id);
      this.#keys.run(row.id);
      this.#channel.run(row.id);
      this.#rows.drop(row);
    }
  }
}
