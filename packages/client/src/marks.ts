/**
 * What has been handled, kept in the store and acknowledged to the server: at most once a second each, and never ahead of
 * the app.
 */
import type { Command } from "@carillon/protocol/frames";
import { decodePosition, encodePosition, furthest, type Position } from "@carillon/protocol/position";
import { isWirePosition } from "@carillon/protocol/server-frames";
import type { CancelTimer, Platform } from "./platform.ts";
import type { Store } from "./stores.ts";

/** A crash makes the app see again what it had handled in this time. */
const WRITE_AFTER_MS = 1_000;

export interface MarksPorts {
  readonly store: Store;
  readonly platform: Platform;
  send(command: Command): boolean;
}

export class Marks {
  readonly #channel: string;
  readonly #ports: MarksPorts;
  #handled: Position | undefined;
  #cancel: CancelTimer | undefined;
  #saving = false;
  /** What came while the store was busy. */
  #next: { readonly value: string | undefined } | undefined;

  constructor(channel: string, ports: MarksPorts) {
    this.#channel = channel;
    this.#ports = ports;
  }

  /** What was kept by an earlier life of the app. What cannot be read counts as nothing. */
  async load(): Promise<Position | undefined> {
    try {
      const kept: unknown = JSON.parse((await this.#ports.store.load(this.#channel)) ?? "null");
      this.#handled = isWirePosition(kept) ? decodePosition(kept) : undefined;
    } catch {
      this.#handled = undefined;
    }
    return this.#handled;
  }

  /** Everything up to `position` has been handled. Within an epoch it only moves on. */
  move(position: Position): void {
    const handled = this.#handled;
    this.#handled =
      handled?.epoch === position.epoch
        ? { epoch: position.epoch, offsets: furthest(handled.offsets, position.offsets) }
        : position;
    this.#cancel ??= this.#ports.platform.setTimer(WRITE_AFTER_MS, () => this.flush());
  }

  /** Keeps and acknowledges now what waits. */
  flush(): void {
    if (this.#cancel === undefined || this.#handled === undefined) return;
    this.#cancel();
    this.#cancel = undefined;
    const position = encodePosition(this.#handled);
    this.#ports.send({ type: "ack", channel: this.#channel, position });
    this.#save(JSON.stringify(position));
  }

  /** What was handled is of no interest any more. */
  forget(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#handled = undefined;
    this.#save(undefined);
  }

  /**
   * At once where the store can do it: an app that closes its client and exits has kept everything. A store that is still at
   * the save before is given only the latest, so that an old value never overtakes a new one. One that fails costs no more
   * than seeing something twice after a restart.
   */
  #save(value: string | undefined): void {
    if (this.#saving) {
      this.#next = { value };
      return;
    }
    this.#saving = true;
    try {
      const saved = this.#ports.store.save(this.#channel, value);
      if (saved === undefined) this.#saving = false;
      else saved.then(this.#saved, this.#saved);
    } catch {
      this.#saving = false;
    }
  }

  readonly #saved = (): void => {
    const next = this.#next;
    this.#saving = false;
    this.#next = undefined;
    if (next !== undefined) this.#save(next.value);
  };
}
