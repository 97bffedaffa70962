/**
 * Which sockets were cut off because they did not read. Bun does not say: the close handler of a socket that went over its
 * limit has 1006, no reason and nothing unread, exactly as that of one whose peer has vanished (Bun 1.4.5; the same for a
 * reset, an end, a terminate, and for `send` and `publish`). So what is unread is looked at while they are open.
 *
 * Whoever ends without a close code and had half of the limit unread when last looked at counts. That is a reader who
 * was cut off, or who left after it had stopped reading. Streams of Server-Sent Events count themselves.
 */
import { ABNORMAL_CLOSURE } from "@carillon/protocol/codes";
import type { Channel } from "./channels.ts";
import type { Session } from "./session.ts";

/**
 * A channel's members are looked at each time that so much was published in it: an eighth of the limit at which Bun cuts off, so a
 * reader that stands still is seen on its way there. It costs 13 ns a member, next to 128 KB that are written to each.
 */
const LOOK_EVERY_BYTES = 128 * 1024;

/** Half of Bun's limit. */
const BEHIND_BYTES = 512 * 1024;

/** Remembers that a frame of this length was published in `channel`, and looks at its members when it is time. */
export function notePublished(channel: Channel, length: number): void {
  channel.unlooked += length;
  if (channel.unlooked < LOOK_EVERY_BYTES) return;
  channel.unlooked = 0;
  for (const member of channel.members) member.noteUnread();
}

/** Whether a session that has ended with `code` did so because it did not read. */
export function wasSlow({ protocol, unread }: Session, code: number): boolean {
  return protocol !== "sse" && code === ABNORMAL_CLOSURE && unread > BEHIND_BYTES;
}
