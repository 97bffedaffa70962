/**
 * A session: one client while it is connected. It takes the client's frames and remembers its last sign of life; what
 * the frames mean is its protocol's (`text-session.ts`, `v1-session.ts`). It knows no socket, only an `Outbound`, so a
 * test drives it without a port and without waiting.
 */
import { CloseCode } from "@carillon/protocol/codes";
import type { Member } from "@carillon/protocol/frames";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { Rates } from "../lib/rate.ts";
import type { Access, Authenticate } from "./access.ts";
import type { Channels } from "./channels.ts";
import type { DevicePositions } from "./device-positions.ts";
import type { ConnectedDevice, ConnectedDevices } from "./devices/connected.ts";
import type { Switch } from "./devices/device.ts";
import type { Devices } from "./devices/devices.ts";
import type { ConnectionEvent } from "./events.ts";
import type { Expiry } from "./expiry.ts";
import type { Limits } from "./limits.ts";
import type { Pages } from "./pages.ts";
import type { Outbound } from "./ports.ts";
import type { Presence } from "./presence.ts";
import type { PublishRates } from "./publish-rates.ts";
import type { Publisher } from "./publisher.ts";
import type { Receipts } from "./receipts.ts";
import type { Subscription } from "./subscription.ts";

/** What all sessions of a hub share; kept in one object because a session has to stay small. */
export interface SessionContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly channels: Channels;
  readonly pages: Pages;
  readonly positions: DevicePositions;
  readonly receipts: Receipts;
  /** What is kept of devices. */
  readonly registry: Devices;
  /** Those that are connected. */
  readonly devices: ConnectedDevices;
  readonly presence: Presence;
  readonly publisher: Publisher;
  readonly authenticate: Authenticate;
  readonly expiry: Expiry;
  readonly limits: Readonly<Limits>;
  /** Publications by who publishes. */
  readonly publishRates: PublishRates;
  /** What devices say of themselves and of publications, by device. */
  readonly deviceRates: Rates;
  readonly metrics: Metrics;
  /** It is known who a session is for and what it may do. */
  readonly identified: (session: Session) => void;
  readonly idleTimeoutMs: number;
  readonly maxFrameBytes: number;
  readonly defaultChannel: string;
}

/** Who a session is for, as known at the handshake. */
export interface SessionInfo {
  readonly id: string;
  /** The client's address, for the log and for limits. */
  readonly address: string;
}

const RATE_WINDOW_MS = 1_000;

export abstract class Session<Info extends SessionInfo = SessionInfo> {
  abstract readonly protocol: ConnectionEvent["protocol"];
  readonly info: Info;
  readonly outbound: Outbound;
  /** When it connected, in milliseconds since 1970. */
  readonly sinceMs: number;
  /** When a frame or pong last came, on the monotonic clock. */
  lastSeenMs: number;
  /** Whether a ping has been sent since then. */
  pinged = false;
  /** Bytes that it had not read when last looked at: once it has ended, its outbound says 0. */
  unread = 0;
  /** The device that it is one of the connections of. */
  connected: ConnectedDevice | undefined;
  protected readonly context: SessionContext;
  #windowStartMs: number;
  #framesInWindow = 0;
  #bytesInWindow = 0;
  #ended = false;
  #waiting: (() => void)[] | undefined;

  constructor(info: Info, outbound: Outbound, context: SessionContext) {
    this.info = info;
    this.outbound = outbound;
    this.context = context;
    this.sinceMs = context.clock.wallMs();
    this.lastSeenMs = context.clock.monotonicMs();
    this.#windowStartMs = this.lastSeenMs;
  }

  /** The device that the client said it is. */
  abstract readonly device: string | undefined;

  /** What it may do; `undefined` until that is known. */
  abstract readonly access: Access | undefined;

  /** The channels it receives, or would with push on. */
  abstract get channels(): readonly string[];

  /** Its subscriptions, one for each channel. */
  protected abstract get subscriptions(): Iterable<Subscription>;

