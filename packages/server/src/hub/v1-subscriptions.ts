/**
 * The channels of a `carillon.v1` session: subscribing from a position, acknowledging, and what a device says of its
 * channels. What a method throws or rejects with is the command's answer.
 */
import type { Command, Reply } from "@carillon/protocol/frames";
import { decodePosition, encodePosition, type Offsets, START, together } from "@carillon/protocol/position";
import type { CancelTimer } from "../lib/clock.ts";
import { v1Codec } from "./codecs.ts";
import type { ConnectedDevice } from "./devices/connected.ts";
import { inboxOf, switchName } from "./devices/device.ts";
import { isFor } from "./pages.ts";
import { Refused } from "./refused.ts";
import type { SessionContext } from "./session.ts";
import { further, withinLog } from "./since.ts";
import { Subscription } from "./subscription.ts";
import type { V1Session } from "./v1-session.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

/** With `urgentFirst`, how long after the last subscription what is not urgent waits: they come in a burst. */
const URGENT_LEAD_MS = 50;

/** Of what a device may say a second: a switch is kept on disk. */
const SWITCH_COSTS = 10;

export class V1Subscriptions {
  readonly #session: V1Session;
  readonly #context: SessionContext;
  /** What is urgent in any channel comes before what is not in another. */
  readonly #urgentFirst: boolean;
  readonly #byChannel = new Map<string, Subscription>();
  #cancelRelease: CancelTimer | undefined;

  constructor(session: V1Session, context: SessionContext, urgentFirst: boolean) {
    this.#session = session;
    this.#context = context;
    this.#urgentFirst = urgentFirst;
  }

