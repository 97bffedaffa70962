/**
 * One connection that stays: it connects, reports what it is doing, and comes back by itself.
 *
 *     const connection = new Connection({
 *       url: "wss://push.example.com/ws",
 *       platform: systemPlatform(),
 *       mayReturn: mayReconnect,
 *       onState: (state) => show(state.status),
 *       onFrame: (frame) => show(frame),
 *     });
 *     connection.open();
 *
 * It knows frames and nothing of what is in them.
 */
import { ABNORMAL_CLOSURE } from "@carillon/protocol/codes";
import { backoffMs } from "./backoff.ts";
import { nothing, type Platform, type Socket, type SocketClosed } from "./platform.ts";

/** What the connection is doing, for a user interface to show. */
export type ConnectionState =
  /** Not connected and not trying: never opened, closed by the app, or told by the server not to come back. */
  | { readonly status: "closed"; readonly code?: number; readonly reason?: string }
  | { readonly status: "connecting" }
  | { readonly status: "open" }
  /** Lost or refused; the next attempt comes in `retryInMs`. */
  | {
      readonly status: "waiting";
      readonly retryInMs: number;
      readonly code: number;
      readonly reason: string;
    };

export interface ConnectionOptions {
  /** `ws:` or `wss:`. */
  readonly url: string;
  /** Sub-protocols to offer (RFC 6455 section 1.9). */
  readonly protocols: readonly string[];
  readonly platform: Platform;
  readonly onState: (state: ConnectionState) => void;
  readonly onFrame: (frame: string) => void;
  /** Whether to come back after this close code. */
  readonly mayReturn: (code: number) => boolean;
  /** The app came to the foreground, or its network came back, while the connection stood open: is it still alive? */
  readonly onWake: () => void;
}

/** An attempt that has not succeeded by then is given up: a SYN into nowhere would take minutes. */
const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that lasted this long was good: the next loss starts with short waits again. */
const STABLE_AFTER_MS = 10_000;

export class Connection {
  readonly #options: ConnectionOptions;
  #state: ConnectionState = { status: "closed" };
  #socket: Socket | undefined;
  #attempt = 0;
  /** The one timer that the current state waits for: connect timeout, stable, or retry. */
  #cancelTimer = nothing;
  #stopWaking = nothing;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Connects, and from now on stays connected. Does nothing if that is so already. */
  open(): void {
    if (this.#state.status !== "closed") return;
    this.#attempt = 0;
    this.#stopWaking = this.#options.platform.onWake(() => this.#wake());
    this.#connect();
  }

  /** Ends the connection and stays away until `open`. */
  close(): void {
    if (this.#state.status !== "closed") this.#end({ status: "closed" });
  }

  /** Sends one frame; `false` if there is no open connection to send it on (nothing is queued). */
  send(frame: string): boolean {
    if (this.#state.status !== "open" || this.#socket === undefined) return false;
    this.#socket.send(frame);
    return true;
  }

  /** Gives the present connection up for dead and makes a new one; for a heartbeat that got no answer. */
  abandon(reason: string): void {
    if (this.#state.status === "open") this.#lost(ABNORMAL_CLOSURE, reason);
  }

  #connect(): void {
    const { platform, url, protocols, onFrame, mayReturn } = this.#options;
    let socket: Socket;
    try {
      socket = platform.openSocket(url, protocols);
    } catch (error) {
      // A malformed address is refused by the constructor; no attempt will change that.
      this.#end({ status: "closed", code: ABNORMAL_CLOSURE, reason: String(error) });
      return;
    }
    this.#socket = socket;
    // A socket that was given up may still speak; only the present one is listened to.
    const on = <Event>(type: string, react: (event: Event) => void) =>
      socket.addEventListener(type as "message", (event) => {
        if (this.#socket === socket) react(event as Event);
      });
    on("open", () => {
      this.#timer(STABLE_AFTER_MS, () => {
        this.#attempt = 0;
      });
      this.#enter({ status: "open" });
    });
    on<{ data: unknown }>("message", ({ data }) => {
      if (typeof data === "string") onFrame(data);
    });
    on<SocketClosed>("close", ({ code, reason }) => {
      if (mayReturn(code)) this.#lost(code, reason);
      else this.#end({ status: "closed", code, reason });
    });
    // A close event follows; without a listener the ws package would throw.
    on("error", nothing);
    this.#timer(CONNECT_TIMEOUT_MS, () => this.#lost(ABNORMAL_CLOSURE, "no answer in time"));
    this.#enter({ status: "connecting" });
  }

  #lost(code: number, reason: string): void {
    this.#dropSocket();
    const retryInMs = backoffMs(this.#attempt++, this.#options.platform.random());
    this.#timer(retryInMs, () => this.#connect());
    this.#enter({ status: "waiting", retryInMs, code, reason });
  }

  #wake(): void {
    if (this.#state.status === "waiting") this.#connect();
    else if (this.#state.status === "open") this.#options.onWake();
  }

  #end(state: ConnectionState): void {
    this.#cancelTimer();
    this.#stopWaking();
    this.#dropSocket();
    this.#enter(state);
  }

  #dropSocket(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    try {
      socket?.close();
    } catch {
      // Some implementations throw when they were still connecting; it is dropped all the same.
    }
  }

  #timer(delayMs: number, fire: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.platform.setTimer(delayMs, fire);
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    this.#options.onState(state);
  }
}

/** Whether the server has said that this client need not come back. */
export function isRefused(state: ConnectionState): boolean {
  return state.status === "closed" && (state.code ?? 0) > ABNORMAL_CLOSURE;
}
