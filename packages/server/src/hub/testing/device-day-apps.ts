/** Apps of a simulated day: one that does what PROTOCOL.md says a client does, and one that speaks plain text. */
import { encodePosition, furthest, laneOf, type Offsets, together } from "@carillon/protocol/position";
import type { Link } from "./device-day-link.ts";

export type Fields = Record<string, unknown>;

interface WirePublication {
  readonly id: string;
  readonly offset?: number;
  readonly prev?: number;
  readonly data: number;
  readonly urgency?: Parameters<typeof laneOf>[0];
  readonly withdraws?: string;
}

/** What an app keeps where it outlives it. */
interface Store {
  readonly positions: ReadonlyMap<string, Offsets>;
  readonly ids: ReadonlySet<string>;
}

const offsetsOf = (wire: unknown): Offsets => (typeof wire === "number" ? together(wire) : (wire as Offsets));

export class V1App {
  readonly kind = "v1";
  readonly device: string;
  token: string;
  readonly channels: readonly string[];
  readonly isUrgentFirst: boolean;
  readonly links = new Set<Link>();
  /** What its user was shown, in order: never more than once. */
  readonly handled: number[] = [];
  /** What it was told of its switches. */
  readonly push = new Map<string, boolean>();
  inbox: readonly string[] = [];
  epoch = "";
  #positions = new Map<string, Offsets>();
  #ids = new Set<string>();
  /** Where it subscribes anew: what comes before the reply is dropped. */
  readonly #awaited = new Map<Link, Map<string, number>>();
  #commands = 1;

  constructor(device: string, token: string, channels: readonly string[], isUrgentFirst: boolean) {
    this.device = device;
    this.token = token;
    this.channels = channels;
    this.isUrgentFirst = isUrgentFirst;
  }

  get store(): Store {
    return { positions: new Map(this.#positions), ids: new Set(this.#ids) };
  }

  set store({ positions, ids }: Store) {
    this.#positions = new Map(positions);
    this.#ids = new Set(ids);
  }

  positionIn(channel: string): Offsets | undefined {
    return this.#positions.get(channel);
  }

  get known(): readonly string[] {
    return [...this.#positions.keys()];
  }

  ackOf(channel: string): Fields {
    const offsets = this.#positions.get(channel) ?? together(0);
    return { type: "ack", channel, position: encodePosition({ epoch: this.epoch, offsets }) };
  }

  command(fields: Fields): Fields {
    this.#commands += 1;
    return { ...fields, id: this.#commands };
  }

  subscribe(link: Link, channel: string): Fields {
    const offsets = this.#positions.get(channel);
    const position = offsets && encodePosition({ epoch: this.epoch, offsets });
    const command = this.command({ type: "subscribe", channel, ...(position !== undefined && { position }) });
    const awaited = this.#awaited.get(link) ?? new Map<string, number>();
    this.#awaited.set(link, awaited.set(channel, command["id"] as number));
    return command;
  }

  /** Takes a frame; returns what it says to it. */
  take(link: Link, frame: Fields): Fields[] {
    const channel = frame["channel"] as string;
    const isAwaited = this.#awaited.get(link)?.has(channel) === true;
    switch (frame["type"]) {
      case "connected": {
        this.inbox = (frame["inbox"] as string[] | undefined) ?? [];
        return [...this.inbox, ...this.channels].map((each) => this.subscribe(link, each));
      }
      case "subscribed": {
        if (this.#awaited.get(link)?.get(channel) === frame["id"]) this.#awaited.get(link)?.delete(channel);
        const { epoch, offset } = frame["position"] as { epoch: string; offset: unknown };
        this.epoch = epoch;
        const from = frame["from"] as { offset: unknown } | undefined;
        if (!this.#positions.has(channel)) this.#positions.set(channel, offsetsOf(from?.offset ?? offset));
        this.push.set(channel, frame["push"] !== false);
        return [];
      }
      case "page":
        return isAwaited ? [] : this.#page(channel, frame);
      case "publication":
        return isAwaited ? [] : this.#live(link, channel, frame["publication"] as WirePublication);
      case "switch":
      case "switched":
        this.push.set(channel, frame["push"] as boolean);
        return [];
      case "error":
        throw new Error(`the server answers ${JSON.stringify(frame)}`);
      default:
        return [];
    }
  }

  #page(channel: string, frame: Fields): [] {
    for (const publication of frame["publications"] as WirePublication[]) this.#handle(channel, publication);
    const position = this.#positions.get(channel) ?? together(0);
    this.#positions.set(channel, furthest(position, offsetsOf(frame["to"])));
    return [];
  }

  #live(link: Link, channel: string, publication: WirePublication): Fields[] {
    const { withdraws, offset, prev = 0, urgency = "normal" } = publication;
    if (withdraws !== undefined) return [];
    const lane = laneOf(urgency);
    const at = this.#positions.get(channel)?.[lane] ?? 0;
    if (offset !== undefined && offset > at && prev > at) return [this.subscribe(link, channel)];
    this.#handle(channel, publication);
    return [];
  }

  #handle(channel: string, { id, offset, urgency = "normal", data }: WirePublication): void {
    const lane = laneOf(urgency);
    const position = this.#positions.get(channel) ?? together(0);
    if (offset !== undefined) {
      if (offset <= position[lane]) return;
      this.#positions.set(channel, position.with(lane, offset) as unknown as Offsets);
    }
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    this.handled.push(data);
  }

  /** Push is off there, or the channel is another's: its place means nothing any more. */
  forget(channel: string): void {
    this.#positions.delete(channel);
  }
}

export class TextApp {
  readonly kind = "text";
  readonly device: string;
  token: string | undefined;
  readonly channels: readonly string[];
  readonly links = new Set<Link>();
  /** What came, also again. */
  readonly handled: number[] = [];

  constructor(device: string, token: string | undefined, channels: readonly string[]) {
    this.device = device;
    this.token = token;
    this.channels = channels;
  }

  take(text: string): void {
    if (!text.startsWith("Server received: ")) this.handled.push(Number(text));
  }
}

export type App = V1App | TextApp;
