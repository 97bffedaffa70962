/** What idempotency keys were first used for, in the memory engine. */
import { IDEMPOTENCY_MS, type NewPublication, type PublishResult } from "./engine.ts";

export class MemoryFirsts {
  /** By channel and key, the oldest first. */
  readonly #results = new Map<string, PublishResult>();

  /** What the item's key was first used for, if it still counts. */
  find(item: NewPublication): PublishResult | undefined {
    if (item.idempotencyKey === undefined) return undefined;
    const key = scopedKey(item);
    const first = this.#results.get(key);
    if (first === undefined || item.timeMs - first.timeMs < IDEMPOTENCY_MS) return first;
    // It no longer counts; deleted, so that the new use stands at the end of the order.
    this.#results.delete(key);
    return undefined;
  }

  note(item: NewPublication, result: PublishResult): void {
    if (item.idempotencyKey !== undefined) this.#results.set(scopedKey(item), result);
  }

  forgetOld(nowMs: number): void {
    for (const [key, { timeMs }] of this.#results) {
      if (nowMs - timeMs < IDEMPOTENCY_MS) break;
      this.#results.delete(key);
    }
  }

  removeChannel(channel: string): void {
    for (const key of this.#results.keys()) if (key.startsWith(`${channel}\n`)) this.#results.delete(key);
  }
}

/** A channel's name has no line break, so the two cannot be mixed up. */
function scopedKey({ channel, idempotencyKey }: NewPublication): string {
  return `${channel}\n${idempotencyKey}`;
}
