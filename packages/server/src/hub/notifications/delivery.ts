/** One publication and one device that may have to be told of it: whether, when, and by which sender. */
import type { Accepted, KeptPosition } from "../../engine/engine.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Metrics } from "../../lib/metrics.ts";
import type { TimeZone } from "../../lib/zones.ts";
import { type Device, switchOf } from "../devices/device.ts";
import { isQuiet, nextChange } from "../devices/quiet-hours.ts";
import { hasEndpoint, isRecipient } from "../devices/recipients.ts";
import { Notification } from "./notification.ts";
import type { EndpointName, Notifier } from "./notifier.ts";

export interface DeliveryPorts {
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, "notifications">;
  readonly notifiers: readonly Notifier[];
  /** The zone by its name; the server's for none. */
  zone(name: string | undefined): TimeZone;
  /** Whether it has a connection now: then it has been sent it by that. */
  isConnected(device: string): boolean;
  /** Where a device stands, including what is not kept yet: it may have gone this moment. */
  positionsOf(device: string): Promise<ReadonlyMap<string, KeptPosition>>;
  /** There is no such endpoint any more. */
  endpointGone(device: string, name: EndpointName, endpoint: string): Promise<void>;
}

/**
 * What has become of it: told; nothing to tell, or no way to; to wait until its quiet hours end; or to try again, after so
 * many milliseconds at the earliest.
 */
export type Reached = "told" | "over" | { readonly quietUntilMs: number } | { readonly againAfterMs: number };

export class Delivery {
  readonly #ports: DeliveryPorts;

  constructor(ports: DeliveryPorts) {
    this.#ports = ports;
  }

  /**
   * Tells a device of a publication of the log `epoch`, if it has to be told.
   * @throws {EngineError} by rejection.
   */
  async reach(device: Device, publication: Accepted, epoch: string, signal: AbortSignal): Promise<Reached> {
    const { clock, zone, isConnected } = this.#ports;
    const { channel, target, lane } = publication;
    if (!hasEndpoint(device) || isConnected(device.id) || isOver(publication, clock.wallMs())) return "over";
    if (!isRecipient(device, channel, target)) return "over";
    const { quietHours } = switchOf(device, channel);
    if (quietHours !== undefined && lane !== 0) {
      const here = zone(device.timeZone);
      const nowMs = clock.wallMs();
      if (isQuiet(quietHours, here, nowMs)) return { quietUntilMs: nextChange(quietHours, here, nowMs) };
    }
    if (await this.#hasIt(device.id, publication, epoch)) return "over";
    return this.#send(device, new Notification(publication, clock.wallMs()), signal);
  }

  /** Whether it has handled it before it went away. What it was merely sent may never have arrived. */
  async #hasIt(device: string, { channel, lane, offset }: Accepted, epoch: string): Promise<boolean> {
    const position = (await this.#ports.positionsOf(device)).get(channel);
    return position !== undefined && position.epoch === epoch && position.offsets[lane] >= offset;
  }

  async #send(device: Device, notification: Notification, signal: AbortSignal): Promise<Reached> {
    const { notifiers, metrics, endpointGone } = this.#ports;
    for (const notifier of notifiers) {
      if (!notifier.reaches(device)) continue;
      const { name } = notifier;
      const outcome = await notifier.send(device, notification, signal);
      const isLater = typeof outcome === "object";
      metrics.notifications.inc({ sender: name, outcome: isLater ? "retried" : outcome });
      if (isLater) return { againAfterMs: outcome.retryAfterMs };
      const endpoint = device[name]?.endpoint;
      if (outcome === "gone" && endpoint !== undefined) await endpointGone(device.id, name, endpoint);
      // Another of its endpoints may do.
      if (outcome === "sent") return "told";
    }
    return "over";
  }
}

/** Whether nobody wants it any more. */
export function isOver({ expiresAtMs = Number.POSITIVE_INFINITY }: Accepted, nowMs: number): boolean {
  return expiresAtMs <= nowMs;
}