  get channels(): readonly string[] {
    return [...this.#byChannel.keys()];
  }

  [Symbol.iterator](): Iterator<Subscription> {
    return this.#byChannel.values();
  }

  get(channel: string): Subscription | undefined {
    return this.#byChannel.get(channel);
  }

  async subscribe(command: Of<"subscribe">): Promise<undefined> {
    const { channel: name } = command;
    const { maxSubscriptions } = this.#context.limits;
    const before = this.#byChannel.get(name);
    if (before !== undefined && command.position === undefined) {
      throw new Refused("already_subscribed", `already subscribed to ${name}`);
    }
    if (before === undefined && this.#byChannel.size >= maxSubscriptions) {
      throw new Refused("too_many_subscriptions", `at most ${maxSubscriptions} subscriptions a connection`);
    }
    // With a position it starts anew from there: the client has found out that something is missing.
    before?.end();
    const subscription = new Subscription(name, this.#session, v1Codec, this.#context);
    this.#byChannel.set(name, subscription);
    if (before === undefined) {
      this.#context.presence.joined(subscription.channel, this.#session);
      this.#session.note("subscribe: 开启推送", name);
    }
    try {
      await this.#begin(subscription, command);
    } catch (error) {
      if (!subscription.hasEnded) this.end(name);
      throw error;
    }
  }

  /** Says where the channel stands, then catches up. */
  async #begin(subscription: Subscription, { id, position }: Of<"subscribe">): Promise<void> {
    const { channel } = subscription;
    const { connected } = this.#session;
    if (connected !== undefined) subscription.standing = connected.stand(channel.name);
    const opening = subscription.opened();
    if (opening !== undefined) await opening;
    if (subscription.hasEnded) throw new Refused("not_subscribed", "unsubscribed meanwhile");
    const said = position && decodePosition(position);
    const start = this.#startOf(subscription, said);
    const { epoch } = channel;
    if (start !== undefined && start.epoch === epoch && Math.max(...start.offsets) > channel.delivered) {
      throw new Refused(
        "future_position",
        `the position is ahead of the log, which ends at ${channel.delivered}`,
      );
    }
    const after = start?.epoch === epoch ? start.offsets : START;
    const { standing } = subscription;
    if (said?.epoch === epoch) await this.#makeUp(subscription, said.offsets);
    standing?.place(channel, start === undefined ? together(channel.delivered) : after);
    await connected?.begin([channel]);
    if (subscription.hasEnded) throw new Refused("not_subscribed", "unsubscribed meanwhile");
    const { delivered } = channel;
    if (start === undefined) standing?.place(channel, together(delivered));
    const wanted = connected?.wants(channel.name) ?? "all";
    const isOff = wanted === "none";
    const quietHours = connected?.switchOf(channel.name).quietHours;
    this.#session.send({
      type: "subscribed",
      id,
      channel: channel.name,
      position: encodePosition({ epoch, offsets: topOf(delivered, after, start && wanted === "urgent") }),
      ...(start !== undefined && !isOff && { from: encodePosition({ epoch, offsets: after }) }),
      ...(start !== undefined && start.epoch !== epoch && { gap: { reason: "epoch" } as const }),
      ...(isOff && { push: false as const }),
      ...(quietHours !== undefined && { quietHours }),
    });
    const isLed = this.#urgentFirst && start !== undefined && wanted === "all";
    await subscription.want(isLed ? "urgent" : wanted);
    if (isLed) this.#releaseSoon();
    if (start === undefined) return subscription.goLive();
    void this.#catchUp(subscription, after);
  }

  /** What the client has beyond what it is known to have, it was sent: its acks did not arrive. */
  async #makeUp({ channel, standing }: Subscription, said: Offsets): Promise<void> {
    const kept = standing?.position;
    if (standing === undefined || kept?.epoch !== channel.epoch) return;
    if (!said.some((offset, lane) => offset > (kept.offsets[lane] ?? 0))) return;
    const { connected } = this.#session;
    // With push off it stands where it was told to: that is no word on what it has.
    if (connected?.switchOf(channel.name).push === false) return standing.resume(channel, said, []);
    const page = await this.#context.pages.page(channel.name, kept.offsets, Math.max(...said));
    const view = { codec: v1Codec, isUrgentOnly: false, tags: connected?.tags };
    standing.resume(channel, said, page.publicationsFor(view));
  }

  /** Where it begins: the further one of what the client and what the server knows; `undefined` for now. */
  #startOf({ channel, standing }: Subscription, said: ReturnType<typeof decodePosition> | undefined) {
    const kept = withinLog(channel, standing?.position);
    const start = further(channel.epoch, said, kept);
    // What waits in a device's own channel is for nobody else.
    if (start !== undefined || !channel.name.startsWith("$device/")) return start;
    return { epoch: channel.epoch, offsets: START };
  }

  async #catchUp(subscription: Subscription, after: Offsets): Promise<void> {
    try {
      await subscription.catchUp(after);
    } catch (error) {
      if (subscription.hasEnded) return;
      const { name: channel } = subscription.channel;
      this.end(channel);
      this.#session.send({ type: "revoked", channel, ...this.#session.explain(error) });
    }
  }

  /** Once nothing urgent is on its way any more, the rest may come. */
  #releaseSoon(): void {
    this.#cancelRelease?.();
    this.#cancelRelease = this.#context.clock.setTimer(URGENT_LEAD_MS, () => {
      this.#cancelRelease = undefined;
      const isBusy = [...this.#byChannel.values()].some((subscription) => subscription.isCatchingUp);
      if (isBusy) this.#releaseSoon();
      else this.#session.applySwitches();
    });
  }

  unsubscribe({ id, channel }: Of<"unsubscribe">): Reply {
    const subscription = this.#byChannel.get(channel);
    if (subscription === undefined) throw new Refused("not_subscribed", `not subscribed to ${channel}`);
    this.end(channel);
    const { connected } = this.#session;
    // Not wanted any more: the device does not get later what comes from now on.
    if (connected !== undefined) {
      connected.leave(channel);
      this.#context.positions.forget(connected.id, channel);
      this.#context.registry.leaveChannel(connected.id, channel).catch((error) => {
        this.#context.log.warn(`A device's channels could not be kept: ${error}`, { device: connected.id });
      });
    }
    this.#session.note("unsubscribe: 关闭推送", channel);
    return { type: "unsubscribed", id, channel };
  }

  ack({ channel: name, position }: Of<"ack">): undefined {
    const subscription = this.#byChannel.get(name);
    if (subscription?.standing === undefined) return;
    const { channel, standing } = subscription;
    // An ack of another log, or of what was never delivered, is no news.
    if (position.epoch !== channel.epoch || standing.position === undefined) return;
    const { offsets } = decodePosition(position);
    if (Math.max(...offsets) <= channel.delivered) standing.handle(channel, offsets);
  }

  /** Whose switch is changed, is told once it is kept; it is in force then. */
  async switch({ id, channel, push, quietHours }: Of<"switch">): Promise<Reply> {
    const { id: device } = this.#device(SWITCH_COSTS);
    const name = switchName(channel);
    const patch = { ...(push !== undefined && { push }), ...(quietHours !== undefined && { quietHours }) };
    const changed = await this.#context.registry.setSwitch(device, name, patch);
    const now = changed.subscriptions[name] ?? { push: true };
    const quiet = now.quietHours === undefined ? {} : { quietHours: now.quietHours };
    return { type: "switched", id, channel, push: now.push, ...quiet };
  }

  async read({ id, channel, publications }: Of<"read">): Promise<Reply> {
    const device = this.#device(publications.length);
    const standing = device.standingIn(channel);
    for (const publication of publications) {
      const sent = await this.#context.receipts.find(publication);
      // What was not for it, it cannot have read; nor is it told whether there is such a publication.
      if (sent?.channel !== channel || standing === undefined) continue;
      if (!isFor(sent.target, device.tags) || !standing.wasSent(sent)) continue;
      await this.#context.receipts.read(sent, device.id);
    }
    this.#context.positions.wake();
    return { type: "read", id };
  }

  /** The device that says so, if it may say so much more now. */
  #device(costs: number): ConnectedDevice {
    const { connected } = this.#session;
    if (connected === undefined) throw new Refused("device_required", "this connection is no device's");
    const waitMs = this.#context.deviceRates.take(connected.id, costs);
    if (waitMs > 0) throw new Refused("rate_limited", `too much at once; try again in ${waitMs} ms`);
    return connected;
  }

  /** Whether a name that begins with `$` is one of its device's inbox. */
  isOwnInbox(channel: string): boolean {
    const device = this.#session.connected?.device;
    return device !== undefined && inboxOf(device).includes(channel);
  }

  end(name: string): void {
    const subscription = this.#byChannel.get(name);
    if (subscription === undefined) return;
    this.#byChannel.delete(name);
    subscription.end();
    subscription.standing?.settle(subscription.channel);
    this.#context.presence.left(subscription.channel, this.#session);
  }

  endAll(): void {
    this.#cancelRelease?.();
    for (const name of this.channels) this.end(name);
  }
}

/** Where a client that starts at `after` will stand once it has caught up; lanes that are held back stay. */
function topOf(delivered: number, [, normal, low]: Offsets, isHeldBack: boolean | undefined): Offsets {
  return isHeldBack === true ? [delivered, normal, low] : together(delivered);
}
