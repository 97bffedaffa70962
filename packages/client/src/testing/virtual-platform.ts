/**
 * A platform without machine: a virtual clock, dice that are loaded, and sockets whose other end is the test.
 */
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import type { Platform, Socket, SocketClosed } from "../platform.ts";

type Listeners = {
  open: (() => void)[];
  error: (() => void)[];
  message: ((event: { readonly data: unknown }) => void)[];
  close: ((event: SocketClosed) => void)[];
};

/** One attempt to connect, seen from the server's end. */
export class FakeSocket implements Socket {
  readonly url: string;
  readonly protocols: readonly string[];
  /** What the client has sent. */
  readonly sent: string[] = [];
  /** Whether the client has given it up. */
  closedByClient = false;
  readonly #listeners: Listeners = { open: [], error: [], message: [], close: [] };

  constructor(url: string, protocols: readonly string[]) {
    this.url = url;
    this.protocols = protocols;
  }

  addEventListener<Type extends keyof Listeners>(type: Type, listener: Listeners[Type][number]): void {
    (this.#listeners[type] as (typeof listener)[]).push(listener);
  }
  send(frame: string): void {
    this.sent.push(frame);
  }
  close(): void {
    this.closedByClient = true;
  }

  /** The server accepts. */
  accept(): void {
    for (const listener of this.#listeners.open) listener();
  }
  /** The server sends a frame. */
  push(data: unknown): void {
    for (const listener of this.#listeners.message) listener({ data });
  }
  /** The server, or the network, ends it. */
  end(code = 1006, reason = ""): void {
    for (const listener of this.#listeners.close) listener({ code, reason });
  }
}

export class VirtualPlatform implements Platform {
  readonly clock = new VirtualClock();
  /** Every attempt so far, oldest first. */
  readonly sockets: FakeSocket[] = [];
  /** What the dice will show. */
  dice = 0.5;
  readonly #wakeListeners = new Set<() => void>();

  wallMs(): number {
    return this.clock.wallMs();
  }
  monotonicMs(): number {
    return this.clock.monotonicMs();
  }
  setTimer(delayMs: number, fire: () => void): () => void {
    return this.clock.setTimer(delayMs, fire);
  }
  random(): number {
    return this.dice;
  }
  openSocket(url: string, protocols: readonly string[]): FakeSocket {
    if (!URL.canParse(url)) throw new SyntaxError(`invalid url ${url}`);
    const socket = new FakeSocket(url, protocols);
    this.sockets.push(socket);
    return socket;
  }
  onWake(listener: () => void): () => void {
    this.#wakeListeners.add(listener);
    return () => this.#wakeListeners.delete(listener);
  }

  /** The latest attempt. */
  get socket(): FakeSocket {
    const latest = this.sockets.at(-1);
    if (latest === undefined) throw new Error("nothing has been opened yet");
    return latest;
  }
  get wakeListeners(): number {
    return this.#wakeListeners.size;
  }
  /** The network is back, or the page is visible. */
  wake(): void {
    for (const listener of this.#wakeListeners) listener();
  }
}
