/** A hub on a virtual clock with the memory engine and fake clients. */
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import type { Engine } from "../../engine/engine.ts";
import { openMemoryEngine } from "../../engine/memory.ts";
import { sequentialIds, timeOrderedIds } from "../../lib/ids.ts";
import { createLog } from "../../lib/log.ts";
import { timestampFormat } from "../../lib/timestamp.ts";
import type { HubPorts } from "../hub.ts";
import type { Session } from "../session.ts";
import type { TextInfo } from "../text-session.ts";
import { admin, openHub, testPorts } from "./defaults.ts";
import { FakeFanOut, FakeOutbound } from "./fake-outbound.ts";

export const IDLE_TIMEOUT_MS = 60_000;
export { ADMIN_KEY } from "./defaults.ts";

export interface FakeClient {
  readonly session: Session;
  readonly outbound: FakeOutbound;
}

/** Lets everything that waits for promises of the memory engine run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

/** `engine` with some of its methods replaced. */
export function override(engine: Engine, methods: Partial<Engine>): Engine {
  return {
    publish: (items, changes) => engine.publish(items, changes),
    onPublication: (listener) => engine.onPublication(listener),
    top: (channel) => engine.top(channel),
    read: (channel, request) => engine.read(channel, request),
    channels: (after, limit) => engine.channels(after, limit),
    channel: (name) => engine.channel(name),
    positionsOf: (device) => engine.positionsOf(device),
    publication: (id) => engine.publication(id),
    withdraw: (channel, offset) => engine.withdraw(channel, offset),
    savePositions: (positions, changes) => engine.savePositions(positions, changes),
    removeDevice: (device, channels, changes) => engine.removeDevice(device, channels, changes),
    labelled: (kind, label, after, limit) => engine.labelled(kind, label, after, limit),
    countLabelled: (kind, label) => engine.countLabelled(kind, label),
    record: (kind, id) => engine.record(kind, id),
    due: (kind, untilMs, limit) => engine.due(kind, untilMs, limit),
    records: (kind, after, limit) => engine.records(kind, after, limit),
    saveRecords: (changes) => engine.saveRecords(changes),
    backup: (path) => engine.backup(path),
    probe: () => engine.probe(),
    close: () => engine.close(),
    ...methods,
  };
}

export async function setUpHub(
  wrap: (engine: Engine) => Engine = (engine) => engine,
  more: Partial<Pick<HubPorts, "authenticate" | "events">> = {},
) {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const log = createLog({
    format: "pretty",
    level: "info",
    clock,
    timestamp: timestampFormat("UTC"),
    write: (line) => lines.push(line.slice("[2026-11-24 09:30:00] ".length)),
  });
  const fanOut = new FakeFanOut();
  const engine = wrap(await openMemoryEngine({ clock, retentionOf: () => ({}) }));
  const ports = testPorts();
  const { hub, devices } = openHub({
    engine,
    clock,
    log,
    fanOut,
    ...ports,
    ...more,
    nextPublicationId: timeOrderedIds(clock),
    idleTimeoutMs: IDLE_TIMEOUT_MS,
    defaultChannel: "push",
    announcesPresence: (channel) => channel.startsWith("rooms/"),
  });
  const nextId = sequentialIds();
  const attach = (open: (id: string, outbound: FakeOutbound) => Session): FakeClient => {
    const outbound = new FakeOutbound();
    fanOut.clients.add(outbound);
    const session = open(nextId(), outbound);
    outbound.onEnd = (code, reason) => {
      fanOut.clients.delete(outbound);
      hub.disconnect(session, code, reason);
    };
    return { session, outbound };
  };
  return {
    clock,
    lines,
    fanOut,
    ...ports,
    engine,
    hub,
    devices,
    /** A plain-text client. */
    connect: (query: Partial<TextInfo> = {}) =>
      attach((id, outbound) =>
        hub.connectText({ address: "::1", access: admin, channels: ["push"], ...query, id }, outbound),
      ),
    /** A client of `carillon.v1` that has not said anything yet. */
    connectV1: () => attach((id, outbound) => hub.connectV1({ id, address: "::1" }, outbound)),
    publish: (data: string, channel = "push") => hub.publish([{ channel, data }]),
  };
}