  /** The connection is open and may be written to. */
  abstract start(): void;

  /** Takes a text frame that is within the limits. Never throws. */
  protected abstract execute(frame: string): void;

  /** Leaves every channel. `orderly` is whether the client said goodbye. */
  protected abstract leave(orderly: boolean): void;

  /** What its device wants of its channels may be something else now. */
  applySwitches(): void {
    const { connected } = this;
    if (connected === undefined) return;
    for (const subscription of this.subscriptions) {
      subscription.want(connected.wants(subscription.channel.name)).catch((error) => {
        this.context.log.warn(`What had waited could not be read: ${error}`, this.logFields());
        // It comes when the client asks for it again: going on live would hide that it is missing.
        this.close(CloseCode.tryAgainLater, "what has waited cannot be read now");
      });
    }
  }

  /** Its device's tags may be others now. */
  retag(): void {
    for (const subscription of this.subscriptions) subscription.retag();
  }

  /** Its device has another user: the client comes back, and is told what it reads then. */
  inboxChanged(): void {
    this.close(CloseCode.deviceChanged, "the device has another user");
  }

  /** A switch of its device was changed. */
  switchChanged(_channel: string, _now: Switch): void {}

  /** How others see it in a channel's presence. */
  get member(): Member {
    const { device } = this;
    return { session: this.info.id, ...(device !== undefined && { device }) };
  }

  /** Whether the client has yet to say who it is. */
  get isUnidentified(): boolean {
    return false;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Takes one frame. Never throws: a frame the client should not have sent closes its connection. */
  receive(frame: string | Uint8Array): void {
    this.seen();
    if (!this.#withinRate(frame.length)) this.#refuse();
    else if (typeof frame !== "string") this.close(CloseCode.unsupportedData, "text frames only");
    else this.execute(frame);
  }

  /** A sign of life: a frame, or the pong to a ping. */
  seen(): void {
    this.lastSeenMs = this.context.clock.monotonicMs();
    this.pinged = false;
  }

  ping(): void {
    this.pinged = true;
    this.outbound.ping();
  }

  close(code: CloseCode, reason: string): void {
    this.outbound.close(code, reason);
  }

  /** Ends the connection of a client that is gone: with a code if it may still read it, else at once. */
  drop(): void {
    if (this.outbound.getBufferedAmount() === 0) {
      this.close(CloseCode.idleTimeout, "silent for too long");
      return;
    }
    this.context.metrics.slowConsumers.inc();
    this.unread = 0;
    this.outbound.terminate();
  }

  /** Looks at how much is unread. */
  noteUnread(): void {
    this.unread = this.outbound.getBufferedAmount();
  }

  /** The connection is gone. */
  end(orderly: boolean): void {
    this.#ended = true;
    this.leave(orderly);
    this.drain();
  }

  /** The client has taken what was waiting for it. */
  drain(): void {
    this.noteUnread();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (const resume of waiting ?? []) resume();
  }

  /** Resolves at the next `drain`, or when the session ends. */
  drained(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }

  protected logFields(): { session: string; address: string } {
    return { session: this.info.id, address: this.info.address };
  }

  #refuse(): void {
    this.context.metrics.refused.inc({ code: "frame_rate" });
    this.close(CloseCode.policyViolation, "too many frames or bytes a second");
  }

  /** A text's letters stand for its bytes: there are never more of them, and at most three times fewer. */
  #withinRate(size: number): boolean {
    const { maxFramesPerSecond, maxBytesPerSecond } = this.context.limits;
    if (this.lastSeenMs - this.#windowStartMs >= RATE_WINDOW_MS) {
      this.#windowStartMs = this.lastSeenMs;
      this.#framesInWindow = 0;
      this.#bytesInWindow = 0;
    }
    this.#framesInWindow += 1;
    this.#bytesInWindow += size;
    return this.#framesInWindow <= maxFramesPerSecond && this.#bytesInWindow <= maxBytesPerSecond;
  }
}
