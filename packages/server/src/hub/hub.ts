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
import type { Engine, PublishResult } from "../engine/engine.ts";
import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { NextId } from "../lib/ids.ts";
import type { Log } from "../lib/log.ts";
import type { Authenticate } from "./access.ts";
import { Channels } from "./channels.ts";
import { DevicePositions } from "./device-positions.ts";
import { startLiveness } from "./liveness.ts";
import { Pages } from "./pages.ts";
import type { FanOut, Outbound } from "./ports.ts";
import { Presence } from "./presence.ts";
import { Publisher, type PublishItem } from "./publisher.ts";
import type { Session, SessionContext, SessionInfo } from "./session.ts";
import { type TextInfo, TextSession } from "./text-session.ts";
import { V1Session } from "./v1-session.ts";

export interface HubPorts {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly log: Log;
  readonly fanOut: FanOut;
  readonly authenticate: Authenticate;
  /** Names publications; ordered by time. */
  readonly nextPublicationId: NextId;
  /** Silence after which a client is pinged; see `liveness.ts`. */
  readonly idleTimeoutMs: number;
  readonly defaultChannel: string;
  /** In which channels members are told who comes and goes. */
  readonly announcesPresence: (channel: string) => boolean;
}

export class Hub {
  readonly #log: Log;
  readonly #context: SessionContext;
  readonly #sessions = new Set<Session>();
  readonly #stopLiveness: CancelTimer;

  constructor(ports: HubPorts) {
    const { engine, clock, log, fanOut, nextPublicationId, announcesPresence, ...shared } = ports;
    const channels = new Channels(engine, fanOut, clock);
    this.#log = log;
    this.#context = {
      ...shared,
      clock,
      log,
      channels,
      pages: new Pages(engine, clock),
      positions: new DevicePositions(engine, clock, log),
      presence: new Presence(channels, announcesPresence),
      publisher: new Publisher(engine, clock, nextPublicationId),
    };
    this.#stopLiveness = startLiveness({ ...ports, sessions: this.#sessions });
  }

  get connections(): number {
    return this.#sessions.size;
  }

  /** A plain-text client has connected. It is subscribed to its channels at once. */
  connectText(info: TextInfo, outbound: Outbound): Session {
    return this.#connect(new TextSession(info, outbound, this.#context));
  }

  /** A client of `carillon.v1` has connected. */
  connectV1(info: SessionInfo, outbound: Outbound): Session {
    return this.#connect(new V1Session(info, outbound, this.#context));
  }

  #connect(session: Session): Session {
    this.#sessions.add(session);
    const { id, address } = session.info;
    this.#log.info(`Client connected. Total connections: ${this.connections}`, { session: id, address });
    session.start();
    return session;
  }

  /** A client's connection has ended, whoever ended it, with the close code that was seen. */
  disconnect(session: Session, code: number, reason: string): void {
    if (!this.#sessions.delete(session)) return;
    session.end(code === CloseCode.normal || code === CloseCode.goingAway);
    const { id, address } = session.info;
    const fields = { session: id, address, code, reason };
    this.#log.info(`Client disconnected. Total connections: ${this.connections}`, fields);
  }

  /**
   * Publishes: resolves when all items are durable and have been fanned out.
   * @throws {EngineError} by rejection; then nothing was published.
   */
  publish(items: readonly PublishItem[]): Promise<readonly PublishResult[]> {
    return this.#context.publisher.publish(items);
  }

  /** Ends all sessions with 1012, on which clients come back. */
  close(): void {
    this.#stopLiveness();
    for (const session of this.#sessions) session.close(CloseCode.serviceRestart, "server restarts");
  }

  /** Writes what is only in memory yet. Called last, when the sessions are gone. */
  flush(): Promise<void> {
    return this.#context.positions.flush();
  }
}
