/** All that is kept of a device, for whoever it is of. */
import { type Offsets, START, together } from "@carillon/protocol/position";
import type { Accepted, Engine, KeptPosition, KeptRecord } from "../../engine/engine.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Device } from "./device.ts";
import { publicPart, type StoredDevice } from "./stored.ts";

export interface ExportPorts {
  readonly engine: Pick<Engine, "positionsOf" | "read" | "top">;
  readonly clock: Pick<Clock, "wallMs">;
  /** See `DevicesPorts.receiptsOf`. */
  receiptsOf(id: string, after: string, limit: number): Promise<readonly KeptRecord[]>;
}

/** Its lists may be long, and are read in pages. */
export interface DeviceExport {
  readonly device: Device;
  /** Who registered it. */
  readonly registeredBy: string | undefined;
  readonly positions: ReadonlyMap<string, KeptPosition>;
  /** What is in its own channel. */
  messages(): AsyncGenerator<readonly Accepted[]>;
  receipts(): AsyncGenerator<readonly KeptRecord[]>;
}

const PAGE = 500;
const PAGE_BYTES = 256 * 1024;

/** @throws {EngineError} by rejection; its lists too. */
export async function exportOf(stored: StoredDevice, ports: ExportPorts): Promise<DeviceExport> {
  const device = publicPart(stored);
  return {
    device,
    registeredBy: stored.by,
    positions: await ports.engine.positionsOf(device.id),
    messages: () => messagesIn(`$device/${device.id}`, ports),
    receipts: () => receiptsOf(device.id, ports),
  };
}

async function* messagesIn(
  channel: string,
  { engine, clock }: ExportPorts,
): AsyncGenerator<readonly Accepted[]> {
  const { offset: upTo } = await engine.top(channel);
  for (let after: Offsets = START; Math.min(...after) < upTo; ) {
    const request = { after, upTo, limit: PAGE, maxBytes: PAGE_BYTES, nowMs: clock.wallMs() };
    const { publications, to } = await engine.read(channel, request);
    yield publications;
    after = together(to);
  }
}

async function* receiptsOf(
  id: string,
  { receiptsOf: pageAfter }: ExportPorts,
): AsyncGenerator<readonly KeptRecord[]> {
  for (let after = ""; ; ) {
    const page = await pageAfter(id, after, PAGE);
    yield page;
    after = page.at(-1)?.id ?? "";
    if (page.length < PAGE) return;
  }
}
