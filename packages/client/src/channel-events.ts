/** What an app is told by a channel, and may ask of it. */
import type { Gap, Member, Publication } from "@carillon/protocol/frames";
import type { CarillonError } from "./errors.ts";

/** A publication as the app gets it. */
export interface Received extends Publication {
  /** With `acks: "manual"`: this one and all before it have been handled. */
  ack(): void;
}

/** What a channel is doing, for a user interface to show. */
export type ChannelState =
  /** Not wanted. */
  | "unsubscribed"
  /** Wanted; waits for a connection or the server's answer. */
  | "subscribing"
  | "catching-up"
  | "live"
  /** The server does not allow it, as `error` or the connection's state said; `subscribe` tries again. */
  | "refused";

export interface ChannelOptions {
  /** Who says that a publication has been handled: the return of its listeners (`auto`, unless given), or `ack()`. */
  readonly acks?: "auto" | "manual";
}

export interface ChannelEvents {
  publication: Received;
  state: ChannelState;
  /** Something cannot be had any more. */
  gap: Gap;
  join: Member;
  leave: Member;
  error: CarillonError;
}

/** Whether the app wants the channel and may have it. */
export function isWanted(state: ChannelState): boolean {
  return state !== "unsubscribed" && state !== "refused";
}
