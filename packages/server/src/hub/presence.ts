/** Presence: who is in a channel, and telling the others when somebody comes or goes, where a channel turns that on. */
import type { Member } from "@carillon/protocol/frames";
import { encodeFrame } from "@carillon/protocol/json";
import type { Channel, Channels } from "./channels.ts";
import { v1Codec } from "./codecs.ts";
import type { Session } from "./session.ts";

/** Members that an answer names; ten thousand would be a frame of half a megabyte. */
const MAX_NAMED = 1_000;

export class Presence {
  readonly #channels: Channels;
  readonly #announced: (channel: string) => boolean;

  /** `announced` says in which channels join and leave are pushed: n members who come together cost n² frames. */
  constructor(channels: Channels, announced: (channel: string) => boolean) {
    this.#channels = channels;
    this.#announced = announced;
  }

  of(channel: string): { count: number; members: readonly Member[] } {
    const sessions = this.#channels.membersOf(channel) ?? new Set<Session>();
    const members: Member[] = [];
    for (const { member } of sessions) {
      if (members.length === MAX_NAMED) break;
      members.push(member);
    }
    return { count: sessions.size, members };
  }

  /** `session` has joined, and is not on the live topic yet: it is not told of itself. */
  joined(channel: Channel, session: Session): void {
    this.#tell(channel, session, "join");
  }

  /** `session` has left. */
  left(channel: Channel, session: Session): void {
    this.#tell(channel, session, "leave");
  }

  #tell(channel: Channel, { member }: Session, type: "join" | "leave"): void {
    // An inbox is nobody's room.
    if (channel.name.startsWith("$") || !this.#announced(channel.name)) return;
    this.#channels.tell(channel, v1Codec, encodeFrame({ type, channel: channel.name, member }));
  }
}
