/** How apps are reached that are not connected: what the senders and the dispatcher need of the configuration and of the rest. */
import { lookup } from "node:dns/promises";
import type { Config } from "./config.ts";
import type { Engine, KeptPosition } from "./engine/engine.ts";
import { Endpoints } from "./gateway/notifiers/endpoints.ts";
import { PushServices } from "./gateway/notifiers/push-services.ts";
import { unifiedPush } from "./gateway/notifiers/unified-push.ts";
import { Vapid } from "./gateway/notifiers/vapid.ts";
import { webPush } from "./gateway/notifiers/web-push.ts";
import type { Devices } from "./hub/devices/devices.ts";
import { zones } from "./hub/devices/zones.ts";
import { Notifications } from "./hub/notifications/notifications.ts";
import type { Clock } from "./lib/clock.ts";
import { chance } from "./lib/ids.ts";
import type { Log } from "./lib/log.ts";
import type { Metrics } from "./lib/metrics.ts";
import { vapidKeys } from "./vapid-keys.ts";

export interface ClosedAppsPorts {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly devices: Devices;
  readonly isConnected: (device: string) => boolean;
  readonly positionsOf: (device: string) => Promise<ReadonlyMap<string, KeptPosition>>;
}

export interface ClosedApps {
  readonly notifications: Notifications;
  /** Which endpoints devices may name. */
  readonly endpoints: Endpoints;
  /** The server's for VAPID, in base64url. */
  readonly publicKey: string;
}

/**
 * @param dir where the keys are kept; `undefined` for nowhere.
 * @throws {ConfigError} by rejection if the file of keys holds none.
 * @throws {Error} by rejection, with a system `code`, if it cannot be read or written.
 */
export async function closedApps(
  { pushServices, pushContact, timeZone }: Config,
  dir: string | undefined,
  ports: ClosedAppsPorts,
): Promise<ClosedApps> {
  const { clock, log, devices } = ports;
  const endpoints = new Endpoints(pushServices, async (hostname) => {
    const found = await lookup(hostname, { all: true });
    return found.map(({ address }) => address);
  });
  const vapid = await Vapid.open(await vapidKeys(dir), pushContact, clock);
  const senders = { vapid, services: new PushServices({ endpoints, clock, log, post: fetch }) };
  const notifications = new Notifications({
    ...ports,
    chance,
    notifiers: [webPush(senders), unifiedPush(senders)],
    zone: zones(timeZone),
    audience: (channel, target, after, limit) => devices.audience(channel, target, after, limit, true),
    device: (id) => devices.get(id),
    async endpointGone(id, name, endpoint) {
      // Unless the app has given another meanwhile.
      await devices.change(id, { [name]: undefined }, (device) => device[name]?.endpoint === endpoint);
    },
  });
  return { notifications, endpoints, publicKey: vapid.publicKey };
}
