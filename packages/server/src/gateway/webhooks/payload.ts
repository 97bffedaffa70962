/** What a webhook says: JSON, `type` and `time` in all of them. */
import { encodePublication } from "@carillon/protocol/json";
import type { HubEvent } from "../../hub/events.ts";

/** The body for `event`, which happened at `timeMs`. A publication is told as in `carillon.v1`, with its own time. */
export function payloadOf(event: HubEvent, timeMs: number): string {
  if (event.type === "publication") {
    const { channel } = event.publication;
    return `{"type":"publication","channel":"${channel}",${encodePublication(event.publication).slice(1)}`;
  }
  const { type, ...rest } = event;
  return JSON.stringify({ type, time: new Date(timeMs).toISOString(), ...rest });
}

/** About how much memory `event` holds while it waits. */
export function sizeOf(event: HubEvent): number {
  if (event.type !== "publication") return EVENT_BYTES;
  const { data, meta } = event.publication;
  return EVENT_BYTES + data.length + meta.length;
}

/** Without data: the ids, names and the objects that carry them. */
const EVENT_BYTES = 500;
