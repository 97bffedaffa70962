/**
 * What has been handled, kept in the store and acknowledged to the server: at most once a second each, and never ahead of
 * the app.
 */
import type { Command } from "@carillon/protocol/frames";
import { decodePosition, encodePosition, type Position } from "@carillon/protocol/position";
import { isWirePosition } from "@carillon/protocol/server-frames";
import type { Carillon } from "./client.ts";
import { type CancelTimer, nothing } from "./platform.ts";
import { further } from "./progress.ts";

/** A crash makes the app see again what it had handled in this time. */
const WRITE_AFTER_MS = 1_000;

export class Marks {
  readonly #channel: string;
  readonly #client: Carillon;
  readonly #send: (command: Command) => boolean;
  #handled: Position | undefined;
  #cancel: CancelTimer | undefined;
  /** Whether the last ack could not be sent. */
  #isOwed = false;
  /** Ends with the last save of a store that takes its time. */
  #saving: Promise<void> | undefined;

  /** @param send `false` if the channel is not subscribed now: the server would not know what to do with an ack. */
  constructor(channel: string, client: Carillon, send: (command: Command) => boolean) {
    this.#channel = channel;
    this.#client = client;
    this.#send = send;
  }

  /** What was kept by an earlier life of the app. What cannot be read counts as nothing. */
  async load(): Promise<Position | undefined> {
    try {
      const kept: unknown = JSON.parse((await this.#client.store.load(this.#channel)) ?? "null");
      return isWirePosition(kept) ? decodePosition(kept) : undefined;
    } catch {
      return undefined;
    }
  }

  /** Everything up to `position` has been handled. Within an epoch it only moves on. */
  move(position: Position): void {
    this.#handled = further(this.#handled, position);
    this.#flushSoon();
  }

  /** It is subscribed again: what could not be acknowledged meanwhile is. */
  resume(): void {
    if (this.#isOwed) this.#flushSoon();
  }

  /** Keeps and acknowledges now what waits. */
  flush(): void {
    if (this.#cancel === undefined || this.#handled === undefined) return;
    this.#cancel();
    this.#cancel = undefined;
    const position = encodePosition(this.#handled);
    this.#isOwed = !this.#send({ type: "ack", channel: this.#channel, position });
    this.#save(JSON.stringify(position));
  }

  /** What was handled is of no interest any more. */
  forget(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#handled = undefined;
    this.#isOwed = false;
    this.#save(undefined);
  }

  #flushSoon(): void {
    this.#cancel ??= this.#client.platform.setTimer(WRITE_AFTER_MS, () => this.flush());
  }

  /**
   * At once where the store can do it, for an app that closes its client and exits; one after the other where it cannot, so
   * that an old value never overtakes a new one. A store that fails costs no more than seeing something twice.
   */
  #save(value: string | undefined): void {
    const save = () => this.#client.store.save(this.#channel, value);
    try {
      const saved = this.#saving === undefined ? save() : this.#saving.then(save);
      this.#saving = saved?.then(nothing, nothing);
    } catch {}
  }
}
