/**
 * What one client, address or key may take of the server. Everything here may be changed while the server runs; whoever
 * is over a bound is told so with a code, and nobody else suffers.
 */

export interface Limits {
  /** Connections in all, WebSocket and SSE. */
  maxConnections: number;
  /** …and from one address (an IPv6 address counts as its /64). */
  maxConnectionsPerAddress: number;
  /** SSE streams that are open at a time, of the connections. */
  maxStreams: number;
  /** Handshakes a second from one address; after a quiet second as many at once. */
  maxHandshakesPerSecond: number;
  /** Frames a second from one connection. */
  maxFramesPerSecond: number;
  /** Bytes a second from one connection. */
  maxBytesPerSecond: number;
  /** Publications a second by one key or JWT subject, over all of its connections; others may not publish. */
  maxPublishesPerSecond: number;
  /** Subscriptions of one connection. */
  maxSubscriptions: number;
  /** Devices that apps register by themselves, a minute from one address; after a quiet minute as many at once. */
  maxRegistrationsPerMinute: number;
}
