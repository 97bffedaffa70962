/**
 * The hub: who is connected, and the way from one publication to all of them.
 *
 *     const hub = new Hub({ clock, log, fanOut, idleTimeoutMs: 1_200_000 });
 *     const session = hub.connect({ id, address, channels: ["push"] }, socket);
 *     session.receive("unsubscribe");
 *     hub.publish("push", "Backup done");
 *     hub.disconnect(session, 1000);
 */
import { CloseCode } from "@carillon/protocol/codes";
import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { startLiveness } from "./liveness.ts";
import { type FanOut, type Outbound, textTopic } from "./ports.ts";
import { Session, type SessionInfo } from "./session.ts";

export interface HubPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly fanOut: FanOut;
  /** Silence after which a client is pinged; see `liveness.ts`. */
  readonly idleTimeoutMs: number;
}

export class Hub {
  readonly #ports: HubPorts;
  readonly #sessions = new Set<Session>();
  readonly #stopLiveness: CancelTimer;

  constructor(ports: HubPorts) {
    this.#ports = ports;
    this.#stopLiveness = startLiveness({ ...ports, sessions: this.#sessions });
  }

  get connections(): number {
    return this.#sessions.size;
  }

  /** A client has connected. It is subscribed to its channels at once. */
  connect(info: SessionInfo, outbound: Outbound): Session {
    const session = new Session(info, outbound, this.#ports);
    this.#sessions.add(session);
    this.#ports.log.info(`Client connected. Total connections: ${this.connections}`, {
      session: info.id,
      address: info.address,
      channels: info.channels.join(","),
    });
    return session;
  }

  /** A client's connection has ended, whoever ended it, with the close code that was seen. */
  disconnect(session: Session, code: number, reason: string): void {
    if (!this.#sessions.delete(session)) return;
    this.#ports.log.info(`Client disconnected. Total connections: ${this.connections}`, {
      session: session.info.id,
      address: session.info.address,
      code,
      reason,
    });
  }

  /** Sends `text` to everyone who is subscribed to `channel`. Encoded once, however many they are. */
  publish(channel: string, text: string): void {
    this.#ports.fanOut.publish(textTopic(channel), text);
  }

  /** Ends all sessions with 1012, on which clients come back. */
  close(): void {
    this.#stopLiveness();
    for (const session of this.#sessions) session.close(CloseCode.serviceRestart, "server restarts");
  }
}
