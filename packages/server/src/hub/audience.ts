/**
 * Audiences: the live receivers of a channel who are sent the same frames, and so share a native topic. Most channels
 * have one for each codec. Devices in their quiet hours, to whom only what is urgent goes, are another; and in `$all`, where
 * publications are for some, so are those with the same tags.
 */
import { furthest, type Offsets, together } from "@carillon/protocol/position";
import type { Codec } from "./codecs.ts";
import type { TagSet } from "./tag-sets.ts";

/** What a receiver is sent of a channel. */
export interface View {
  readonly codec: Codec;
  /** Only the lane `high`. */
  readonly isUrgentOnly: boolean;
  /** `undefined` where a channel's publications are for all who receive it. */
  readonly tags: TagSet | undefined;
}

export interface Audience extends View {
  readonly topic: string;
  sessions: number;
  /** How many devices these are; a session that belongs to none is not counted. */
  devices: number;
}

/** Names what a view shows: two of one key are sent the same. */
export function viewKey(view: View): string {
  return topicOf("", view);
}

/** The native topic. No channel's name holds a space. */
function topicOf(channel: string, { codec, isUrgentOnly, tags }: View): string {
  const topic = codec.topic(channel);
  if (!isUrgentOnly && (tags === undefined || tags.key === "")) return topic;
  return `${topic} ${tags?.key ?? ""}${isUrgentOnly ? "!" : ""}`;
}

export class Audiences {
  readonly #channel: string;
  /** Most channels have no other, and a `Map` takes 330 bytes for its first entry. */
  #first: Audience | undefined;
  #others: Map<string, Audience> | undefined;

  constructor(channel: string) {
    this.#channel = channel;
  }

  *[Symbol.iterator](): Generator<Audience, undefined> {
    if (this.#first !== undefined) yield this.#first;
    if (this.#others !== undefined) yield* this.#others.values();
  }

  /** The audience of those who see what `view` says, with one session more. */
  enter(view: View): Audience {
    const topic = topicOf(this.#channel, view);
    const audience = this.#find(topic) ?? this.#add({ ...view, topic, sessions: 0, devices: 0 });
    audience.sessions += 1;
    return audience;
  }

  leave(audience: Audience): void {
    audience.sessions -= 1;
    if (audience.sessions > 0) return;
    if (this.#first === audience) this.#first = undefined;
    else this.#others?.delete(audience.topic);
  }

  #find(topic: string): Audience | undefined {
    return this.#first?.topic === topic ? this.#first : this.#others?.get(topic);
  }

  #add(audience: Audience): Audience {
    if (this.#first === undefined) this.#first = audience;
    else {
      this.#others ??= new Map();
      this.#others.set(audience.topic, audience);
    }
    return audience;
  }
}

/** Where a reader who is sent only what is urgent is taken to read: the other lanes as if it had them. */
export function urgentOnly([high]: Offsets, upTo: number): Offsets {
  return [high, Math.max(high, upTo), Math.max(high, upTo)];
}

/** How far a page brings one who reads `after`: all lanes up to `to`, or the urgent one. */
export function reached(after: Offsets, to: number, isUrgentOnly: boolean): Offsets {
  const [high, normal, low] = after;
  if (isUrgentOnly) return [Math.max(high, to), normal, low];
  return furthest(after, together(to));
}
