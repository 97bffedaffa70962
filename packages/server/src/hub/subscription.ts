/**
 * One session's subscription to one channel: from a position to the channel's delivered top, page by page, and in the
 * tick in which it stands there, over to the live topic. Nothing is missed and nothing comes twice: the top moves only
 * when a publication is fanned out, and a subscription joins the fan-out only when it stands at the top.
 */
import { type Offsets, START, together } from "@carillon/protocol/position";
import { type Audience, reached, urgentOnly, type View } from "./audience.ts";
import type { Channel, Channels } from "./channels.ts";
import type { Codec } from "./codecs.ts";
import { EVERYONE } from "./devices/device.ts";
import type { Pages } from "./pages.ts";
import type { Session } from "./session.ts";
import type { Standing } from "./standing.ts";

/** What all subscriptions of a hub share. */
export interface SubscriptionPorts {
  readonly channels: Channels;
  readonly pages: Pages;
}

/**
 * What is wanted of a channel: everything; nothing but what is urgent, and the rest later; or nothing, and nothing later
 * either.
 */
export type Wanted = "all" | "urgent" | "none";

/**
 * Unsent bytes at which a client that is catching up has to read first: a page more would only lie in memory. A quarter
 * of the limit at which a slow reader is cut off, so that live pushes find room.
 */
const WAIT_AT_BYTES = 256 * 1024;

export class Subscription {
  readonly channel: Channel;
  readonly #session: Session;
  readonly #codec: Codec;
  readonly #ports: SubscriptionPorts;
  /** `waiting`: for its start, or catching up. `idle`: push is off. */
  #state: "waiting" | "live" | "idle" | "ended" = "waiting";
  #wanted: Wanted = "all";
  /** Up to where it has been sent everything, in those lanes that it does not follow live. */
  #written: Offsets = START;
  /** Which catch-up is the present one. */
  #turn = 0;
  #standing: Standing | undefined;
  audience: Audience | undefined;

  constructor(name: string, session: Session, codec: Codec, ports: SubscriptionPorts) {
    this.#session = session;
    this.#codec = codec;
    this.#ports = ports;
    this.channel = ports.channels.join(name, session);
  }

  /** Where its device stands in the channel, if it is a device's; to be set before it starts. */
  set standing(standing: Standing | undefined) {
    this.#standing = standing;
  }

  get standing(): Standing | undefined {
    return this.#standing;
  }

  /** Push is off: nothing is sent, and the position moves along. */
  get isMuted(): boolean {
    return this.#wanted === "none";
  }

  /** It has not been sent yet what it begins with. */
  get isCatchingUp(): boolean {
    return this.#state === "waiting";
  }

  get hasEnded(): boolean {
    return this.#state === "ended";
  }

  /** Up to where everything has been written to the client's connection, or was not wanted. */
  get written(): Offsets {
    const { delivered } = this.channel;
    if (this.#state === "idle") return together(Math.max(delivered, 0));
    if (this.#state !== "live") return this.#written;
    return reached(this.#written, delivered, this.#isUrgentOnly);
  }

  get #isUrgentOnly(): boolean {
    return this.#wanted === "urgent";
  }

  get #view(): View {
    // A channel of everybody's holds what is for some; elsewhere whoever may receive the channel is meant.
    const tags = this.channel.name === EVERYONE ? this.#session.connected?.tags : undefined;
    return { codec: this.#codec, isUrgentOnly: this.#isUrgentOnly, tags };
  }

  /** Waits until the channel's epoch and top are known. */
  opened(): Promise<void> | undefined {
    return this.#ports.channels.opened(this.channel);
  }

  /** From now on, whatever was before. */
  goLive(): void {
    if (this.#state === "live" || this.#state === "ended" || this.isMuted) return;
    this.#written = together(Math.max(this.channel.delivered, 0));
    this.#enter();
  }

  /**
   * Sends what came after `after`, then goes live. The channel has to be open.
   * @throws {EngineError} by rejection, if history cannot be read; the subscription is then still waiting.
   */
  async catchUp(after: Offsets): Promise<void> {
    if (this.#state !== "waiting") return;
    this.#written = after;
    this.#turn += 1;
    const turn = this.#turn;
    while (this.#state === "waiting" && turn === this.#turn) {
      const { delivered, name } = this.channel;
      const from = this.#isUrgentOnly ? urgentOnly(this.#written, delivered) : this.#written;
      if (Math.min(...from) >= delivered) return this.#enter();
      const view = this.#view;
      const page = await this.#ports.pages.page(name, from, delivered);
      if (this.#state !== "waiting" || turn !== this.#turn) return;
      // What is wanted has changed meanwhile: a page of before would bring the client too far.
      if (view.isUrgentOnly !== this.#isUrgentOnly) continue;
      this.#write(page.framesFor(view));
      this.#written = reached(this.#written, page.to, view.isUrgentOnly);
      this.#standing?.wrote(page.publicationsFor(view), this.channel, page.to, view.isUrgentOnly);
      if (this.#session.outbound.getBufferedAmount() > WAIT_AT_BYTES) await this.#session.drained();
    }
  }

  /**
   * What is wanted from now on.
   * @throws {EngineError} by rejection, if what has waited cannot be read; it goes on live then.
   */
  async want(wanted: Wanted): Promise<void> {
    const before = this.#wanted;
    if (this.#state === "ended" || wanted === before) return;
    if (this.#state === "waiting") {
      // It has not begun, or catches up and sees it at the next page.
      this.#wanted = wanted;
      if (wanted === "none") this.#state = "idle";
      return;
    }
    this.#written = this.written;
    this.#leave();
    this.#wanted = wanted;
    this.#state = wanted === "none" ? "idle" : "waiting";
    if (wanted === "none") return;
    // On again starts from now; the end of quiet hours brings what has waited.
    if (before !== "none") return this.catchUp(this.#written);
    this.#tellStart();
    this.#enter();
  }

  /** Tells the client where it stands: what comes next does not follow on what it has. */
  #tellStart(): void {
    const { epoch, delivered, name } = this.channel;
    if (epoch === "") return;
    this.#standing?.place(this.channel, together(delivered));
    this.#write(this.#codec.page(name, { epoch, publications: [], to: delivered }, false, false));
  }

  /** What is published from now on is sent to it; the tags may be others than before. */
  retag(): void {
    if (this.#state !== "live" || this.channel.name !== EVERYONE) return;
    this.#written = this.written;
    this.#leave();
    this.#enter();
  }

  end(): void {
    if (this.#state === "ended") return;
    const { written } = this;
    this.#leave();
    this.#written = written;
    this.#state = "ended";
    this.#ports.channels.leave(this.channel, this.#session);
  }

  #enter(): void {
    this.#state = "live";
    const audience = this.channel.audiences.enter(this.#view);
    this.audience = audience;
    this.#standing?.enter(this, audience, this.channel);
    this.#session.outbound.subscribe(audience.topic);
  }

  #leave(): void {
    const { audience } = this;
    if (audience === undefined) return;
    this.#standing?.leave(this, this.channel);
    this.audience = undefined;
    this.channel.audiences.leave(audience);
    this.#session.outbound.unsubscribe(audience.topic);
  }

  #write(frames: readonly string[]): void {
    const { outbound } = this.#session;
    outbound.cork(() => {
      for (const frame of frames) outbound.send(frame);
    });
  }
}
