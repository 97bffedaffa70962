/** Senders as a port: how an app that is not connected is reached, by a push service that its device has named. */
import type { Device } from "../devices/device.ts";
import type { Notification } from "./notification.ts";

/** Which of a device's endpoints a sender posts to. */
export type EndpointName = "webPush" | "unifiedPush";

/**
 * What became of it: taken; not taken, as there is no such endpoint any more; not taken, for good; or not now, and may be
 * tried again after so many milliseconds at the earliest.
 */
export type Outcome = "sent" | "gone" | "refused" | { readonly retryAfterMs: number };

export interface Notifier {
  readonly name: EndpointName;
  /** Whether the device has such an endpoint. */
  reaches(device: Device): boolean;
  /** Sends within some seconds, or at once when `signal` says so. It must not reject. */
  send(device: Device, notification: Notification, signal: AbortSignal): Promise<Outcome>;
}
