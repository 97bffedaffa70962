/** Every route of the HTTP API. */
import type { ApiKeys } from "../../hub/api-keys.ts";
import type { Schedules } from "../../schedule/schedules.ts";
import { type Backups, backupRoutes } from "./backups.ts";
import { channelRoutes, sessionRoutes } from "./channels.ts";
import { switchRoutes } from "./device-switches.ts";
import { type DeviceRoutePorts, deviceRoutes } from "./devices.ts";
import { messageRoutes } from "./messages.ts";
import { targetedRoutes } from "./messages-to.ts";
import { receiptRoutes } from "./receipts.ts";
import type { Route } from "./route.ts";
import { scheduleRoutes } from "./schedules.ts";
import { tokenRoutes } from "./tokens.ts";
import { webPushRoutes } from "./web-push.ts";

export interface RoutePorts extends DeviceRoutePorts {
  readonly apiKeys: ApiKeys;
  readonly schedules: Schedules;
  /** `undefined` where nothing is kept on disk. */
  readonly backups: Backups | undefined;
  /** By which push services know this server; see `webPushRoutes`. */
  readonly publicKey: string;
}

export function allRoutes(ports: RoutePorts): Route[] {
  const { hub, apiKeys, schedules, backups, publicKey } = ports;
  return [
    ...messageRoutes(ports),
    ...targetedRoutes(ports),
    ...receiptRoutes(hub.receipts),
    ...channelRoutes(hub),
    ...deviceRoutes(ports),
    ...switchRoutes(ports),
    ...sessionRoutes(hub),
    ...scheduleRoutes(hub, schedules),
    ...tokenRoutes(hub, apiKeys),
    ...backupRoutes(backups),
    ...webPushRoutes(publicKey),
  ];
}
