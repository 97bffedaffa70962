/** What the rules of `device-day-rules.ts` speak of. Everything here is written from what is promised, not from the hub. */
import type { Lane, Offsets } from "@carillon/protocol/position";

export interface Quiet {
  readonly from: string;
  readonly to: string;
}

export interface Wish {
  readonly push: boolean;
  readonly quietHours?: Quiet | undefined;
}

/** What was published, and what has become of it by the rules. */
export interface Message {
  readonly id: string;
  /** Its data: one each. */
  readonly number: number;
  readonly channel: string;
  /** 0 with `ttl` 0. */
  readonly offset: number;
  readonly lane: Lane;
  readonly timeMs: number;
  readonly expiresAtMs: number | undefined;
  /** Those with one group supersede each other. */
  readonly group: string | undefined;
  readonly fits: (tags: ReadonlySet<string>) => boolean;
  readonly isForAll: boolean;
  readonly withdrawOn: "ack" | "read" | undefined;
  /** Whether it is kept who has it. */
  readonly isNamed: boolean;
  /** It was taken out of its channel before its time. */
  isGone: boolean;
  readonly recipients: number;
  /** Devices, and when they were first sent it… */
  readonly sent: Map<string, number>;
  /** …and acknowledged it. */
  readonly received: Map<string, number>;
  readonly read: Set<string>;
  /** Devices whose tags have changed since it went past them: they may be counted, or not. */
  readonly doubted: Set<string>;
  /** What a crash may have undone of `sent` and `received`, and what may have been counted again after it. */
  readonly shaken: { recipients: number; sent: number; received: number };
  readonly again: { sent: number; received: number };
}

/**
 * What a device and a message have to do with each other; nothing, if it was not wanted when it was published.
 *
 * `owed`: it has to come. `had`: the device has it, and says so. `off`: switched off before it came. `over`: on again, from
 * then. `passed`: not for the tags of a device that stood there; with other tags it may still come.
 */
export type Fate = "owed" | "had" | "off" | "over" | "passed";

/** A connection of a device. */
export interface Line {
  readonly device: Party;
  readonly kind: "v1" | "text";
  /** With `urgentFirst`, until when what is not urgent may wait. */
  readonly isUrgentFirst: boolean;
  ledUntilMs: number;
  /** By channel, what it was sent. */
  readonly got: Map<string, Set<Message>>;
  /** What it has to be sent now, and what it may be. */
  readonly must: Set<Message>;
  readonly may: Set<Message>;
  /** Which are to be taken back now, and which may be. */
  readonly mustTakeBack: Set<string>;
  readonly mayTakeBack: Set<string>;
}

export interface Party {
  readonly id: string;
  readonly isRegistered: boolean;
  user: string | undefined;
  tags: ReadonlySet<string>;
  zone: string;
  readonly wishes: Map<string, Wish>;
  /** Where it has a place: what comes there is for it. */
  readonly places: Set<string>;
  readonly fates: Map<Message, { fate: Fate; atMs: number }>;
  /** What was written to it since it has been connected, by any of its connections. */
  readonly written: Set<Message>;
  isRemoved: boolean;
}

export function inboxOf({ id, user, isRegistered, isRemoved }: Party): readonly string[] {
  if (!isRegistered || isRemoved) return [];
  return [`$device/${id}`, ...(user === undefined ? [] : [`$user/${user}`]), "$all"];
}

export function wishName(channel: string): string {
  return channel.startsWith("$") ? (channel.split("/")[0] ?? "") : channel;
}

export function isWithin({ lane, offset }: Message, offsets: Offsets): boolean {
  return offset > 0 && offset <= offsets[lane];
}

const MINUTE_MS = 60_000;
const formats = new Map<string, Intl.DateTimeFormat>();
const shown = new Map<string, string>();

/** What a clock on the wall in `zone` shows, `HH:MM`. */
function timeOfDay(zone: string, atMs: number): string {
  const minute = Math.floor(atMs / MINUTE_MS);
  const key = `${zone} ${minute}`;
  let text = shown.get(key);
  if (text === undefined) {
    let format = formats.get(zone);
    format ??= new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });
    formats.set(zone, format);
    text = format.format(minute * MINUTE_MS);
    shown.set(key, text);
  }
  return text;
}

export function isQuietAt({ from, to }: Quiet, zone: string, atMs: number): boolean {
  const now = timeOfDay(zone, atMs);
  return from <= to ? now >= from && now < to : now >= from || now < to;
}

/** The first whole minute after `fromMs` and up to `toMs` at which quiet hours of `parties` begin or end. */
export function nextEdge(parties: Iterable<Party>, fromMs: number, toMs: number): number | undefined {
  const hours = new Map<string, readonly [Quiet, string]>();
  for (const { wishes, zone } of parties) {
    for (const { quietHours } of wishes.values()) {
      if (quietHours !== undefined)
        hours.set(`${quietHours.from} ${quietHours.to} ${zone}`, [quietHours, zone]);
    }
  }
  if (hours.size === 0) return undefined;
  const first = (Math.floor(fromMs / MINUTE_MS) + 1) * MINUTE_MS;
  for (let atMs = first; atMs <= toMs; atMs += MINUTE_MS) {
    for (const [quiet, zone] of hours.values()) {
      if (isQuietAt(quiet, zone, atMs) !== isQuietAt(quiet, zone, atMs - MINUTE_MS)) return atMs;
    }
  }
  return undefined;
}
