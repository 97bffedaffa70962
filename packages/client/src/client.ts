/**
 * The client: one connection for all channels, which comes back by itself.
 *
 *     const carillon = new Carillon("https://push.example.com", { token });
 *     const news = carillon.channel("news");
 *     news.on("publication", ({ data }) => show(data));
 *
 * It connects when a channel is first subscribed to or a command is sent, or by `connect`.
 */
import { type CloseCode, mayReconnect } from "@carillon/protocol/codes";
import type { Reply } from "@carillon/protocol/frames";
import { parseServerFrame } from "@carillon/protocol/json";
import { MAX_PENDING_COMMANDS } from "@carillon/protocol/limits";
import { SUBPROTOCOL } from "@carillon/protocol/version";
import { socketUrl } from "./address.ts";
import { Channel } from "./channel.ts";
import type { ChannelOptions } from "./channel-events.ts";
import { type Answer, Commands, type Question, tooMany } from "./commands.ts";
import { Connection, type ConnectionState, isRefused } from "./connection.ts";
import { Emitter } from "./emitter.ts";
import { CarillonError } from "./errors.ts";
import { Heartbeat } from "./heartbeat.ts";
import type { CarillonOptions } from "./options.ts";
import { nothing, type Platform, systemPlatform } from "./platform.ts";
import { memoryStore, type Store } from "./stores.ts";

/** Home routers and mobile networks forget an idle connection after five minutes and up. */
const DEFAULT_HEARTBEAT_MS = 240_000;
const DEFAULT_TIMEOUT_MS = 10_000;
/** How long before its token ends a client asks for another: long enough to try again, and far from too early. */
const REFRESH_LEAD_MS = 10_000;
/** A timer cannot count much more: 23 days. What ends later is refreshed by then. */
const LONGEST_TIMER_MS = 2e9;
/** By its number: the table of all of them would have to be loaded with every page. */
const TOKEN_EXPIRED: typeof CloseCode.tokenExpired = 4002;

interface Events {
  /** What the connection is doing, for a user interface to show. */
  state: ConnectionState;
  /** Something failed that no promise tells of. */
  error: CarillonError;
  /** A heartbeat was answered, so many milliseconds after it was sent. */
  heartbeat: number;
}

export class Carillon extends Emitter<Events> {
  /** @internal */
  readonly platform: Platform;
  /** @internal */
  readonly store: Store;
  /** @internal */
  readonly connection: Connection;
  /** @internal */
  readonly channels = new Map<string, Channel>();
  /** What the server's plain clients receive; known from the first `open` on. */
  defaultChannel: string | undefined;
  readonly #options: CarillonOptions;
  readonly #timeoutMs: number;
  readonly #commands: Commands;
  readonly #heartbeat: Heartbeat;
  #state: ConnectionState = { status: "closed" };
  readonly #waiting = new Set<(error?: CarillonError) => void>();
  /** The server's clock less the platform's monotonic one: a device's wall clock may be wrong by years. */
  #serverAheadMs = 0;
  #cancelRefresh = nothing;
  /** Closed by the app, or by the server for good: from then on only the app opens it again. */
  #isOver = false;

