/**
 * A session of the plain-text protocol: subscribed as soon as it is connected; `subscribe` and `unsubscribe` switch push
 * for all its channels, and where the client names a device the switch is remembered.
 *
 * A device is caught up from the position that is kept for it, and a registered one reads its inbox as well. Plain text has
 * no acks, so the position moves up to what had been written before the client's last sign of life or its orderly close;
 * after a silent death the rest is written again.
 */
import { CloseCode } from "@carillon/protocol/codes";
import { type Offsets, START, together } from "@carillon/protocol/position";
import { decodeText, encodeReceived, type TextCommand } from "@carillon/protocol/text";
import type { Access } from "./access.ts";
import { textCodec } from "./codecs.ts";
import type { ConnectedDevice } from "./devices/connected.ts";
import { inboxOf } from "./devices/device.ts";
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
  /** What the client has said last. Its device's switch counts, where it is one. */
  #push: boolean | undefined;

  get access(): Access {
    return this.info.access;
  }

  get channels(): readonly string[] {
    return this.#subscriptions.map(({ channel }) => channel.name);
  }

  get device(): string | undefined {
    return this.info.device;
  }

  protected get subscriptions(): Iterable<Subscription> {
    return this.#subscriptions;
  }

  start(): void {
    const { device, since, channels } = this.info;
    if (device !== undefined) this.connected = this.context.devices.enter(device, this);
    this.context.identified(this);
    this.#subscriptions = this.#join(channels);
    if (this.connected !== undefined) void this.#meet(this.connected);
    else if (since !== undefined) void this.#catchUpAll();
    else for (const subscription of this.#subscriptions) subscription.goLive();
  }

  override seen(): void {
    super.seen();
    this.#notePositions();
  }

  /** Switches push on or off, for all channels of the session. Off, positions move along: on again starts from now. */
  setPush(on: boolean): void {
    this.#push = on;
    if (this.connected !== undefined) this.connected.switchPush(this.channels, on);
    else for (const subscription of this.#subscriptions) void subscription.want(on ? "all" : "none");
    const line = on ? "subscribe: 开启推送" : "unsubscribe: 关闭推送";
    this.context.log.info(line, this.logFields());
  }

  protected execute(frame: string): void {
    const command = decodeText(frame);
    handlers[command.type](this, command as never);
  }

  protected leave(orderly: boolean): void {
    if (orderly) this.#notePositions();
    for (const subscription of this.#subscriptions) {
      this.#moveAlong(subscription);
      subscription.end();
      subscription.standing?.settle(subscription.channel);
      this.context.presence.left(subscription.channel, this);
    }
  }

  #join(channels: readonly string[]): Subscription[] {
    return channels.map((channel) => {
      const subscription = new Subscription(channel, this, textCodec, this.context);
      this.context.presence.joined(subscription.channel, this);
      return subscription;
    });
  }

  /** Waits until it is known what the device wants and where it stands. */
  async #meet(connected: ConnectedDevice): Promise<void> {
    try {
      await connected.ready;
      if (await this.#isTurnedAway()) return;
      const inbox = connected.device === undefined ? [] : inboxOf(connected.device);
      this.#subscriptions.push(...this.#join(inbox));
      for (const subscription of this.#subscriptions) {
        subscription.standing = connected.stand(subscription.channel.name);
      }
      // What was said before the inbox was known is meant for it, too.
      if (this.#push !== undefined) connected.switchPush(inbox, this.#push);
    } catch (error) {
      this.#cannotCatchUp(error);
    }
    if (!this.hasEnded) await this.#catchUpAll();
  }

  /** Whether the token has been withdrawn since it was looked at, before this session was known. */
  async #isTurnedAway(): Promise<boolean> {
    const { access, device } = this.info;
    if (access.device === undefined || this.hasEnded) return this.hasEnded;
    const isGood = (await this.context.registry.enter(access, device)) !== "forbidden";
    if (!isGood) this.close(CloseCode.unauthorized, "the token has been withdrawn");
    return !isGood || this.hasEnded;
  }

  async #catchUpAll(): Promise<void> {
    const { connected } = this;
    const starts = await Promise.all(this.#subscriptions.map((each) => this.#startOf(each)));
    await connected?.begin(this.#subscriptions.map(({ channel }) => channel));
    for (const subscription of this.#subscriptions) void this.#catchUp(subscription, starts.shift());
  }

  async #catchUp(subscription: Subscription, after: Offsets | undefined): Promise<void> {
    const { name } = subscription.channel;
    try {
      if (this.connected !== undefined) await subscription.want(this.connected.wants(name));
      if (after === undefined) subscription.goLive();
      else await subscription.catchUp(after);
    } catch (error) {
      // What can be delivered live, is.
      this.#cannotCatchUp(error);
      subscription.goLive();
    }
  }

  /** Where it begins; a device has a place from then on. `undefined` where it cannot be told: from now. */
  async #startOf(subscription: Subscription): Promise<Offsets | undefined> {
    const { channel, standing } = subscription;
    try {
      await subscription.opened();
    } catch (error) {
      this.#cannotCatchUp(error);
      return undefined;
    }
    const kept = standing?.position;
    const since = channel.name.startsWith("$") ? undefined : this.info.since;
    // What waits in a device's own channel is for nobody else.
    const first = channel.name.startsWith("$device/") ? START : together(channel.delivered);
    const after = startOf(channel, kept, since) ?? first;
    if (kept === undefined || kept.epoch !== channel.epoch) standing?.place(channel, after);
    return after;
  }

  #cannotCatchUp(error: unknown): void {
    this.context.log.warn(`A client could not be caught up: ${error}`, this.logFields());
  }

  /** What was not wanted is not kept for later; nor is it known that the client has what came before. */
  #moveAlong({ channel, standing, isMuted, written }: Subscription): void {
    if (isMuted && standing?.position !== undefined && channel.epoch !== "") standing.place(channel, written);
  }

  /** What still waits in this process has not been written. */
  #notePositions(): void {
    if (this.connected === undefined || this.outbound.getBufferedAmount() > 0) return;
    for (const { channel, standing, written } of this.#subscriptions) {
      if (standing?.position === undefined || channel.epoch === "") continue;
      standing.handle(channel, written);
    }
  }
}
