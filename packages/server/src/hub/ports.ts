/** What the hub needs of the outside. A test hands in fakes; the gateway hands in Bun's sockets and topics. */
import type { CloseCode } from "@carillon/protocol/codes";

/** The way to one client. A session holds this and knows no sockets. */
export interface Outbound {
  send(frame: string): unknown;
  /** Runs `write`, whose sends leave together: one system call for a page of frames. */
  cork(write: () => void): unknown;
  /** From now on the client receives what is fanned out to `topic`. Repeating it changes nothing. */
  subscribe(topic: string): unknown;
  unsubscribe(topic: string): unknown;
  ping(): unknown;
  /** Says goodbye with a code that the client can act on. Nothing is received from it afterwards. */
  close(code: CloseCode, reason: string): unknown;
  /** Drops the connection without a word. */
  terminate(): unknown;
  /** Bytes that the client has not taken yet. */
  getBufferedAmount(): number;
}

/** Sends one encoded frame to every client that is subscribed to a topic. */
export interface FanOut {
  publish(topic: string, frame: string): void;
}
