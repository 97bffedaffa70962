/**
 * The channels somebody here is subscribed to, and how far each has been delivered. A channel that nobody watches is
 * not in memory.
 */
import type { Accepted, Engine } from "../engine/engine.ts";
import type { Clock } from "../lib/clock.ts";
import type { Metrics } from "../lib/metrics.ts";
import { Audiences } from "./audience.ts";
import { type Codec, isWithdrawal } from "./codecs.ts";
import type { EventSink } from "./events.ts";
import { Members } from "./members.ts";
import { isFor } from "./pages.ts";
import type { FanOut } from "./ports.ts";
import type { Receipts, Sent } from "./receipts.ts";
import type { Session } from "./session.ts";
import { notePublished } from "./slow-readers.ts";

/** A channel while somebody watches it. */
export interface Channel {
  readonly name: string;
  /** Whose subscriptions there are, caught up or not. */
  readonly members: Members;
  /** Those of them that are sent what is published now. */
  readonly audiences: Audiences;
  /** What devices were sent last and may have to acknowledge yet, the oldest first. */
  recent: readonly Sent[];
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
  readonly receipts: Receipts;
}

/** Nothing was sent yet: shared by all channels for as long as that is so. */
const NONE: readonly Sent[] = [];
/** Of what a channel's devices were sent last, so much is remembered. */
const MAX_RECENT = 1_000;

/** Watches channels for as long as they have members, and fans out what is announced in them. */
export class Channels {
  readonly #engine: Engine;
  readonly #fanOut: FanOut;
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #events: EventSink;
  readonly #receipts: Receipts;
  readonly #watched = new Map<string, Channel>();
  /** The members of all channels together. */
  subscriptions = 0;

  constructor({ engine, fanOut, clock, metrics, events, receipts }: ChannelsPorts) {
    this.#engine = engine;
    this.#fanOut = fanOut;
    this.#clock = clock;
    this.#metrics = metrics;
    this.#events = events;
    this.#receipts = receipts;
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
  membersOf(name: string): Pick<Members, "size" | typeof Symbol.iterator> | undefined {
    return this.#watched.get(name)?.members;
  }

  /** Makes `session` a member; the channel is watched until its last member leaves. */
  join(name: string, session: Session): Channel {
    let channel = this.#watched.get(name);
    if (channel === undefined) {
      channel = {
        name,
        members: new Members(),
        audiences: new Audiences(name),
        recent: NONE,
        delivered: -1,
        epoch: "",
        unlooked: 0,
        opening: undefined,
      };
      this.#watched.set(name, channel);
    }
    if (channel.members.add(session)) this.subscriptions += 1;
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
    this.#receipts.published(publication);
    const channel = this.#watched.get(publication.channel);
    if (channel === undefined) return;
    if (publication.offset > 0) channel.delivered = publication.offset;
    // With `ttl` 0 there is nothing to expire: it goes out in the tick that it came in.
    const { expiresAtMs = Number.POSITIVE_INFINITY, offset } = publication;
    if (offset > 0 && expiresAtMs <= this.#clock.wallMs()) return;
    const frames = new Map<Codec, string>();
    let devices = 0;
    for (const audience of channel.audiences) {
      const { codec, isUrgentOnly, tags, topic } = audience;
      if ((isUrgentOnly && publication.lane !== 0) || !isFor(publication.target, tags)) continue;
      let frame = frames.get(codec);
      if (frame === undefined) {
        frame = codec.publication(channel, publication);
        frames.set(codec, frame);
      }
      if (frame === "") continue;
      this.#fanOut.publish(topic, frame);
      notePublished(channel, frame.length);
      this.#metrics.deliveries.inc(audience.sessions);
      devices += audience.devices;
    }
    if (devices > 0 && !isWithdrawal(publication.meta)) this.#note(channel, publication, devices);
  }

  /** Devices were sent it, and will say so. */
  #note(channel: Channel, publication: Accepted, devices: number): void {
    const sent = this.#receipts.sentOf(publication);
    this.#receipts.sent(sent, devices);
    if (sent.isNamed) this.#name(channel, sent);
    if (sent.offset === 0) return;
    if (channel.recent === NONE) channel.recent = [];
    const recent = channel.recent as Sent[];
    recent.push(sent);
    // Not one by one: to take the first of a long list moves all others.
    if (recent.length >= 2 * MAX_RECENT) recent.splice(0, MAX_RECENT);
  }

  #name({ name, members }: Channel, sent: Sent): void {
    const named = new Set<string>();
    for (const { connected } of members) {
      if (connected === undefined || named.has(connected.id)) continue;
      if (connected.standingIn(name)?.isSentLive(sent) !== true) continue;
      named.add(connected.id);
      this.#receipts.name(sent, connected.id, "sentMs");
    }
  }

  /** Tells the live members who speak `codec` something that is no publication. */
  tell(channel: Channel, codec: Codec, frame: string): void {
    for (const audience of channel.audiences) {
      if (audience.codec === codec) this.#fanOut.publish(audience.topic, frame);
    }
  }
}
