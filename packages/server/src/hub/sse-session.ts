/**
 * A session of Server-Sent Events: one channel, pushed over an HTTP answer that does not end. It is caught up by the same
 * subscription as a WebSocket; the browser remembers the last event's id and hands it in when it comes back.
 */
import type { Access } from "./access.ts";
import { encodeGap, encodeId, sseCodec } from "./codecs.ts";
import { Session, type SessionInfo } from "./session.ts";
import { type Since, startOf } from "./since.ts";
import { Subscription } from "./subscription.ts";

export interface SseInfo extends SessionInfo {
  readonly access: Access;
  readonly channel: string;
  /** What comes after it is sent; without, the stream starts from now. */
  readonly since?: Since;
}

export class SseSession extends Session<SseInfo> {
  readonly protocol = "sse";
  readonly device = undefined;
  #subscription: Subscription | undefined;

  get access(): Access {
    return this.info.access;
  }

  get channels(): readonly string[] {
    return [this.info.channel];
  }

  protected get subscriptions(): Iterable<Subscription> {
    return this.#subscription === undefined ? [] : [this.#subscription];
  }

  start(): void {
    this.context.identified(this);
    const subscription = new Subscription(this.info.channel, this, sseCodec, this.context);
    this.#subscription = subscription;
    this.context.presence.joined(subscription.channel, this);
    void this.#begin(subscription);
  }

  /** An HTTP client says nothing. That it is there shows in that it takes what it is sent. */
  override ping(): void {
    super.ping();
    if (this.outbound.getBufferedAmount() === 0) this.seen();
  }

  /** So is that it has taken all that was waiting: one that was behind at the ping is not asked again. */
  override drain(): void {
    this.seen();
    super.drain();
  }

  protected execute(): void {}

  protected leave(): void {
    const subscription = this.#subscription;
    if (subscription === undefined) return;
    subscription.end();
    this.context.presence.left(subscription.channel, this);
  }

  async #begin(subscription: Subscription): Promise<void> {
    const { since } = this.info;
    try {
      // Also without a position: an event's id begins with the epoch.
      await subscription.opened();
      if (this.hasEnded) return;
      const { channel } = subscription;
      const after = startOf(channel, undefined, since);
      const isOther = since?.epoch !== undefined && since.epoch !== channel.epoch;
      if (isOther) this.outbound.send(encodeGap({ reason: "epoch" }));
      if (after === undefined) subscription.goLive();
      else await subscription.catchUp(after);
      // One that is cut off before its first event, or behind a gap, has a place to come back to all the same.
      if (!this.hasEnded) this.outbound.send(encodeId(channel.epoch, channel.delivered));
    } catch (error) {
      if (this.hasEnded) return;
      this.context.log.warn(`A stream could not be caught up: ${error}`, this.logFields());
      // The browser comes back with its last id and asks again; going live would skip what it has missed.
      this.outbound.terminate();
    }
  }
}
