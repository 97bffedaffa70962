/** Every route of the HTTP API. */
import type { Hub } from "../../hub/hub.ts";
import { type Backups, backupRoutes } from "./backups.ts";
import { channelRoutes, sessionRoutes } from "./channels.ts";
import { messageRoutes } from "./messages.ts";
import type { Route } from "./route.ts";

export interface RoutePorts {
  readonly hub: Hub;
  /** `undefined` where nothing is kept on disk. */
  readonly backups: Backups | undefined;
}

export function allRoutes({ hub, backups }: RoutePorts): Route[] {
  return [...messageRoutes(hub), ...channelRoutes(hub), ...sessionRoutes(hub), ...backupRoutes(backups)];
}
