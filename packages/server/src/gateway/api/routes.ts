/** Every route of the HTTP API. */
import type { ApiKeys } from "../../hub/api-keys.ts";
import type { Hub } from "../../hub/hub.ts";
import { type Backups, backupRoutes } from "./backups.ts";
import { channelRoutes, sessionRoutes } from "./channels.ts";
import { messageRoutes } from "./messages.ts";
import type { Route } from "./route.ts";
import { tokenRoutes } from "./tokens.ts";

export interface RoutePorts {
  readonly hub: Hub;
  readonly apiKeys: ApiKeys;
  /** `undefined` where nothing is kept on disk. */
  readonly backups: Backups | undefined;
}

export function allRoutes({ hub, apiKeys, backups }: RoutePorts): Route[] {
  return [
    ...messageRoutes(hub),
    ...channelRoutes(hub),
    ...sessionRoutes(hub),
    ...tokenRoutes(hub, apiKeys),
    ...backupRoutes(backups),
  ];
}
