/** Bounds that both ends of the wire know. */

/** The largest frame a client may send, in bytes of payload. A larger one closes with 1009. */
export const MAX_FRAME_BYTES = 64 * 1024;

/** The longest channel name, in characters. */
export const MAX_CHANNEL_NAME_LENGTH = 200;

/**
 * Frames that one client may send within a second. An app's heartbeat is one in minutes; the bound is
 * there for a client that floods (100,000 tiny frames a second would take a whole core), which is
 * closed with 1008 before anybody else notices.
 */
export const MAX_FRAMES_PER_SECOND = 1000;
