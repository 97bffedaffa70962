/**
 * Where one device stands in one channel while it is connected: what it has handled, what it has been sent, and what of that
 * it has yet to acknowledge. Its sessions share it. What is counted here is counted once for each device and publication,
 * however many connections it has and however often something is written again.
 */
import { advance, furthest, type Offsets, type Position, START, together } from "@carillon/protocol/position";
import type { Accepted } from "../engine/engine.ts";
import { type Audience, reached } from "./audience.ts";
import type { Channel } from "./channels.ts";
import type { ConnectedDevice } from "./devices/connected.ts";
import { isFor } from "./pages.ts";
import type { Receipts, Sent } from "./receipts.ts";

/** Something of a device that is live in a channel. */
export interface Live {
  readonly audience: Audience | undefined;
}

export interface StandingPorts {
  readonly receipts: Receipts;
  /** Notes for good where the device stands. */
  note(device: string, channel: string, position: Position, sent: Offsets): void;
}

/** Written and not acknowledged: beyond it the oldest is not counted as received. */
const MAX_UNACKNOWLEDGED = 1_000;

export class Standing {
  /** The channel's. */
  readonly name: string;
  readonly #device: ConnectedDevice;
  readonly #ports: StandingPorts;
  /** Up to where it has handled everything; `undefined` as long as it has no place in this channel. */
  position: Position | undefined;
  /** Up to where it has been written everything, or it was not for it; in the same log. */
  #sent: Offsets;
  /** The first of them is counted in its audience. */
  #live: Live[] = NOBODY;
  /** What came after it was sent live. */
  #liveFrom = 0;
  /** What was written before that, by offset. */
  #unacknowledged: Map<number, Sent> | undefined;
  /** Something was left out of it. */
  #isOverfull = false;

  constructor(
    name: string,
    device: ConnectedDevice,
    ports: StandingPorts,
    kept?: Position & { readonly sent: Offsets },
  ) {
    this.name = name;
    this.#device = device;
    this.#ports = ports;
    if (kept === undefined) this.#sent = START;
    else {
      const { epoch, offsets, sent } = kept;
      this.position = { epoch, offsets };
      // Mostly they are the same; one list less for each channel of each device.
      this.#sent = isSame(offsets, sent) ? offsets : sent;
    }
  }

  get isLive(): boolean {
    return this.#live.length > 0;
  }

  /** One of its sessions is live from now on, and counted in `audience` if it is the first. */
  enter(live: Live, audience: Audience, { delivered }: Channel): void {
    if (this.#live.length === 0) {
      this.#live = [live];
      this.#liveFrom = delivered;
      audience.devices += 1;
    } else this.#live.push(live);
  }

  /** One of them is not any more. Called before it leaves its audience. */
  leave(live: Live, channel: Channel): void {
    const at = this.#live.indexOf(live);
    if (at === -1) return;
    if (at === 0) this.#endLive(channel);
    this.#live.splice(at, 1);
    if (at > 0) return;
    if (live.audience !== undefined) live.audience.devices -= 1;
    // The next one may be in another audience: what it is taken to have been sent begins here.
    const [next] = this.#live;
    this.#liveFrom = channel.delivered;
    if (next?.audience !== undefined) next.audience.devices += 1;
  }

