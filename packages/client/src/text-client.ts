/**
 * A client of the plain-text protocol that stays connected, sends its own heartbeats, and keeps the push switch where
 * it was put: a new connection is subscribed by the server, so one whose switch is off says so again.
 *
 *     const client = new TextClient({
 *       url: "ws://localhost:8080/ws",
 *       platform: systemPlatform(),
 *       heartbeatMs: 240_000,
 *       onPush: (text) => show(text),
 *     });
 *     client.open();
 *     client.setPush(false);
 */
import { decodeReceived, HEARTBEAT } from "@carillon/protocol/text";
import { Connection, type ConnectionState } from "./connection.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { Platform } from "./platform.ts";

export interface TextClientOptions {
  readonly url: string | (() => string);
  readonly platform: Platform;
  /** Milliseconds between heartbeats; none are sent unless given. */
  readonly heartbeatMs?: number | undefined;
  /** Whether push is on to begin with; on unless given. */
  readonly push?: boolean;
  readonly onState?: (state: ConnectionState) => void;
  /** A push has arrived. */
  readonly onPush?: (text: string) => void;
  /** The server has answered what `send` sent. */
  readonly onReceived?: (text: string) => void;
  readonly onHeartbeat?: (roundTripMs: number) => void;
}

export class TextClient {
  readonly #options: TextClientOptions;
  readonly #connection: Connection;
  readonly #heartbeat: Heartbeat;
  #push: boolean;

  constructor(options: TextClientOptions) {
    this.#options = options;
    this.#push = options.push ?? true;
    this.#connection = new Connection({
      url: options.url,
      platform: options.platform,
      onState: (state) => this.#stateChanged(state),
      onFrame: (frame) => this.#received(frame),
      // Phones let sockets die in their sleep without telling anybody.
      onWake: () => this.#heartbeat.beat(),
    });
    this.#heartbeat = new Heartbeat({
      platform: options.platform,
      send: () => this.#connection.send(HEARTBEAT),
      onMissed: () => this.#connection.abandon("a heartbeat got no answer"),
      ...(options.onHeartbeat && { onAnswer: options.onHeartbeat }),
    });
    this.#heartbeat.intervalMs = options.heartbeatMs;
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** Whether push is switched on. */
  get push(): boolean {
    return this.#push;
  }

  open(): void {
    this.#connection.open();
  }

  close(): void {
    this.#connection.close();
  }

  /** Switches push on or off, now if connected, and for every later connection. */
  setPush(on: boolean): void {
    this.#push = on;
    this.#connection.send(on ? "subscribe" : "unsubscribe");
  }

  /** Milliseconds between heartbeats, `undefined` for none. Takes effect at once. */
  setHeartbeat(intervalMs: number | undefined): void {
    this.#heartbeat.intervalMs = intervalMs;
  }

  /** Sends a heartbeat now. `false` if there is no connection. */
  beat(): boolean {
    return this.#heartbeat.beat();
  }

  /** Sends a text, which the server answers. `false` if there is no connection. */
  send(text: string): boolean {
    return this.#connection.send(text);
  }

  #stateChanged(state: ConnectionState): void {
    if (state.status === "open") {
      if (!this.#push) this.#connection.send("unsubscribe");
      this.#heartbeat.start();
    } else {
      this.#heartbeat.stop();
    }
    this.#options.onState?.(state);
  }

  #received(frame: string): void {
    const answer = decodeReceived(frame);
    if (answer === undefined) this.#options.onPush?.(frame);
    else if (answer !== HEARTBEAT || !this.#heartbeat.answered()) this.#options.onReceived?.(answer);
  }
}
