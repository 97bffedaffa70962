/**
 * What the client needs of the machine it runs on, as a port: time, chance, sockets, and being woken. The real one is
 * made by `systemPlatform`; tests hand in a virtual one and never wait.
 */

/** Cancels a timer. Calling it twice, or after the timer has fired, does nothing. */
export type CancelTimer = () => void;

/** Does nothing; what a timer is cancelled by that was never set. */
export function nothing(): void {}

/** How a socket ended, as the standard `CloseEvent` says it. */
export interface SocketClosed {
  readonly code: number;
  readonly reason: string;
}

/** The part of the standard `WebSocket` that is used, so that any implementation of it will do. */
export interface Socket {
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: SocketClosed) => void): void;
  send(frame: string): void;
  close(code?: number, reason?: string): void;
}

/** A constructor such as the global `WebSocket` or that of the `ws` package. */
export type SocketConstructor = new (url: string, protocols: string[]) => Socket;

export interface Platform {
  /** Milliseconds since 1970, as the machine's wall clock has it. Jumps when the clock is set. */
  wallMs(): number;
  /** Milliseconds since some fixed moment. Never goes back. */
  monotonicMs(): number;
  /** Runs `fire` once, `delayMs` from now; at most 2³¹ − 1 ms, which is 24 days. */
  setTimer(delayMs: number, fire: () => void): CancelTimer;
  /** A number from 0 up to, not including, 1. */
  random(): number;
  /** Starts to connect. */
  openSocket(url: string, protocols: readonly string[]): Socket;
  /**
   * Calls `listener` whenever it is a good moment to try again: the network came back or the page became visible.
   * @returns a function that stops it.
   */
  onWake(listener: () => void): () => void;
}

/** What `EventTarget`s of a page are used for. Declared here because Node, Bun and React Native have no `window`. */
interface Page {
  readonly addEventListener?: (type: string, listener: () => void) => void;
  readonly removeEventListener?: (type: string, listener: () => void) => void;
  readonly document?: {
    readonly visibilityState: string;
    addEventListener(type: string, listener: () => void): void;
    removeEventListener(type: string, listener: () => void): void;
  };
}

/**
 * The machine's own platform: browser, Bun, React Native, or Node.
 * @param socketClass what to connect with; the global `WebSocket` unless given (Node before 22 has none).
 * @throws {TypeError} if there is no global `WebSocket` and none was given.
 */
export function systemPlatform(socketClass?: SocketConstructor): Platform {
  const SocketClass = socketClass ?? (globalThis as { WebSocket?: SocketConstructor }).WebSocket;
  if (SocketClass === undefined) throw new TypeError("no WebSocket: pass one");
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    setTimer(delayMs, fire) {
      const timer = setTimeout(fire, delayMs);
      return () => clearTimeout(timer);
    },
    random: Math.random,
    openSocket: (url, protocols) => new SocketClass(url, [...protocols]),
    onWake,
  };
}

function onWake(listener: () => void): () => void {
  const { document, addEventListener, removeEventListener } = globalThis as Page;
  const whenVisible = () => {
    if (document?.visibilityState === "visible") listener();
  };
  addEventListener?.("online", listener);
  document?.addEventListener("visibilitychange", whenVisible);
  return () => {
    removeEventListener?.("online", listener);
    document?.removeEventListener("visibilitychange", whenVisible);
  };
}
