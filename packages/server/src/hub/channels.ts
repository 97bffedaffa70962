/**
 * The channels somebody here is subscribed to, and how far each has been delivered. A channel that nobody watches is
 * not in memory.
 */
import type { Accepted, Engine } from "../engine/engine.ts";
import type { Clock } from "../lib/clock.ts";
import type { Metrics } from "../lib/metrics.ts";
import { CODECS, type Codec } from "./codecs.ts";
import type { EventSink } from "./events.ts";
import type { FanOut } from "./ports.ts";
import type { Session } from "./session.ts";
import { notePublished } from "./slow-readers.ts";

/** A channel while somebody watches it. */
export interface Channel {
  readonly name: string;
  /** Whose subscriptions there are, caught up or not. */
  readonly members: Set<Session>;
  /** How many of them are on the native topic, per codec. */
  readonly live: Map<Codec, number>;
  /** The last offset that was fanned out; -1 until known. */
  delivered: number;
  /** "" until known. */
  epoch: string;
  /** How much was published since its members were looked at; see `slow-readers.ts`. */
  unlooked: number;
  /** Waits for `epoch` and `delivered`; `undefined` once they are known. */
  opening: Promise<void> | undefined;
}

export interface ChannelsPorts {
  readonly engine: Engine;
  readonly fanOut: FanOut;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly events: EventSink;
}

/** Watches channels for as long as they have members, and fans out what is announced in them. */
export class Channels {
  readonly #engine: Engine;
  readonly #fanOut: FanOut;
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #events: EventSink;
  readonly #watched = new Map<string, Channel>();
  /** The members of all channels together. */
  subscriptions = 0;

  constructor({ engine, fanOut, clock, metrics, events }: ChannelsPorts) {
    this.#engine = engine;
    this.#fanOut = fanOut;
    this.#clock = clock;
    this.#metrics = metrics;
    this.#events = events;
    engine.onPublication((commit) => {
      for (const publication of commit) this.#deliver(publication);
      this.#count(commit);
    });
  }

  /** How many channels are watched. */
  get size(): number {
    return this.#watched.size;
  }

  /** Who is in a channel here; `undefined` when nobody is. */
  membersOf(name: string): ReadonlySet<Session> | undefined {
    return this.#watched.get(name)?.members;
  }

  /** Makes `session` a member; the channel is watched until its last member leaves. */
  join(name: string, session: Session): Channel {
    let channel = this.#watched.get(name);
    if (channel === undefined) {
      channel = {
        name,
        members: new Set(),
        live: new Map(),
        delivered: -1,
        epoch: "",
        unlooked: 0,
        opening: undefined,
      };
      this.#watched.set(name, channel);
    }
    const before = channel.members.size;
    channel.members.add(session);
    this.subscriptions += channel.members.size - before;
    return channel;
  }

  leave(channel: Channel, session: Session): void {
    if (channel.members.delete(session)) this.subscriptions -= 1;
    if (channel.members.size === 0) this.#watched.delete(channel.name);
  }

  /**
   * Resolves when the channel's epoch and delivered top are known; calls that come meanwhile share one question.
   * @throws {EngineError} by rejection.
   */
  opened(channel: Channel): Promise<void> | undefined {
    if (channel.epoch !== "") return undefined;
    channel.opening ??= this.#open(channel);
    return channel.opening;
  }

  /** What is announced while the question is under way lies beyond the answer or has been fanned out: see `Engine.top`. */
  async #open(channel: Channel): Promise<void> {
    try {
      const { epoch, offset } = await this.#engine.top(channel.name);
      channel.delivered = Math.max(channel.delivered, offset);
      channel.epoch = epoch;
    } finally {
      channel.opening = undefined;
    }
  }

  #count(commit: readonly Accepted[]): void {
    const { publications, deliverySeconds } = this.#metrics;
    publications.inc(commit.length);
    const nowMs = this.#clock.wallMs();
    for (const { timeMs } of commit) deliverySeconds.observe(Math.max(0, nowMs - timeMs) / 1e3);
    if (!this.#events.wants("publication")) return;
    for (const publication of commit) this.#events.tell({ type: "publication", publication });
  }

  #deliver(publication: Accepted): void {
    const channel = this.#watched.get(publication.channel);
    if (channel === undefined) return;
    if (publication.offset > 0) channel.delivered = publication.offset;
    // With `ttl` 0 there is nothing to expire: it goes out in the tick that it came in.
    const { expiresAtMs = Number.POSITIVE_INFINITY, offset } = publication;
    if (offset > 0 && expiresAtMs <= this.#clock.wallMs()) return;
    for (const codec of CODECS) {
      const live = channel.live.get(codec);
      if (!live) continue;
      const frame = codec.publication(channel, publication);
      this.#fanOut.publish(codec.topic(channel.name), frame);
      notePublished(channel, frame.length);
      this.#metrics.deliveries.inc(live);
    }
  }

  /** Tells the live members who speak `codec` something that is no publication. */
  tell(channel: Channel, codec: Codec, frame: string): void {
    if (channel.live.get(codec)) this.#fanOut.publish(codec.topic(channel.name), frame);
  }
}