  /** Whether it has been sent this while it was live. */
  isSentLive({ lane, offset, target }: Sent): boolean {
    const audience = this.#live[0]?.audience;
    if (audience === undefined || (audience.isUrgentOnly && lane !== 0)) return false;
    return (offset === 0 || offset > this.#liveFrom) && isFor(target, audience.tags);
  }

  /** A page has been written to it. */
  wrote(publications: readonly Accepted[], channel: Channel, to: number, isUrgentOnly: boolean): void {
    const { receipts } = this.#ports;
    const handled = this.#offsets(channel);
    for (const publication of publications) {
      const sent = receipts.sentOf(publication);
      // Another of its connections was sent it live, and remembers it.
      if (this.isSentLive(sent)) continue;
      if (publication.offset > this.#sent[publication.lane]) receipts.sentTo(sent, this.#device.id);
      if (publication.offset > handled[publication.lane]) this.#awaitAck(sent);
    }
    this.#sent = reached(this.#sent, to, isUrgentOnly);
  }

  /**
   * Everything up to `to` has been handled: it was acknowledged, or written before a sign of life, or the client stands
   * there.
   */
  handle(channel: Channel, to: Offsets): void {
    const before = this.#offsets(channel);
    const offsets = furthest(before, to);
    if (this.position?.epoch === channel.epoch && isSame(offsets, before)) return;
    for (const sent of this.#acknowledged(channel, before, offsets)) {
      this.#ports.receipts.received(sent, this.#device.id);
    }
    this.#moveTo(channel, offsets);
  }

  /**
   * The client says that it stands at `to`, further than is known here: an ack did not arrive. `publications` are what is
   * kept of what lies between.
   */
  resume(channel: Channel, to: Offsets, publications: readonly Accepted[]): void {
    const { receipts } = this.#ports;
    const before = this.#offsets(channel);
    const known = this.#acknowledged(channel, before, to);
    const offsets = new Set(known.map(({ offset }) => offset));
    for (const publication of publications) {
      const { lane, offset } = publication;
      if (offset <= before[lane] || offset > to[lane] || offsets.has(offset)) continue;
      const sent = receipts.sentOf(publication);
      if (offset > this.#sent[lane]) receipts.sentTo(sent, this.#device.id);
      known.push(sent);
    }
    for (const sent of known) receipts.received(sent, this.#device.id);
    this.#moveTo(channel, furthest(before, to));
  }

  /** It stands at `offsets`, whatever it was sent: it begins there, or does not want what lies before. */
  place(channel: Channel, offsets: Offsets): void {
    this.#moveTo(channel, furthest(this.#offsets(channel), offsets));
  }

  /**
   * The last of its sessions here ends. Where everything that it was sent is handled, it stands at the top: what others
   * were sent in between has not to be looked through again.
   */
  settle(channel: Channel): void {
    const { position } = this;
    if (position === undefined || channel.epoch === "" || position.epoch !== channel.epoch) return;
    // What another of its connections was sent live, and may not have, is not known here.
    if (this.isLive) return;
    const isOwing = this.#isOverfull || (this.#unacknowledged?.size ?? 0) > 0;
    const offsets = isOwing ? position.offsets : furthest(position.offsets, this.#sent);
    this.#moveTo(channel, offsets);
  }

  #moveTo(channel: Channel, offsets: Offsets): void {
    this.position = { epoch: channel.epoch, offsets };
    const sent = furthest(this.#sent, offsets);
    this.#sent = isSame(sent, offsets) ? offsets : sent;
    this.#ports.note(this.#device.id, channel.name, this.position, this.#sent);
  }

  /** What it has handled of this log. */
  #offsets(channel: Channel): Offsets {
    const { position } = this;
    if (position === undefined) return START;
    // Ahead of the log: that has lost its end.
    const isAhead = channel.epoch !== "" && Math.max(...position.offsets) > channel.delivered;
    if (position.epoch === channel.epoch && !isAhead) return position.offsets;
    this.#sent = START;
    this.#unacknowledged = undefined;
    this.position = undefined;
    return START;
  }

  #endLive(channel: Channel): void {
    const handled = this.#offsets(channel);
    for (const sent of channel.recent) {
      if (sent.offset > handled[sent.lane] && this.isSentLive(sent)) this.#awaitAck(sent);
    }
    // What was forgotten of the channel may have been sent to it, too.
    const known = channel.recent[0]?.offset ?? 0;
    if (
      channel.recent.length >= MAX_UNACKNOWLEDGED &&
      known > Math.max(this.#liveFrom, Math.min(...handled)) + 1
    ) {
      this.#isOverfull = true;
    }
    const { delivered } = channel;
    const isUrgentOnly = this.#live[0]?.audience?.isUrgentOnly === true;
    this.#sent = isUrgentOnly
      ? advance(this.#sent, 0, delivered)
      : furthest(this.#sent, together(Math.max(delivered, 0)));
  }

  #awaitAck(sent: Sent): void {
    this.#unacknowledged ??= new Map();
    this.#unacknowledged.set(sent.offset, sent);
    if (this.#unacknowledged.size <= MAX_UNACKNOWLEDGED) return;
    const [oldest] = this.#unacknowledged.keys();
    if (oldest !== undefined) this.#unacknowledged.delete(oldest);
    this.#isOverfull = true;
  }

  /** Whether it may have been sent to the device at all. */
  wasSent(sent: Sent): boolean {
    return this.isSentLive(sent) || (sent.offset > 0 && sent.offset <= this.#sent[sent.lane]);
  }

  /** What of that which it was sent lies between. */
  #acknowledged(channel: Channel, before: Offsets, offsets: Offsets): Sent[] {
    const isBetween = ({ lane, offset }: Sent) => offset > before[lane] && offset <= offsets[lane];
    const found: Sent[] = [];
    const written = this.#unacknowledged;
    for (const sent of written?.values() ?? []) {
      if (!isBetween(sent)) continue;
      found.push(sent);
      written?.delete(sent.offset);
    }
    const { recent } = channel;
    for (let at = recent.length - 1; at >= 0; at--) {
      const sent = recent[at] as Sent;
      if (sent.offset <= this.#liveFrom) break;
      if (isBetween(sent) && this.isSentLive(sent)) found.push(sent);
    }
    return found;
  }
}

/** Shared by all that are not live; replaced, never written to. */
const NOBODY: Live[] = [];

function isSame(one: Offsets, other: Offsets): boolean {
  return one[0] === other[0] && one[1] === other[1] && one[2] === other[2];
}
