/**
 * A session: one client while it is connected. It takes the client's frames, answers them, switches its
 * subscriptions, and remembers its last sign of life. It knows no socket, only an `Outbound`, so a test drives
 * it without a port and without waiting.
 */
import { CloseCode } from "@carillon/protocol/codes";
import { MAX_FRAMES_PER_SECOND } from "@carillon/protocol/limits";
import { decodeText, encodeReceived, type TextCommand } from "@carillon/protocol/text";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { type Outbound, textTopic } from "./ports.ts";

/** What all sessions of a hub share; kept in one object because a session has to stay small. */
export interface SessionContext {
  readonly clock: Clock;
  readonly log: Log;
}

/** Who a session is for, as known at the handshake. */
export interface SessionInfo {
  readonly id: string;
  /** The client's address, for the log. */
  readonly address: string;
  /** What it is subscribed to while push is on. */
  readonly channels: readonly string[];
}

const RATE_WINDOW_MS = 1_000;

type Handlers = {
  readonly [Type in TextCommand["type"]]: (
    session: Session,
    command: Extract<TextCommand, { type: Type }>,
  ) => void;
};

/** One entry per command; the type checker refuses a command without one. */
const handlers: Handlers = {
  subscribe: (session) => session.setPush(true),
  unsubscribe: (session) => session.setPush(false),
  message: (session, { text }) => session.answer(encodeReceived(text)),
};

export class Session {
  readonly info: SessionInfo;
  /** When a frame or pong last came, on the monotonic clock. */
  lastSeenMs: number;
  /** Whether a ping has been sent since then. */
  pinged = false;
  readonly #context: SessionContext;
  readonly #outbound: Outbound;
  #windowStartMs: number;
  #framesInWindow = 0;

  constructor(info: SessionInfo, outbound: Outbound, context: SessionContext) {
    this.info = info;
    this.#outbound = outbound;
    this.#context = context;
    this.lastSeenMs = context.clock.monotonicMs();
    this.#windowStartMs = this.lastSeenMs;
    for (const channel of info.channels) outbound.subscribe(textTopic(channel));
  }

  /** Takes one frame. Never throws: a frame the client should not have sent closes its connection. */
  receive(frame: string | Uint8Array): void {
    this.seen();
    if (!this.#withinRate()) this.close(CloseCode.policyViolation, "too many frames a second");
    else if (typeof frame !== "string") this.close(CloseCode.unsupportedData, "text frames only");
    else this.#execute(decodeText(frame));
  }

  /** A sign of life: a frame, or the pong to a ping. */
  seen(): void {
    this.lastSeenMs = this.#context.clock.monotonicMs();
    this.pinged = false;
  }

  /** Switches push on or off, for all channels of the session. */
  setPush(on: boolean): void {
    for (const channel of this.info.channels) {
      if (on) this.#outbound.subscribe(textTopic(channel));
      else this.#outbound.unsubscribe(textTopic(channel));
    }
    const line = on ? "subscribe: 开启推送" : "unsubscribe: 关闭推送";
    this.#context.log.info(line, { session: this.info.id, address: this.info.address });
  }

  answer(frame: string): void {
    this.#outbound.send(frame);
  }

  ping(): void {
    this.pinged = true;
    this.#outbound.ping();
  }

  close(code: CloseCode, reason: string): void {
    this.#outbound.close(code, reason);
  }

  /** Ends the connection of a client that is gone: with a code if it may still read it, else at once. */
  drop(): void {
    if (this.#outbound.getBufferedAmount() > 0) this.#outbound.terminate();
    else this.close(CloseCode.idleTimeout, "silent for too long");
  }

  #execute(command: TextCommand): void {
    handlers[command.type](this, command as never);
  }

  #withinRate(): boolean {
    if (this.lastSeenMs - this.#windowStartMs >= RATE_WINDOW_MS) {
      this.#windowStartMs = this.lastSeenMs;
      this.#framesInWindow = 0;
    }
    this.#framesInWindow += 1;
    return this.#framesInWindow <= MAX_FRAMES_PER_SECOND;
  }
}
