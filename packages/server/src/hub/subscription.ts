/**
 * One session's subscription to one channel: from a position to the channel's delivered top, page by page, and in the
 * tick in which it stands there, over to the live topic. Nothing is missed and nothing comes twice: the top moves only
 * when a publication is fanned out, and a subscription joins the fan-out only when it stands at the top.
 */
import { type Offsets, together } from "@carillon/protocol/position";
import type { Channel, Channels } from "./channels.ts";
import type { Codec } from "./codecs.ts";
import type { Pages } from "./pages.ts";
import type { Session } from "./session.ts";

/** What all subscriptions of a hub share. */
export interface SubscriptionPorts {
  readonly channels: Channels;
  readonly pages: Pages;
}

/**
 * Unsent bytes at which a client that is catching up has to read first: a page more would only lie in memory. A quarter
 * of the limit at which a slow reader is cut off, so that live pushes find room.
 */
const WAIT_AT_BYTES = 256 * 1024;

export class Subscription {
  readonly channel: Channel;
  readonly #session: Session;
  readonly #codec: Codec;
  readonly #ports: SubscriptionPorts;
  #state: "waiting" | "live" | "muted" | "ended" = "waiting";
  /** Up to where it has been sent everything, while it is not live. */
  #written = 0;

  constructor(name: string, session: Session, codec: Codec, ports: SubscriptionPorts) {
    this.#session = session;
    this.#codec = codec;
    this.#ports = ports;
    this.channel = ports.channels.join(name, session);
  }

  /** Push is off: nothing is sent, and the position moves along. */
  get isMuted(): boolean {
    return this.#state === "muted";
  }

  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /** The offset up to which everything has been written to the client's connection, or was not wanted. */
  get written(): number {
    const along = this.#state === "live" || this.#state === "muted";
    return along ? this.channel.delivered : this.#written;
  }

  /** Waits until the channel's epoch and top are known. */
  opened(): Promise<void> | undefined {
    return this.#ports.channels.opened(this.channel);
  }

  /** From now on, whatever was before. */
  goLive(): void {
    if (this.#state === "live" || this.#state === "ended") return;
    this.#state = "live";
    const { live, name } = this.channel;
    live.set(this.#codec, (live.get(this.#codec) ?? 0) + 1);
    this.#session.outbound.subscribe(this.#codec.topic(name));
  }

  /**
   * Sends what came after `after`, then goes live. The channel has to be open.
   * @throws {EngineError} by rejection, if history cannot be read; the subscription is then still waiting.
   */
  async catchUp(after: Offsets): Promise<void> {
    this.#written = Math.min(...after);
    for (let from = after; this.#state === "waiting"; from = together(this.#written)) {
      if (Math.min(...from) >= this.channel.delivered) return this.goLive();
      const page = await this.#ports.pages.page(this.channel.name, from, this.channel.delivered);
      if (this.#state !== "waiting") return;
      this.#write(page.framesFor(this.#codec));
      this.#written = page.to;
      if (this.#session.outbound.getBufferedAmount() > WAIT_AT_BYTES) await this.#session.drained();
    }
  }

  /** Switches push off, until `goLive`. */
  mute(): void {
    if (this.#state === "ended") return;
    this.#leaveTopic();
    this.#state = "muted";
  }

  end(): void {
    if (this.#state === "ended") return;
    this.#leaveTopic();
    this.#written = this.written;
    this.#state = "ended";
    this.#ports.channels.leave(this.channel, this.#session);
  }

  #leaveTopic(): void {
    if (this.#state !== "live") return;
    const { live, name } = this.channel;
    live.set(this.#codec, (live.get(this.#codec) ?? 1) - 1);
    this.#session.outbound.unsubscribe(this.#codec.topic(name));
  }

  #write(frames: readonly string[]): void {
    const { outbound } = this.#session;
    outbound.cork(() => {
      for (const frame of frames) outbound.send(frame);
    });
  }
}
