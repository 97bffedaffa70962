/**
 * The hub: who is connected, and the way from one publication to all of them.
 *
 *     const hub = new Hub({ engine, clock, log, fanOut, … });
 *     const session = hub.connectText({ id, address, channels: ["push"] }, socket);
 *     session.receive("unsubscribe");
 *     await hub.publish([{ channel: "push", data: "Backup done" }]);
 *     hub.disconnect(session, 1000, "");
 */
import { CloseCode } from "@carillon/protocol/codes";
import type { ChannelInfo, Engine, PublishResult, RecordChange } from "../engine/engine.ts";
import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { NextId } from "../lib/ids.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import { Rates } from "../lib/rate.ts";
import type { Authenticate } from "./access.ts";
import { Channels } from "./channels.ts";
import { countedCode } from "./counted-codes.ts";
import { DevicePositions } from "./device-positions.ts";
import { ConnectedDevices } from "./devices/connected.ts";
import type { DeviceChange, Devices } from "./devices/devices.ts";
import { blankDevice } from "./devices/stored.ts";
import { zones } from "./devices/zones.ts";
import type { ConnectionEvent, EventSink } from "./events.ts";
import { Expiry } from "./expiry.ts";
import type { Limits } from "./limits.ts";
import { startLiveness } from "./liveness.ts";
import { Pages } from "./pages.ts";
import type { FanOut, Outbound } from "./ports.ts";
import { Presence } from "./presence.ts";
import { PublishRates } from "./publish-rates.ts";
import { type Followers, Publisher, type PublishItem } from "./publisher.ts";
import { startReceiptSweep } from "./receipt-sweep.ts";
import { Receipts, type Sent } from "./receipts.ts";
import type { Session, SessionContext, SessionInfo } from "./session.ts";
import { wasSlow } from "./slow-readers.ts";
import { type SseInfo, SseSession } from "./sse-session.ts";
import { type TextInfo, TextSession } from "./text-session.ts";
import { V1Session } from "./v1-session.ts";

export interface HubPorts {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly log: Log;
  readonly fanOut: FanOut;
  readonly authenticate: Authenticate;
  readonly limits: Readonly<Limits>;
  readonly metrics: Metrics;
  readonly events: EventSink;
  /** What is kept of devices; it tells the hub of changes by `deviceChanged`. */
  readonly devices: Devices;
  /** The zone of quiet hours of devices that name none. */
  readonly timeZone: string;
  /** Those who have to tell others of publications. */
  readonly notifications?: Followers;
  /** Names publications; ordered by time. */
  readonly nextPublicationId: NextId;
  /** Silence after which a client is pinged; see `liveness.ts`. */
  readonly idleTimeoutMs: number;
  /** The largest frame that a client may send; it is told so. */
  readonly maxFrameBytes: number;
  readonly defaultChannel: string;
  /** In which channels members are told who comes and goes. */
  readonly announcesPresence: (channel: string) => boolean;
}

/**
 * What one device may say a second of publications that were read, each some 30 µs of the server's time; a change of a switch,
 * which is a write, counts for ten. Apps need a hundredth of it.
 */
const DEVICE_PER_SECOND = 200;

export { EngineError } from "../engine/engine.ts";

export class Hub {
  readonly #engine: Engine;
  readonly #log: Log;
  readonly #context: SessionContext;
  readonly #sessions = new Set<Session>();
  /** How many of them speak each protocol. */
  readonly #speakers: Record<ConnectionEvent["protocol"], number> = { text: 0, v1: 0, sse: 0 };
  readonly #events: EventSink;
  readonly #stopLiveness: CancelTimer;
  readonly #stopSweep: CancelTimer;

