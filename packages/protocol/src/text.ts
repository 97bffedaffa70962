/**
 * The plain-text protocol: what a WebSocket client says that offers no sub-protocol.
 *
 * Any client in any language can speak it. A client is subscribed as soon as it is connected; it sends
 * `subscribe` and `unsubscribe` to switch push on and off, and whatever else it sends is answered, so
 * that an app can prove the connection alive with a heartbeat of its own. A push is one text frame.
 *
 *     const command = decodeText("unsubscribe"); // { type: "unsubscribe" }
 *     encodeReceived("Heartbeat"); // "Server received: Heartbeat"
 */

/** What a plain-text client asked for. */
export type TextCommand =
  | { readonly type: "subscribe" }
  | { readonly type: "unsubscribe" }
  | { readonly type: "message"; readonly text: string };

const RECEIVED_PREFIX = "Server received: ";
const SUBSCRIBE: TextCommand = { type: "subscribe" };
const UNSUBSCRIBE: TextCommand = { type: "unsubscribe" };

/** Reads one text frame of a client. Every text is valid: what is no command is a message. Never throws. */
export function decodeText(frame: string): TextCommand {
  if (frame === "subscribe") return SUBSCRIBE;
  if (frame === "unsubscribe") return UNSUBSCRIBE;
  return { type: "message", text: frame };
}

/** The server's answer to a message. */
export function encodeReceived(text: string): string {
  return RECEIVED_PREFIX + text;
}
