/** The HTTP API with all its routes, on the memory engine and a virtual clock, without a port. */

import {
  type AccessProblem,
  accessOf,
  adminKeyKind,
  authenticator,
  GRANTS,
  type Grant,
  type TokenKind,
} from "../../../hub/access.ts";
import { ApiKeys } from "../../../hub/api-keys.ts";
import { ADMIN_KEY } from "../../../hub/testing/defaults.ts";
import { setUpHub } from "../../../hub/testing/hub-set-up.ts";
import { timeOrderedIds } from "../../../lib/ids.ts";
import { silentLog } from "../../../lib/log.ts";
import { channelPatterns } from "../../../lib/pattern.ts";
import { Scheduler } from "../../../schedule/scheduler.ts";
import { Schedules } from "../../../schedule/schedules.ts";
import { schedulePorts } from "../../../schedule-ports.ts";
import { deviceChanges } from "../../device-changes.ts";
import { registration } from "../../registration.ts";
import { createApi } from "../api.ts";
import { allRoutes } from "../routes.ts";

export { ADMIN_KEY };

/** A token that has one grant, or the problem it has: `publish:news/*`, `expired:`, `invalid:`. */
function scriptedToken(token: string) {
  const [word = "", channels = ""] = token.split(":");
  if (word === "expired" || word === "invalid") return word satisfies AccessProblem;
  if (!GRANTS.includes(word as Grant)) return undefined;
  const fits = channelPatterns(channels);
  const no = () => false;
  const grants = { subscribe: no, publish: no, history: no, presence: no, [word]: fits };
  return accessOf(`scripted:${token}`, grants);
}

export interface Asked {
  /** The client's. */
  readonly address?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
}

/** With `jwt`, another kind of tokens. */
export async function setUpApi({ jwt = () => undefined }: { readonly jwt?: TokenKind } = {}) {
  const kinds: TokenKind[] = [adminKeyKind(() => ADMIN_KEY), scriptedToken, jwt];
  const authenticate = authenticator({ kinds, defaultChannel: "push", anonymous: true });
  const hub = await setUpHub(undefined, { authenticate });
  const apiKeys = await ApiKeys.open(hub.engine, { clock: hub.clock, log: silentLog });
  kinds.push(apiKeys.kind, hub.devices.kind);
  const ports = { ...schedulePorts(hub.engine, hub.hub), clock: hub.clock };
  const scheduler = new Scheduler({ ...ports, log: silentLog });
  const nextId = timeOrderedIds(hub.clock);
  const schedules = new Schedules({ ...ports, nextId, timeZone: "UTC", scheduler });
  const rules = { selfRegistration: true };
  const mayRegister = registration({ ...hub, isOpen: () => rules.selfRegistration });
  const { hub: main, devices } = hub;
  const routes = allRoutes({
    hub: main,
    devices,
    mayRegister,
    mayChange: deviceChanges(hub),
    publicKey: "BPublicKey",
    endpointProblem: (text) => (/^https:\/\/[^@]+$/.test(text) ? undefined : "expected an https address"),
    apiKeys,
    schedules,
    backups: undefined,
  });
  const api = createApi(routes, { authenticate, log: silentLog });
  const request = async (method: string, path: string, init: Asked = {}) => {
    const { token, address = "203.0.113.9", ...rest } = init;
    const headers = new Headers({ ...rest.headers });
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    const url = new URL(path, "http://push.example");
    return api(new Request(url.href, { ...rest, method, headers }), url, undefined, () => address);
  };
  /** As whoever has this token, or nobody; with a JSON body. */
  const as = async (
    token: string | undefined,
    method: string,
    path: string,
    body?: unknown,
    { headers, ...more }: Omit<Asked, "token" | "body"> = {},
  ) => {
    const response = await request(method, path, {
      ...more,
      ...(token !== undefined && { token }),
      headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === "" ? undefined : JSON.parse(text),
    };
  };
  return {
    ...hub,
    routes,
    rules,
    schedules,
    scheduler,
    request,
    as,
    /** As the admin, with a JSON body. */
    call: (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      as(ADMIN_KEY, method, path, body, { headers }),
  };
}
