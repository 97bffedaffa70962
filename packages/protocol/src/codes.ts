/**
 * WebSocket close codes, and what a client does about each.
 *
 * 1000–1015 are RFC 6455's (section 7.4.1). The range 4000–4999 is ours, and its halves carry a rule that
 * old clients apply to codes they have never heard of: 4000–4499 come back, 4500–4999 do not.
 */
export const CloseCode = {
  /** The client or the server is done; nothing went wrong. */
  normal: 1000,
  /** The client's page or app goes away. */
  goingAway: 1001,
  /** A binary frame on a connection that speaks text. */
  unsupportedData: 1003,
  /** A text frame that is not UTF-8. */
  invalidPayload: 1007,
  /** The client broke a rule, such as the number of frames a second. */
  policyViolation: 1008,
  /** A frame over the size limit. */
  messageTooBig: 1009,
  /** The server is going down and expects to be back: reconnect. */
  serviceRestart: 1012,
  /** The server cannot say now whether the token is good; IANA's "Try Again Later". */
  tryAgainLater: 1013,
  /** Silent for too long: no frame and no pong. */
  idleTimeout: 4000,
  /** No `connect` command came in time. */
  connectTimeout: 4001,
  /** The token has expired: come back with a new one. */
  tokenExpired: 4002,
  /** The device has another user, and so another inbox: come back. */
  deviceChanged: 4003,
  /** The token is not valid, or has been withdrawn. */
  unauthorized: 4500,
  /** An operator has ended the connection. */
  disconnected: 4501,
} as const;

export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];

/**
 * What an application is told when a connection ended, or never came to be, without a close frame. Never on the
 * wire (RFC 6455 section 7.4.1).
 */
export const ABNORMAL_CLOSURE = 1006;

const FIRST_FINAL = 4500;
const LAST_FINAL = 4999;

/** Whether a client that was closed with `code` should connect again (with backoff). */
export function mayReconnect(code: number): boolean {
  return code < FIRST_FINAL || code > LAST_FINAL;
}
