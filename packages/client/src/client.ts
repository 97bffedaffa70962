/**
 * The client: one connection for all channels, which comes back by itself.
 *
 *     const carillon = new Carillon("https://push.example.com", { token });
 *     const news = carillon.channel("news");
 *     news.on("publication", ({ data }) => show(data));
 *
 * It connects when a channel is first subscribed to or a command is sent, or by `connect`.
 */
import { mayReconnect } from "@carillon/protocol/codes";
import type { Reply } from "@carillon/protocol/frames";
import { parseServerFrame } from "@carillon/protocol/json";
import { MAX_PENDING_COMMANDS } from "@carillon/protocol/limits";
import { SUBPROTOCOL } from "@carillon/protocol/version";
import { Channel } from "./channel.ts";
import type { ChannelOptions } from "./channel-events.ts";
import { Commands, type Question, tooMany } from "./commands.ts";
import { Connection, type ConnectionState } from "./connection.ts";
import { Emitter } from "./emitter.ts";
import { CarillonError } from "./errors.ts";
import { Heartbeat } from "./heartbeat.ts";
import { type Platform, type SocketConstructor, systemPlatform } from "./platform.ts";
import { memoryStore, type Store } from "./stores.ts";

export interface CarillonOptions {
  /** Asked anew for every connection if it is a function. */
  readonly token?: string | (() => string | Promise<string>);
  /** Who this app is, across connections; its positions are then kept on the server as well. */
  readonly device?: string;
  /** Where positions outlive a restart of the app; in memory only unless given. */
  readonly store?: Store;
  /** What to connect with where there is no global `WebSocket` (Node before 22). */
  readonly WebSocket?: SocketConstructor;
  /** Milliseconds between signs of life; 240,000 unless given, none if `undefined`. */
  readonly heartbeatMs?: number | undefined;
  /** Milliseconds that a command waits for a connection and for its answer; 10,000 unless given. */
  readonly timeoutMs?: number;
  /** What software this is, for the operator. */
  readonly client?: string;
  /** Time, chance and sockets, for tests. */
  readonly platform?: Platform;
}

/** Home routers and mobile networks forget an idle connection after five minutes and up. */
const DEFAULT_HEARTBEAT_MS = 240_000;
const DEFAULT_TIMEOUT_MS = 10_000;

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
  readonly #options: CarillonOptions;
  readonly #timeoutMs: number;
  readonly #commands: Commands;
  readonly #heartbeat: Heartbeat;
  readonly #channels = new Map<string, Channel>();
  #state: ConnectionState = { status: "closed" };
  readonly #waiting = new Set<() => void>();
  #defaultChannel: string | undefined;
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
    });
    this.#heartbeat = new Heartbeat({
      platform: this.platform,
      send: () => {
        this.#ask({ type: "ping" }).catch(() => {});
        return true;
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

  /** What the server's plain clients receive; known from the first `open` on. */
  get defaultChannel(): string | undefined {
    return this.#defaultChannel;
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
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = new Channel(name, this, options);
      this.#channels.set(name, channel);
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
    for (const channel of this.#channels.values()) channel.flush();
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
      const done = () => {
        cancel();
        if (this.#state.status === "open") resolve();
        else reject(closed());
      };
      const cancel = this.platform.setTimer(this.#timeoutMs, () => {
        this.#waiting.delete(done);
        reject(new CarillonError("timeout", "no connection in time"));
      });
      this.#waiting.add(done);
    });
  }

  #connectionChanged(state: ConnectionState): void {
    if (state.status === "open") {
      // It counts as open once the server knows who this is.
      void this.#identify();
      return;
    }
    this.#heartbeat.stop();
    this.#commands.fail(new CarillonError("connection_lost", "the connection ended before the answer"));
    this.#isOver = state.status === "closed";
    this.#state = state;
    for (const { subscription } of this.#channels.values()) subscription.disconnected(isRefused(state));
    this.#enter(state);
    if (this.#isOver) this.#wakeWaiting();
  }

  async #identify(): Promise<void> {
    const { token, device, client } = this.#options;
    const { state } = this.connection;
    try {
      const secret = typeof token === "function" ? await token() : token;
      // The connection that this was for may be gone.
      if (this.connection.state !== state) return;
      const reply = await this.#ask({
        type: "connect",
        // JSON leaves out what is undefined.
        ...({ token: secret, device, client } as object),
      });
      if (this.connection.state !== state) return;
      if (reply.type === "connected") this.#defaultChannel = reply.defaultChannel;
    } catch (error) {
      if (this.connection.state !== state) return;
      this.#fail(error);
      // After this answer the server closes, with the code that says whether to come back.
      if (error instanceof CarillonError && error.code === "invalid_token") return;
      return this.connection.abandon("not accepted");
    }
    this.#heartbeat.start();
    this.#state = state;
    // Before the app hears of it: a channel that it subscribes to then asks by itself, and once.
    for (const { subscription } of this.#channels.values()) subscription.connected();
    this.#enter(state);
    this.#wakeWaiting();
  }

  #fail(error: unknown): void {
    const known = error instanceof CarillonError ? error : new CarillonError("internal", String(error));
    this.emit("error", known);
  }

  #wakeWaiting(): void {
    for (const wake of this.#waiting) {
      this.#waiting.delete(wake);
      wake();
    }
  }

  #received(text: string): void {
    const frame = parseServerFrame(text);
    if (frame === undefined) return;
    switch (frame.type) {
      case "publication":
      case "page":
      case "join":
      case "leave":
      case "revoked":
        this.#channels.get(frame.channel)?.subscription.receive(frame);
        break;
      case "subscribed":
        // Before anything else of its channel is looked at, and not a promise's turn later.
        this.#channels.get(frame.channel)?.subscription.subscribed(frame);
        this.#commands.settle(frame);
        break;
      case "pong":
        this.#heartbeat.answered();
        this.#commands.settle(frame);
        break;
      default:
        this.#commands.settle(frame);
    }
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    this.emit("state", state);
  }
}

function closed(): CarillonError {
  return new CarillonError("closed", "the client is closed");
}

/** Whether the server has said that this client need not come back. */
function isRefused(state: ConnectionState): boolean {
  return state.status === "closed" && state.code !== undefined && !mayReconnect(state.code);
}

/** `https://host/base` is `wss://host/base/ws`. By hand: React Native's `URL` can be read but not changed. */
function socketUrl(text: string): string {
  const parts = /^(?:http|ws)(s?):\/\/([^/?#][^?#]*?)(?:\/ws|\/)?(\?[^#]*)?(?:#.*)?$/i.exec(text);
  if (parts === null) throw new TypeError(`not an address of a server: ${text}`);
  const [, secure = "", base, query = ""] = parts;
  return `ws${secure.toLowerCase()}://${base}/ws${query}`;
}
