/**
 * What is promised of devices, as a ledger: for each device and publication whether it has to come, and why not. It is told
 * what happens, and says what every connection has to be sent by it.
 */
import type { Offsets, Position } from "@carillon/protocol/position";
import {
  type Fate,
  inboxOf,
  isQuietAt,
  isWithin,
  type Line,
  type Message,
  type Party,
  type Wish,
  wishName,
} from "./device-day-terms.ts";

/** A page is shared for so long: what has expired in it meanwhile may still come. */
const PAGE_AGE_MS = 1_000;
/** With `urgentFirst`, what is not urgent comes some 50 ms after what is. */
const LEAD_MS = 500;
/** What is counted is written after a second; the write begins a little later. */
const LOST_MS = 1_050;

export class Rules {
  readonly parties = new Map<string, Party>();
  readonly messages: Message[] = [];
  readonly lines = new Set<Line>();
  readonly #nowMs: () => number;
  readonly #byChannel = new Map<string, Message[]>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  in(channel: string): readonly Message[] {
    return this.#byChannel.get(channel) ?? [];
  }

  linesOf(party: Party): Line[] {
    return [...this.lines].filter(({ device }) => device === party);
  }

  wishOf({ wishes }: Party, channel: string): Wish {
    return wishes.get(wishName(channel)) ?? { push: true };
  }

  /** Whether it would come now: not before, not after quiet hours, not when switched off. */
  #isOpen(party: Party, { channel, lane }: Message): boolean {
    const { push, quietHours } = this.wishOf(party, channel);
    if (!push) return false;
    return lane === 0 || quietHours === undefined || !isQuietAt(quietHours, party.zone, this.#nowMs());
  }

  isKept({ isGone, offset, expiresAtMs = Number.POSITIVE_INFINITY }: Message): boolean {
    return offset > 0 && !isGone && expiresAtMs > this.#nowMs();
  }

  fateOf(party: Party, message: Message): Fate | undefined {
    return party.fates.get(message)?.fate;
  }

  #decide(party: Party, message: Message, fate: Fate): void {
    party.fates.set(message, { fate, atMs: this.#nowMs() });
  }

  /** Whom a message is for at this moment. */
  audience(channel: string, fits: Message["fits"]): Party[] {
    return [...this.parties.values()].filter((party) => {
      if (party.isRemoved || !this.wishOf(party, channel).push) return false;
      if (channel.startsWith("$")) return inboxOf(party).includes(channel) && fits(party.tags);
      return party.wishes.has(channel);
    });
  }

  published(message: Message): void {
    const { channel, group, offset } = message;
    const earlier = this.in(channel);
    if (group !== undefined && offset > 0) {
      for (const each of earlier) if (each.group === group) each.isGone = true;
    }
    this.messages.push(message);
    this.#byChannel.set(channel, [...earlier, message]);
    if (offset > 0) {
      for (const party of this.parties.values()) {
        if (party.places.has(channel) && this.wishOf(party, channel).push)
          this.#decide(party, message, "owed");
      }
    }
    for (const line of this.lines) {
      const { device } = line;
      if (!line.got.has(channel) || !this.#isOpen(device, message)) continue;
      if (this.#isLed(line, message)) continue;
      if (message.fits(device.tags)) this.#demand(line, message);
      else this.#pass(line, message);
    }
  }

  /** It is not for the tags of the device: this connection stands beyond it from now on. */
  #pass({ device, got }: Line, message: Message): void {
    got.get(message.channel)?.add(message);
    if (this.fateOf(device, message) === "owed") this.#decide(device, message, "passed");
  }

  #demand(line: Line, message: Message): void {
    line.must.add(message);
    line.got.get(message.channel)?.add(message);
  }

  /** A connection is sent all that waits for its device and may come now. */
  flow(line: Line): void {
    const { device } = line;
    for (const [channel, got] of line.got) {
      for (const message of this.in(channel)) {
        if (got.has(message) || !this.#isOpen(device, message)) continue;
        const fate = this.fateOf(device, message);
        const fits = message.fits(device.tags);
        if (fate === "owed" && this.isKept(message)) {
          if (fits && this.#isLed(line, message)) line.may.add(message);
          else if (fits) this.#demand(line, message);
          else this.#pass(line, message);
        } else if (fits && (fate === "owed" || fate === "passed") && this.#mayBeInPage(message)) {
          line.may.add(message);
        }
      }
    }
  }

  #isLed({ ledUntilMs }: Line, { lane }: Message): boolean {
    return lane !== 0 && this.#nowMs() < ledUntilMs;
  }

  #mayBeInPage({ isGone, offset, expiresAtMs = Number.POSITIVE_INFINITY }: Message): boolean {
    return offset > 0 && !isGone && expiresAtMs + PAGE_AGE_MS > this.#nowMs();
  }

  /** It was sent, as was to be. */
  wrote(line: Line, message: Message): void {
    const { device } = line;
    line.got.get(message.channel)?.add(message);
    if (this.fateOf(device, message) === "passed") {
      this.#decide(device, message, "owed");
      message.doubted.add(device.id);
    }
    if (!message.sent.has(device.id)) message.sent.set(device.id, this.#nowMs());
    if (message.offset > 0) device.written.add(message);
  }

  connected(device: Party, kind: Line["kind"], isUrgentFirst = false): Line {
    const sets = { must: new Set<Message>(), may: new Set<Message>() };
    const back = { mustTakeBack: new Set<string>(), mayTakeBack: new Set<string>() };
    const line: Line = { device, kind, isUrgentFirst, ledUntilMs: 0, got: new Map(), ...sets, ...back };
    this.lines.add(line);
    return line;
  }

  /** `said` is what the client says that it has. */
  subscribed(line: Line, channel: string, said?: Offsets): void {
    const { device } = line;
    if (!channel.startsWith("$") && !device.wishes.has(channel)) device.wishes.set(channel, { push: true });
    device.places.add(channel);
    line.got.set(channel, new Set());
    if (said !== undefined) this.#handled(device, channel, said, true);
    // It may hear of what it takes back by coming.
    for (const id of line.mustTakeBack) line.mayTakeBack.add(id);
    line.mustTakeBack.clear();
    if (line.isUrgentFirst) line.ledUntilMs = this.#nowMs() + LEAD_MS;
  }

  acknowledged(device: Party, channel: string, offsets: Offsets): void {
    this.#handled(device, channel, offsets, false);
  }

  #handled(device: Party, channel: string, offsets: Offsets, isSaid: boolean): void {
    for (const message of this.in(channel)) {
      if (!isWithin(message, offsets)) continue;
      const fate = this.fateOf(device, message);
      if (isSaid && fate === "passed" && message.fits(device.tags)) message.doubted.add(device.id);
      if (fate !== "owed" && fate !== "off") continue;
      // What was sent in an earlier connection is known by what is kept alone; while push is off, the client stands where it
      // was told to, and that is no word on what it has.
      const isSeen = isSaid && fate === "owed" && message.sent.has(device.id) && message.fits(device.tags);
      if (device.written.has(message) || (isSeen && this.isKept(message))) this.#receive(device, message);
      if (fate === "off" && !device.written.has(message)) continue;
      // What it was never sent, it went past: it is not kept, not for its tags, or not wanted.
      this.#decide(device, message, message.sent.has(device.id) ? "had" : "over");
    }
  }

  /** A sign of life of a plain-text client: it has what was written before. */
  alive(line: Line): void {
    const { device } = line;
    for (const [channel, got] of line.got) {
      for (const message of this.in(channel)) {
        const fate = this.fateOf(device, message);
        const isWritten = fate === "owed" && got.has(message);
        if (!isWritten && !(fate === "off" && device.written.has(message))) continue;
        this.#receive(device, message);
        this.#decide(device, message, "had");
      }
    }
  }

  #receive(device: Party, message: Message): void {
    if (!message.received.has(device.id)) message.received.set(device.id, this.#nowMs());
    if (message.withdrawOn === "ack") this.#withdraw(message);
  }

  /** Its app says that it was read; what was not for it, or is for it no more, it cannot have read. */
  read(device: Party, message: Message): void {
    if (!message.sent.has(device.id) || !message.fits(device.tags)) return;
    message.read.add(device.id);
    if (message.withdrawOn === "read") this.#withdraw(message);
  }

  #withdraw(message: Message): void {
    if (message.isGone || message.offset === 0) return;
    const isCertain = this.isKept(message);
    message.isGone = isCertain;
    for (const line of this.lines) {
      if (line.kind === "text" || !line.got.has(message.channel)) continue;
      if (!this.wishOf(line.device, message.channel).push) continue;
      (isCertain ? line.mustTakeBack : line.mayTakeBack).add(message.id);
    }
  }

  ended(line: Line, isOrderly: boolean): void {
    if (line.kind === "text" && isOrderly) this.alive(line);
    this.lines.delete(line);
    if (this.linesOf(line.device).length === 0) line.device.written.clear();
  }

  switched(
    device: Party,
    name: string,
    patch: { push?: boolean | undefined; quietHours?: Wish["quietHours"] | null },
  ): void {
    const before = device.wishes.get(name);
    const { push = true, quietHours } = before ?? {};
    const hours = patch.quietHours === undefined ? quietHours : (patch.quietHours ?? undefined);
    const now: Wish = { push: patch.push ?? push, quietHours: hours };
    device.wishes.set(name, now);
    const channel = name.startsWith("$") ? inboxOf(device).find((each) => wishName(each) === name) : name;
    if (channel === undefined) return;
    if (now.push) {
      if (before === undefined || !before.push) device.places.add(channel);
      this.#move(device, channel, "off", "over");
    } else this.#move(device, channel, "owed", "off");
  }

  #move(device: Party, channel: string, from: Fate, to: Fate): void {
    for (const message of this.in(channel)) {
      const fate = this.fateOf(device, message);
      if (fate === from || (fate === "passed" && from === "owed")) this.#decide(device, message, to);
    }
  }

  /** Another user's inbox begins now, and the old one is none of its business. */
  moved(device: Party, user: string | undefined): void {
    const old = `$user/${device.user}`;
    this.#move(device, old, "owed", "over");
    this.#move(device, old, "off", "over");
    device.places.delete(old);
    device.user = user;
    if (user !== undefined) device.places.add(`$user/${user}`);
  }

  removed(device: Party): void {
    device.isRemoved = true;
    device.fates.clear();
    device.places.clear();
    for (const message of this.in(`$device/${device.id}`)) message.isGone = true;
  }

  /** The server has lost what it had not written, of a second at most: devices stand where they stood then. */
  async crashed(placesOf: (device: string) => Promise<ReadonlyMap<string, Position>>): Promise<void> {
    const sinceMs = this.#nowMs() - LOST_MS;
    for (const message of this.messages) {
      const recent = (times: Map<string, number>) =>
        [...times.values()].filter((atMs) => atMs >= sinceMs).length;
      message.shaken.sent += recent(message.sent);
      message.shaken.received += recent(message.received);
      if (message.timeMs >= sinceMs) message.shaken.recipients = message.recipients;
    }
    for (const party of this.parties.values()) {
      const places = await placesOf(party.id);
      for (const [message, { fate, atMs }] of party.fates) {
        const place = places.get(message.channel);
        const isKnown = fate === "had" && place !== undefined && isWithin(message, place.offsets);
        if (isKnown) continue;
        if (message.sent.has(party.id)) message.again.sent += 1;
        if (fate !== "had") continue;
        message.again.received += 1;
        if (atMs < sinceMs) throw new Error(`that ${party.id} has ${message.number} was forgotten`);
        this.#decide(party, message, "owed");
      }
    }
  }
}
