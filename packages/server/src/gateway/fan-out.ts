/**
 * The hub's fan-out. Sockets are reached by Bun's native topics: one call and one frame for all of them. Streams of
 * Server-Sent Events are no sockets of Bun's: they stand in a set per topic, and share the bytes of what they are sent.
 */
import type { Server } from "bun";
import { SSE_TOPIC } from "../hub/codecs.ts";
import type { FanOut } from "../hub/ports.ts";
import type { SocketData } from "./websocket.ts";

/** One that is reached by topics of `SSE_TOPIC`. */
export interface Listener {
  /** Takes bytes that it shares with others: it must not change them. It may leave while it is told. */
  hear(bytes: Uint8Array<ArrayBuffer>): void;
}

/** Until a server is attached nobody is connected: it reaches no one. */
export interface NativeFanOut extends FanOut {
  attach(server: Server<SocketData>): void;
  join(topic: string, listener: Listener): void;
  leave(topic: string, listener: Listener): void;
}

export function nativeFanOut(): NativeFanOut {
  let server: Server<SocketData> | undefined;
  const listeners = new Map<string, Set<Listener>>();
  const encoder = new TextEncoder();
  return {
    attach(listening) {
      server = listening;
    },
    publish(topic, frame) {
      if (!topic.startsWith(SSE_TOPIC)) return void server?.publish(topic, frame);
      const all = listeners.get(topic);
      if (all === undefined) return;
      const bytes = encoder.encode(frame);
      for (const listener of all) listener.hear(bytes);
    },
    join(topic, listener) {
      const all = listeners.get(topic);
      if (all === undefined) listeners.set(topic, new Set([listener]));
      else all.add(listener);
    },
    leave(topic, listener) {
      const all = listeners.get(topic);
      if (all?.delete(listener) && all.size === 0) listeners.delete(topic);
    },
  };
}
