/** What was measured of devices, as tables, and whether it is what it is held to. */
import { median } from "../lib/stats.ts";
import { table } from "../lib/table.ts";
import type { Connecting, Kind } from "./connecting.ts";
import type { Delivered, Delivering } from "./delivering.ts";

export type Connected = Readonly<Record<Kind, Connecting>>;

/** What it is held to. */
const TARGET = { connectUs: 200, kb: 4.5, ackPercent: 5, startMs: 200, lateMs: 20 };
/** The pace that the target of acks is set for. */
const PUSHES_PER_MINUTE = 10;

/** What a device's connection takes beyond one that is no device's, in µs. */
export function addedUs(rounds: readonly Connected[], device: Kind, other: Kind): number {
  return median(rounds.map((round) => round[device].connectUs - round[other].connectUs));
}

/** Of a core, for acks of so many pushes a minute. */
export function ackPercent({ withUs, withoutUs }: Delivered["acks"]): number {
  return ((withUs - withoutUs) * PUSHES_PER_MINUTE) / 60 / 1e4;
}

/** How much later others' deliveries were than without, at the worst. */
export function extraMs(rounds: readonly Delivered[], target: keyof Delivered["publications"]): number {
  const worst = (all: readonly Delivering[]) => median(all.map(({ worstMs }) => worstMs));
  return median(rounds.map(({ publications }) => worst(publications[target]) - worst(publications[""])));
}

export function connectingTable(rounds: readonly Connected[]): string {
  const kinds = Object.keys(rounds[0] ?? {}) as Kind[];
  const of = (kind: Kind, figure: keyof Connecting) => median(rounds.map((round) => round[kind][figure]));
  const rows = kinds.map((kind) => [
    kind,
    of(kind, "connectUs").toFixed(0),
    of(kind, "disconnectUs").toFixed(0),
    (of(kind, "bytes") / 1024).toFixed(1),
  ]);
  return table(["", "connect µs", "disconnect µs", "KB each"], rows);
}

export function deliveringTable(rounds: readonly Delivered[]): string {
  const targets = Object.keys(rounds[0]?.publications ?? {}) as (keyof Delivered["publications"])[];
  const rows = targets.map((target) => {
    const all = rounds.flatMap(({ publications }) => publications[target]);
    const of = (figure: keyof Delivering) => median(all.map((each) => each[figure]));
    const times = target === "" ? ["", "", ""] : [of("deliveries"), of("firstMs"), of("lastMs")];
    return [
      target === "" ? "nothing" : target,
      ...times.map((each) => (typeof each === "number" ? each.toFixed(0) : each)),
      of("worstMs").toFixed(0),
      of("cpuMs").toFixed(0),
    ];
  });
  return table(["to", "deliveries", "first ms", "last ms", "others late ms", "CPU ms"], rows);
}

export function targetLines(
  connected: readonly Connected[],
  delivered: readonly Delivered[],
): readonly string[] {
  const held = (name: string, value: number, most: number, digits = 0) =>
    `${name}: ${value.toFixed(digits)}, at most ${most}: ${value <= most ? "met" : "MISSED"}`;
  const first = delivered.flatMap(({ publications }) => publications["tag:beta"]);
  const kb = median(connected.map((round) => round["v1-device"].bytes)) / 1024;
  return [
    held("connecting as a device adds µs", addedUs(connected, "v1-device", "v1-key"), TARGET.connectUs),
    held("the same, seen lately, µs", addedUs(connected, "v1-again", "v1-key"), TARGET.connectUs),
    held("the same in plain text, µs", addedUs(connected, "text-device", "text-key"), TARGET.connectUs),
    held("KB for a connected device", kb, TARGET.kb, 1),
    held("acks, % of a core", median(delivered.map(({ acks }) => ackPercent(acks))), TARGET.ackPercent, 1),
    held("a tag's first delivery, ms", median(first.map(({ firstMs }) => firstMs)), TARGET.startMs),
    held("others later by a tag, ms", extraMs(delivered, "tag:beta"), TARGET.lateMs),
    held("others later by an expression, ms", extraMs(delivered, "tag:beta & tag:android"), TARGET.lateMs),
  ];
}
