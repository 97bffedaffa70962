/** What an app may say of its client. */
import type { ServerFrame } from "@carillon/protocol/frames";
import type { Platform, SocketConstructor } from "./platform.ts";
import type { Store } from "./stores.ts";

export interface CarillonOptions {
  /**
   * A function is asked anew for every connection, and shortly before the token ends that it has given. A text that has ended
   * is not tried again.
   */
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
  /** What is urgent in any channel is caught up with before what is not urgent in another. */
  readonly urgentFirst?: boolean;
  /** Time, chance and sockets, for tests. */
  readonly platform?: Platform;
  /**
   * Sees every frame before the client does, which does not look at one for which it returns true.
   * @internal
   */
  readonly onFrame?: (frame: ServerFrame) => boolean;
}
