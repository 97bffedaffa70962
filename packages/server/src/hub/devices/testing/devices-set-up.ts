/** Devices on a virtual clock with the memory engine, and what they said of changes. */
import { type Position, together } from "@carillon/protocol/position";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { type Engine, EngineError, type KeptRecord, type NewPublication } from "../../../engine/engine.ts";
import { openMemoryEngine } from "../../../engine/memory.ts";
import { createLog } from "../../../lib/log.ts";
import { timestampFormat } from "../../../lib/timestamp.ts";
import type { Access } from "../../access.ts";
import { type DeviceChange, Devices, type DevicesPorts } from "../devices.ts";

export const FORGET_AFTER_MS = 90 * 86_400_000;

/** What a client without a token may, here. */
export const mayAnybody: Access["may"] = (grant, channel) => grant === "subscribe" && channel === "push";

export function setUpDevices() {
  const clock = new VirtualClock();
  const memory = openMemoryEngine({ clock, retentionOf: () => ({}) });
  const state = { fails: false, forgetAfterMs: FORGET_AFTER_MS };
  /** Calls that write, by name. */
  const writes: string[] = [];
  const assertWorks = (name: string) => {
    writes.push(name);
    if (state.fails) throw new EngineError("unavailable", "the disk is full");
  };
  const engine: DevicesPorts["engine"] = {
    ...readingHalf(memory),
    async savePositions(...[positions, changes]: Parameters<Engine["savePositions"]>) {
      assertWorks("savePositions");
      await memory.savePositions(positions, changes);
    },
    async saveRecords(changes: Parameters<Engine["saveRecords"]>[0]) {
      assertWorks("saveRecords");
      await memory.saveRecords(changes);
    },
    async removeDevice(...given: Parameters<Engine["removeDevice"]>) {
      assertWorks("removeDevice");
      await memory.removeDevice(...given);
    },
  };
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.slice("[2026-11-24 09:30:00] ".length));
  const log = createLog({ format: "pretty", level: "info", clock, timestamp: timestampFormat("UTC"), write });
  const changes: DeviceChange[] = [];
  const connected = new Set<string>();
  const devices = new Devices({
    engine,
    clock,
    log,
    forgetAfterMs: () => state.forgetAfterMs,
    mayAnybody,
    isConnected: (id) => connected.has(id),
    changed: (change) => changes.push(change),
    receiptsOf: (id, after, limit) => receiptsOf(memory, id, after, limit),
  });
  let published = 0;
  return {
    clock,
    engine: memory,
    devices,
    state,
    lines,
    writes,
    changes,
    connected,
    /** Publishes something; resolves to its offset. */
    async publish(channel: string, more: Partial<NewPublication> = {}): Promise<number> {
      published += 1;
      const id = `p${published}`;
      const item = {
        id,
        channel,
        timeMs: clock.wallMs(),
        lane: 1,
        data: "1",
        meta: "",
        stored: true,
      } as const;
      const [result] = await memory.publish([{ ...item, ...more }]);
      return result?.offset ?? 0;
    },
    /** Where a device stands, by channel, as one offset. */
    async standsAt(id: string): Promise<Record<string, number>> {
      const positions = await memory.positionsOf(id);
      return Object.fromEntries(
        [...positions].map(([channel, { offsets }]) => [channel, Math.min(...offsets)]),
      );
    },
  };
}

function readingHalf(engine: Engine) {
  return {
    top: (channel: string) => engine.top(channel),
    read: (...given: Parameters<Engine["read"]>) => engine.read(...given),
    record: (kind: string, id: string) => engine.record(kind, id),
    records: (...given: Parameters<Engine["records"]>) => engine.records(...given),
    due: (...given: Parameters<Engine["due"]>) => engine.due(...given),
    labelled: (...given: Parameters<Engine["labelled"]>) => engine.labelled(...given),
    countLabelled: (kind: string, label: string) => engine.countLabelled(kind, label),
    positionsOf: (device: string) => engine.positionsOf(device),
  };
}

async function receiptsOf(engine: Engine, id: string, after: string, limit: number) {
  const records = await engine.records("receipt-of", after === "" ? `${id} ` : after, limit);
  return records.filter((record: KeptRecord) => record.id.startsWith(`${id} `));
}

/** Lets everything that waits for promises of the memory engine run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 500; turn++) await Promise.resolve();
}

/** Where a device stands that has just come to these channels. */
export function begun(channels: readonly string[], offset = 0): ReadonlyMap<string, Position> {
  return new Map(channels.map((name) => [name, { epoch: "here", offsets: together(offset) }]));
}
