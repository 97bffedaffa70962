/** What happens in the hub that others may want to know: webhooks are told of it. */
import type { Accepted } from "../engine/engine.ts";

/** A connection, as others are told of it. */
export interface ConnectionEvent {
  readonly session: string;
  readonly protocol: "text" | "v1" | "sse";
  readonly address: string;
  readonly device?: string;
}

export type HubEvent =
  | ({ readonly type: "connected" } & ConnectionEvent)
  | ({ readonly type: "disconnected"; readonly code: number } & ConnectionEvent)
  | { readonly type: "publication"; readonly publication: Accepted }
  /** What has become of a publication so far, in devices; at most once a second. */
  | {
      readonly type: "receipts";
      readonly publication: string;
      readonly channel: string;
      readonly recipients: number;
      readonly sent: number;
      readonly received: number;
      readonly read: number;
    }
  /** The last connection of a device has ended. */
  | { readonly type: "device_offline"; readonly device: string };

export type HubEventType = HubEvent["type"];

/** Hears of events. Must not throw or take long: it stands in the way of deliveries. */
export interface EventSink {
  wants(type: HubEventType): boolean;
  tell(event: HubEvent): void;
}

/** Nobody wants to know. */
export const noEvents: EventSink = { wants: () => false, tell: () => {} };