  /**
   * @param url the server's address: `http(s):` or `ws(s):`, with or without the final `/ws`.
   * @throws {TypeError} if it is no such address, or there is no `WebSocket`.
   */
  constructor(url: string, options: CarillonOptions = {}) {
    super();
    this.#options = options;
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.platform = options.platform ?? systemPlatform(options.WebSocket);
    this.store = options.store ?? memoryStore();
    this.#commands = new Commands(this.platform, this.#timeoutMs);
    this.connection = new Connection({
      url: socketUrl(url),
      protocols: [SUBPROTOCOL],
      platform: this.platform,
      onState: (state) => this.#connectionChanged(state),
      onFrame: (frame) => this.#received(frame),
      // Phones let sockets die in their sleep without telling anybody.
      onWake: () => this.#heartbeat.beat(),
      mayReturn: (code) =>
        mayReconnect(code) && (code !== TOKEN_EXPIRED || typeof options.token === "function"),
    });
    this.#heartbeat = new Heartbeat({
      platform: this.platform,
      send: () => {
        this.#ask({ type: "ping" }).catch(nothing);
      },
      onAnswer: (roundTripMs) => this.emit("heartbeat", roundTripMs),
      onMissed: () => this.connection.abandon("a heartbeat got no answer"),
    });
    this.heartbeatMs = "heartbeatMs" in options ? options.heartbeatMs : DEFAULT_HEARTBEAT_MS;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** @internal */
  get isClosedByApp(): boolean {
    return this.#state.status === "closed" && this.#state.code === undefined;
  }

  /** Milliseconds between signs of life, `undefined` for none. Takes effect at once. */
  set heartbeatMs(intervalMs: number | undefined) {
    this.#heartbeat.intervalMs = intervalMs;
  }

  /** Sends a sign of life now. `false` if there is no connection. */
  beat(): boolean {
    return this.#heartbeat.beat();
  }

  /** The channel of this name; the same object each time. `options` count at the first call. */
  channel(name: string, options?: ChannelOptions): Channel {
    let channel = this.channels.get(name);
    if (channel === undefined) {
      channel = new Channel(name, this, options);
      this.channels.set(name, channel);
    }
    return channel;
  }

  /** Connects, and from now on stays connected. */
  connect(): void {
    this.#isOver = false;
    this.connection.open();
  }

  /** Ends the connection and stays away until `connect`; acknowledges first what has been handled. */
  close(): void {
    for (const channel of this.channels.values()) channel.flush();
    this.connection.close();
  }

  /**
   * Asks once there is a connection; `asked` is told the command's id.
   * @internal
   */
  async ask(question: Question, asked?: (id: number) => void): Promise<Reply> {
    if (this.#isOver) throw closed();
    if (this.#waiting.size >= MAX_PENDING_COMMANDS) throw tooMany();
    this.connect();
    if (this.#state.status !== "open") await this.#opened();
    return this.#ask(question, asked);
  }

  #ask(question: Question, asked?: (id: number) => void): Promise<Reply> {
    return this.#commands.ask(question, (frame) => this.connection.send(frame), asked);
  }

  #opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error?: CarillonError) => {
        this.#waiting.delete(end);
        cancel();
        if (error) reject(error);
        else resolve();
      };
      const cancel = this.platform.setTimer(this.#timeoutMs, () =>
        end(new CarillonError("timeout", "not connected")),
      );
      this.#waiting.add(end);
    });
  }

  #connectionChanged(state: ConnectionState): void {
    if (state.status === "open") {
      // It counts as open once the server knows who this is.
      void this.#identify();
      return;
    }
    this.#heartbeat.stop();
    this.#cancelRefresh();
    this.#commands.fail(new CarillonError("connection_lost", "the connection was lost"));
    this.#isOver = state.status === "closed";
    this.#state = state;
    for (const { subscription } of this.channels.values()) subscription.disconnected(isRefused(state));
    this.emit("state", state);
    if (this.#isOver) this.#endWaiting(closed());
  }

  async #identify(): Promise<void> {
    const { token, device, client, urgentFirst } = this.#options;
    const { state } = this.connection;
    try {
      const secret = typeof token === "function" ? await token() : token;
      // The connection that this was for may be gone.
      if (this.connection.state !== state) return;
      const reply = await this.#ask({
        type: "connect",
        // JSON leaves out what is undefined.
        ...({ token: secret, device, client, urgentFirst: urgentFirst || undefined } as object),
      });
      if (this.connection.state !== state) return;
      if (reply.type === "connected") {
        this.defaultChannel = reply.defaultChannel;
        this.#serverAheadMs = Date.parse(reply.time) - this.platform.monotonicMs();
        this.#refreshBefore(reply.expiresAt);
      }
    } catch (error) {
      if (this.connection.state !== state) return;
      // After `invalid_token` or `token_expired` the server closes, with the code that says whether to come back.
      if (!/token/.test(this.#fail(error))) this.connection.abandon(String(error));
      return;
    }
    this.#heartbeat.start();
    this.#state = state;
    // Before the app hears of it: a channel that it subscribes to then asks by itself, and once.
    for (const { subscription } of this.channels.values()) subscription.connected();
    this.emit("state", state);
    this.#endWaiting();
  }

  /** Hands in a new token before the present one ends; what is left of its life is waited out but for `part`. */
  #refreshBefore(expiresAt = "", part = 0.9): void {
    const { token } = this.#options;
    const { state } = this.connection;
    const lifeMs = Date.parse(expiresAt) - this.#serverAheadMs - this.platform.monotonicMs();
    // Without an end it is no number.
    if (typeof token !== "function" || !(lifeMs > 0)) return;
    const laterMs = Math.max(lifeMs * part, lifeMs - REFRESH_LEAD_MS);
    const delayMs = Math.max(Math.min(laterMs, lifeMs - 1_000, LONGEST_TIMER_MS), 1_000);
    this.#cancelRefresh = this.platform.setTimer(delayMs, async () => {
      try {
        const fresh = await token();
        // The connection that this was for may be gone.
        if (this.connection.state !== state) return;
        const reply = await this.#ask({ type: "refresh", token: fresh });
        this.#refreshBefore((reply as Answer<"refreshed">).expiresAt);
      } catch (error) {
        if (this.connection.state !== state) return;
        // First, as the app may close the client when it hears of the error.
        this.#refreshBefore(expiresAt, 0.5);
        this.#fail(error);
      }
    });
  }

  /** Tells the app, and returns the error's code. */
  #fail(error: unknown): string {
    const known = error instanceof CarillonError ? error : new CarillonError("internal", String(error));
    this.emit("error", known);
    return known.code;
  }

  #endWaiting(error?: CarillonError): void {
    for (const end of this.#waiting) end(error);
  }

  #received(text: string): void {
    const frame = parseServerFrame(text);
    if (frame === undefined || this.#options.onFrame?.(frame)) return;
    if (frame.type === "pong") this.#heartbeat.answered();
    // That it is subscribed, a channel hears before anything else that comes, and not a promise's turn later.
    if ("channel" in frame) this.channels.get(frame.channel)?.subscription.receive(frame);
    if ("id" in frame) this.#commands.settle(frame);
  }
}

function closed(): CarillonError {
  return new CarillonError("closed", "the client is closed");
}
