/**
 * A session of the plain-text protocol: subscribed as soon as it is connected; `subscribe` and `unsubscribe` switch push
 * for all its channels.
 *
 * A client that names a device is caught up from the position that is kept for it. Plain text has no acks, so the
 * position moves up to what had been written before the client's last sign of life or its orderly close; after a silent
 * death the rest is written again.
 */
import { type Position, together } from "@carillon/protocol/position";
import { decodeText, encodeReceived, type TextCommand } from "@carillon/protocol/text";
import type { Access } from "./access.ts";
import { textCodec } from "./codecs.ts";
import { Session, type SessionInfo } from "./session.ts";
import { type Since, startOf } from "./since.ts";
import { Subscription } from "./subscription.ts";

/** What the handshake's query says. */
export interface TextInfo extends SessionInfo {
  readonly access: Access;
  /** What it is subscribed to while push is on. */
  readonly channels: readonly string[];
  readonly device?: string;
  /** What comes after it is sent. */
  readonly since?: Since;
}

type Handlers = {
  readonly [Type in TextCommand["type"]]: (
    session: TextSession,
    command: Extract<TextCommand, { type: Type }>,
  ) => void;
};

/** One entry per command; the type checker refuses a command without one. */
const handlers: Handlers = {
  subscribe: (session) => session.setPush(true),
  unsubscribe: (session) => session.setPush(false),
  message: (session, { text }) => session.outbound.send(encodeReceived(text)),
};

export class TextSession extends Session<TextInfo> {
  readonly protocol = "text";
  #subscriptions: Subscription[] = [];

  get access(): Access {
    return this.info.access;
  }

  get channels(): readonly string[] {
    return this.info.channels;
  }

  get device(): string | undefined {
    return this.info.device;
  }

  start(): void {
    const { device, since } = this.info;
    this.context.identified(this);
    this.#subscriptions = this.#join();
    if (device !== undefined || since !== undefined) void this.#resume(device, since);
    else for (const subscription of this.#subscriptions) subscription.goLive();
  }

  override seen(): void {
    super.seen();
    this.#notePositions();
  }

  /** Switches push on or off, for all channels of the session. Off, positions move along: on again starts from now. */
  setPush(on: boolean): void {
    for (const subscription of this.#subscriptions) {
      if (!on) subscription.mute();
      // One that is being caught up is on already: going live now would skip what it has missed.
      else if (subscription.isMuted) subscription.goLive();
    }
    const line = on ? "subscribe: 开启推送" : "unsubscribe: 关闭推送";
    this.context.log.info(line, this.logFields());
  }

  protected execute(frame: string): void {
    const command = decodeText(frame);
    handlers[command.type](this, command as never);
  }

  protected leave(orderly: boolean): void {
    this.#notePositions((subscription) => orderly || subscription.isMuted);
    for (const subscription of this.#subscriptions) {
      subscription.end();
      this.context.presence.left(subscription.channel, this);
    }
  }

  #join(): Subscription[] {
    return this.info.channels.map((channel) => {
      const subscription = new Subscription(channel, this, textCodec, this.context);
      this.context.presence.joined(subscription.channel, this);
      return subscription;
    });
  }

  async #resume(device: string | undefined, since: Since | undefined): Promise<void> {
    let kept: ReadonlyMap<string, Position> = new Map();
    try {
      if (device !== undefined) kept = await this.context.positions.of(device);
    } catch (error) {
      this.#cannotCatchUp(error);
    }
    for (const subscription of this.#subscriptions) void this.#catchUp(subscription, kept, since);
  }

  async #catchUp(
    subscription: Subscription,
    kept: ReadonlyMap<string, Position>,
    since: Since | undefined,
  ): Promise<void> {
    if (!(await this.#opened(subscription))) return this.#goLive(subscription);
    const after = startOf(subscription.channel, kept.get(subscription.channel.name), since);
    if (after === undefined) return this.#goLive(subscription);
    try {
      await subscription.catchUp(after);
    } catch (error) {
      // What can be delivered live, is.
      this.#cannotCatchUp(error);
      this.#goLive(subscription);
    }
  }

  /** Unless the client has switched push off meanwhile. */
  #goLive(subscription: Subscription): void {
    if (!subscription.isMuted) subscription.goLive();
  }

  async #opened(subscription: Subscription): Promise<boolean> {
    try {
      await subscription.opened();
      return true;
    } catch (error) {
      this.#cannotCatchUp(error);
      return false;
    }
  }

  #cannotCatchUp(error: unknown): void {
    this.context.log.warn(`A client could not be caught up: ${error}`, this.logFields());
  }

  /** What still waits in this process has not been written. */
  #notePositions(isMoved: (subscription: Subscription) => boolean = () => true): void {
    const { device } = this.info;
    if (device === undefined || this.outbound.getBufferedAmount() > 0) return;
    for (const subscription of this.#subscriptions) {
      const { channel, written } = subscription;
      if (channel.epoch === "" || written < 1 || !isMoved(subscription)) continue;
      this.context.positions.note(device, channel.name, { epoch: channel.epoch, offsets: together(written) });
    }
  }
}
