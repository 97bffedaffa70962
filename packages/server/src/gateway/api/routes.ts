/** Every route of the HTTP API. */
import type { ApiKeys } from "../../hub/api-keys.ts";
import type { Hub } from "../../hub/hub.ts";
import type { Schedules } from "../../schedule/schedules.ts";
import { type Backups, backupRoutes } from "./backups.ts";
import { channelRoutes, sessionRoutes } from "./channels.ts";
import { messageRoutes } from "./messages.ts";
import type { Route } from "./route.ts";
import { scheduleRoutes } from "./schedules.ts";
import { tokenRoutes } from "./tokens.ts";

export interface RoutePorts {
  readonly hub: Hub;
  readonly apiKeys: ApiKeys;
  readonly schedules: Schedules;
  /** `undefined` where nothing is kept on disk. */
  readonly backups: Backups | undefined;
}

export function allRoutes({ hub, apiKeys, schedules, backups }: RoutePorts): Route[] {
  return [
    ...messageRoutes({ hub, schedules }),
    ...channelRoutes(hub),
    ...sessionRoutes(hub),
    ...scheduleRoutes(hub, schedules),
    ...tokenRoutes(hub, apiKeys),
    ...backupRoutes(backups),
  ];
}