  constructor(ports: HubPorts) {
    const {
      engine,
      clock,
      log,
      nextPublicationId: nextId,
      announcesPresence,
      events,
      limits,
      ...rest
    } = ports;
    const { devices: registry, notifications, timeZone, metrics, ...shared } = rest;
    const receipts = new Receipts({
      engine,
      clock,
      log,
      events,
      countAudience: (channel, target) => registry.countAudience(channel, target),
      withdraw: (sent) => void this.#takeBack(sent),
      waits: () => positions.wake(),
    });
    const positions = new DevicePositions({ engine, clock, log, receipts });
    const channels = new Channels({ ...ports, receipts });
    this.#engine = engine;
    this.#log = log;
    this.#events = events;
    this.#context = {
      ...shared,
      metrics,
      limits,
      clock,
      log,
      channels,
      pages: new Pages(engine, clock),
      positions,
      receipts,
      registry,
      devices: new ConnectedDevices({
        clock,
        log,
        receipts,
        zone: zones(timeZone),
        load: async (id) => ({
          device: (await registry.get(id)) ?? blankDevice(id, clock.wallMs()),
          positions: await positions.of(id),
        }),
        note: (device, channel, position, sent) => positions.note(device, channel, position, sent),
        keepPush: (id, name, push) => registry.setSwitch(id, name, { push }),
        noteChannels: (id, begun) => registry.noteChannels(id, begun),
      }),
      presence: new Presence(channels, announcesPresence),
      publisher: new Publisher({ engine, clock, nextId, metrics, followers: notifications }),
      publishRates: new PublishRates(ports),
      deviceRates: new Rates(clock, () => DEVICE_PER_SECOND),
      expiry: new Expiry(clock),
      identified: (session) => this.#identified(session),
    };
    this.#stopLiveness = startLiveness({ ...ports, sessions: this.#sessions });
    this.#stopSweep = startReceiptSweep({ receipts, clock, log });
  }

  get connections(): number {
    return this.#sessions.size;
  }

  /** Figures for those who watch the server; nothing is counted for them when they ask. */
  get figures() {
    const { channels, devices } = this.#context;
    const { size: watchedChannels, subscriptions } = channels;
    return { connections: this.#speakers, subscriptions, watchedChannels, devices: devices.size };
  }

  /** A plain-text client has connected. It is subscribed to its channels at once. */
  connectText(info: TextInfo, outbound: Outbound): Session {
    return this.#connect(new TextSession(info, outbound, this.#context));
  }

  /** A client of `carillon.v1` has connected. */
  connectV1(info: SessionInfo, outbound: Outbound): Session {
    return this.#connect(new V1Session(info, outbound, this.#context));
  }

  /** A client has asked for a stream of Server-Sent Events. */
  connectSse(info: SseInfo, outbound: Outbound): Session {
    return this.#connect(new SseSession(info, outbound, this.#context));
  }

  #connect(session: Session): Session {
    this.#sessions.add(session);
    this.#speakers[session.protocol] += 1;
    const { id, address } = session.info;
    this.#log.info(`Client connected. Total connections: ${this.connections}`, { session: id, address });
    this.#context.metrics.connected.inc({ protocol: session.protocol });
    session.start();
    return session;
  }

  #identified(session: Session): void {
    this.#context.expiry.watch(session);
    if (session.device !== undefined) this.#context.registry.seen(session.device);
    if (this.#events.wants("connected")) this.#events.tell({ type: "connected", ...eventOf(session) });
  }

  /** A client's connection has ended, whoever ended it, with the close code that was seen. */
  disconnect(session: Session, code: number, reason: string): void {
    if (!this.#sessions.delete(session)) return;
    this.#speakers[session.protocol] -= 1;
    const { metrics } = this.#context;
    if (wasSlow(session, code)) metrics.slowConsumers.inc();
    session.end(code === CloseCode.normal || code === CloseCode.goingAway);
    const { id, address } = session.info;
    const fields = { session: id, address, code, reason };
    this.#log.info(`Client disconnected. Total connections: ${this.connections}`, fields);
    metrics.disconnected.inc({ code: countedCode(code) });
    if (session.access !== undefined) this.#left(session, code);
  }

  /** Somebody who had been identified has gone. */
  #left(session: Session, code: number): void {
    this.#context.expiry.forget(session);
    const event = eventOf(session);
    if (this.#events.wants("disconnected")) this.#events.tell({ type: "disconnected", ...event, code });
    const { connected } = session;
    if (connected === undefined || !this.#context.devices.leave(connected, session)) return;
    const { id: device } = connected;
    this.#context.registry.seen(device, true);
    if (this.#events.wants("device_offline")) this.#events.tell({ type: "device_offline", device });
  }

  /** Who is connected. */
  get sessions(): Iterable<Session> {
    return this.#sessions;
  }

  /** Ends a session for good. `false` if there is none of this id. */
  dismiss(id: string): boolean {
    for (const session of this.#sessions) {
      if (session.info.id !== id) continue;
      session.close(CloseCode.disconnected, "an operator has ended the connection");
      return true;
    }
    return false;
  }

  /** What gave access to `who` is not valid any more: those connected by it are closed. */
  withdraw(who: string): void {
    for (const session of this.#sessions) {
      if (session.access?.who === who) session.close(CloseCode.unauthorized, "the token has been withdrawn");
    }
  }

  /** Whether a device has a connection. */
  isConnected(device: string): boolean {
    return this.#context.devices.has(device);
  }

  /**
   * Where a device stands, per channel, including what has not been written yet.
   * @throws {EngineError} by rejection.
   */
  positionsOf(device: string): ReturnType<DevicePositions["of"]> {
    return this.#context.positions.of(device);
  }

  /** What is kept of a device has changed: its connections follow, or are closed. */
  deviceChanged(change: DeviceChange): void {
    const { devices, positions, receipts } = this.#context;
    const { id, device, tokenWithdrawn } = change;
    receipts.devicesChanged();
    if (device === undefined) positions.drop(id);
    if (device === undefined || tokenWithdrawn) {
      this.withdraw(`device:${id}`);
      for (const session of [...(devices.get(id)?.sessions ?? [])]) {
        session.close(CloseCode.unauthorized, "the token has been withdrawn");
      }
    } else devices.changed(change);
  }

  /** What became of publications. */
  get receipts(): Pick<Receipts, "funnel" | "of" | "ofDevice"> {
    return this.#context.receipts;
  }

  /** The first of a user's devices has it. The others are told, and it does not come to those that are away. */
  async #takeBack({ id, channel, offset }: Sent): Promise<void> {
    const { pages, publisher } = this.#context;
    try {
      if (offset === 0 || !(await this.#engine.withdraw(channel, offset))) return;
      pages.forget(channel);
      // Urgent, as it is for those in their quiet hours, too: it makes no noise.
      await publisher.commit([{ channel, data: null, ttl: 0, urgency: "high", withdraws: id }]);
    } catch (error) {
      this.#log.warn(`A publication could not be withdrawn: ${error}`, { channel });
    }
  }

  /**
   * Publishes: resolves when all items are durable and have been fanned out. `changes` are made in the same commit.
   * @throws {EngineError} by rejection; then nothing was published.
   */
  publish(
    items: readonly PublishItem[],
    changes?: readonly RecordChange[],
  ): Promise<readonly PublishResult[]> {
    return this.#context.publisher.commit(items, changes);
  }

  /** Counts `count` publications by `who`: 0, or the milliseconds after which they may be tried again. */
  takePublishes(who: string, count: number): number {
    return this.#context.publishRates.take(who, count);
  }

  /**
   * What is kept of a channel after an offset.
   * @throws {EngineError} by rejection.
   */
  history(channel: string, after: number, limit: number): ReturnType<Pages["history"]> {
    return this.#context.pages.history(channel, after, limit);
  }

  /**
   * What is kept of the channels whose names come after `after`, at most `limit` of them.
   * @throws {EngineError} by rejection.
   */
  channels(after: string, limit: number): Promise<readonly ChannelInfo[]> {
    // Those of devices are nobody's to read; their names come before all others.
    return this.#engine.channels(after < "%" ? "%" : after, limit);
  }

  /**
   * What is kept of a channel; of one that was never published to, nothing.
   * @throws {EngineError} by rejection.
   */
  async channel(name: string): Promise<ChannelInfo> {
    const info = await this.#engine.channel(name);
    if (info !== undefined) return info;
    const { epoch } = await this.#engine.top(name);
    return { channel: name, epoch, offset: 0, count: 0, bytes: 0 };
  }

  /** How many are subscribed to a channel now. */
  subscribersOf(channel: string): number {
    return this.#context.channels.membersOf(channel)?.size ?? 0;
  }

  /** Ends all sessions with 1012, on which clients come back. */
  close(): void {
    this.#stopLiveness();
    this.#stopSweep();
    this.#context.expiry.stop();
    this.#context.devices.stop();
    for (const session of this.#sessions) session.close(CloseCode.serviceRestart, "server restarts");
  }

  /** Writes what is only in memory yet. Called last, when the sessions are gone. */
  flush(): Promise<void> {
    return this.#context.positions.flush();
  }
}

function eventOf({ info: { id, address }, protocol, device }: Session): ConnectionEvent {
  return { session: id, protocol, address, ...(device !== undefined && { device }) };
}
