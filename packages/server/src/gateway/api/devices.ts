/** Devices: who the apps are. */
import { userProblem } from "@carillon/protocol/inbox";
import type { z } from "zod";
import type { Access } from "../../hub/access.ts";
import type { Device } from "../../hub/devices/device.ts";
import type { DevicePatch, Devices, NewDevice } from "../../hub/devices/devices.ts";
import type { Grants } from "../../hub/grants.ts";
import type { Hub } from "../../hub/hub.ts";
import { exportStream } from "./device-export.ts";
import {
  credentials,
  devices as devicePage,
  devicePatch,
  device as deviceSchema,
  devicesQuery,
  newDevice,
} from "./device-schemas.ts";
import {
  deviceParams,
  foundOrThrow,
  MAX_BODY_BYTES,
  NO_DEVICE,
  noDevice,
  notRegistered,
  registeredOrThrow,
  TOO_MANY,
  viewOf,
} from "./device-view.ts";
import { type Admit, json, pageOf, Refusal, type Route, route } from "./route.ts";

export interface DeviceRoutePorts {
  readonly hub: Hub;
  readonly devices: Devices;
  /** Lets callers register. */
  readonly mayRegister: Admit;
  /** Lets a device change what is kept of it. */
  readonly mayChange: Admit;
  /** Why nothing is posted to an endpoint, in one line for people. */
  readonly endpointProblem: (endpoint: string) => string | undefined;
}

/** What a device may that an admin registers without saying what. */
const RECEIVES_ALL: Grants = { subscribe: ["*"], history: ["*"] };

export function deviceRoutes(ports: DeviceRoutePorts): Route[] {
  const { hub, devices, mayRegister, mayChange, endpointProblem } = ports;
  const checkEndpoints = ({ webPush, unifiedPush }: z.output<typeof devicePatch>) => {
    for (const [name, said] of Object.entries({ webPush, unifiedPush })) {
      const problem = said && endpointProblem(said.endpoint);
      if (problem) throw new Refusal(400, "bad_field", `${name}.endpoint: ${problem}`);
    }
  };
  const told = (device: Device) => ({ ...viewOf(device), connected: hub.isConnected(device.id) });
  const register = route(
    {
      method: "post",
      path: "/v1/devices",
      needs: "registration",
      summary: "Register a device",
      description:
        "An admin says whose it is and what its token may; unless said, to receive and read all channels. An app registers itself without a token, unless that is switched off, or with a JWT, and is then its subject's; its token may what everybody may. It has an inbox from now on.",
      body: newDevice,
      maxBodyBytes: MAX_BODY_BYTES,
      answers: {
        201: { description: "made; the token is shown this once", schema: credentials },
        429: { description: "too many registrations a minute from your address; see Retry-After" },
      },
    },
    async ({ access, body = {} }) => {
      checkEndpoints(body);
      const { device, token } = await devices.register(registrationOf(access, body), access.who);
      return json(201, { id: device.id, token });
    },
    mayRegister,
  );
  const list = route(
    {
      method: "get",
      path: "/v1/devices",
      needs: "admin",
      summary: "List devices",
      description: "All, or those of a user, with a tag, or both.",
      query: devicesQuery,
      answers: { 200: { description: "a page, by id", schema: devicePage } },
    },
    async ({ query: { user, tag, after = "", limit = 100 } }) => {
      const found = await devices.list({ user, tag }, after, limit + 1);
      const { page, next } = pageOf(found, limit, ({ id }) => id);
      return json(200, { devices: page.map(told), next });
    },
  );
  const get = route(
    {
      method: "get",
      path: "/v1/devices/{device}",
      needs: "device",
      summary: "Look at a device",
      params: deviceParams,
      answers: { 200: { description: "what is known of it", schema: deviceSchema }, 404: NO_DEVICE },
    },
    async ({ params: { device: id } }) => json(200, told(foundOrThrow(await devices.get(id), id))),
  );
  const change = route(
    {
      method: "patch",
      path: "/v1/devices/{device}",
      needs: "device",
      summary: "Change what is said of a device",
      description: "`user` takes an admin. A registered one only.",
      params: deviceParams,
      body: devicePatch,
      maxBodyBytes: MAX_BODY_BYTES,
      answers: { 200: { description: "changed", schema: deviceSchema }, 404: NO_DEVICE, 429: TOO_MANY },
    },
    async ({ access, params: { device: id }, body = {} }) => {
      if (body.user !== undefined && !access.isAdmin) {
        throw new Refusal(403, "forbidden", "user: only an admin says whose a device is");
      }
      checkEndpoints(body);
      return json(200, told(registeredOrThrow(await devices.change(id, saidOf(body) as DevicePatch), id)));
    },
    mayChange,
  );
  const remove = route(
    {
      method: "delete",
      path: "/v1/devices/{device}",
      needs: "device",
      summary: "Delete a device",
      description: "All that is kept of it goes, and its connections are closed.",
      params: deviceParams,
      answers: { 204: { description: "deleted" }, 404: NO_DEVICE },
    },
    async ({ params: { device: id } }) => {
      if (!(await devices.remove(id))) throw noDevice(id);
      return new Response(null, { status: 204 });
    },
  );
  const rotate = route(
    {
      method: "post",
      path: "/v1/devices/{device}/token",
      needs: "device",
      summary: "Give a device another token",
      description: "The one before is withdrawn at once, and who is connected by it is closed with 4500.",
      params: deviceParams,
      answers: {
        200: { description: "the token is shown this once", schema: credentials },
        404: NO_DEVICE,
        429: TOO_MANY,
      },
    },
    async ({ params: { device: id } }) =>
      json(200, { id, token: registeredOrThrow(await devices.rotate(id), id) }),
    mayChange,
  );
  const revoke = route(
    {
      method: "delete",
      path: "/v1/devices/{device}/token",
      needs: "device",
      summary: "Withdraw a device's token",
      description: "All that is kept of the device stays; an admin may give it another token.",
      params: deviceParams,
      answers: {
        204: { description: "withdrawn, and its connections are closed with 4500" },
        404: NO_DEVICE,
      },
    },
    async ({ params: { device: id } }) => {
      if (!(await devices.revoke(id))) throw notRegistered(id);
      return new Response(null, { status: 204 });
    },
  );
  const exported = route(
    {
      method: "get",
      path: "/v1/devices/{device}/export",
      needs: "device",
      summary: "Export what is kept of a device",
      description:
        "All of it: what is known, its switches, where it stands, what was pushed to it alone, and its receipts.",
      params: deviceParams,
      answers: { 200: { description: "a JSON object", contentType: "application/json" }, 404: NO_DEVICE },
    },
    async ({ params: { device: id }, takesLong }) => {
      const all = foundOrThrow(await devices.export(id), id);
      takesLong();
      const headers = {
        "content-type": "application/json; charset=utf-8",
        "content-disposition": `attachment; filename="device-${id.replace(/[^\w.-]/g, "_")}.json"`,
      };
      return new Response(exportStream(all, viewOf(all.device)), { headers });
    },
  );
  return [register, list, get, change, remove, rotate, revoke, exported];
}

/** What `access` may say of a new device. @throws {Refusal} if that is less than it says. */
function registrationOf(access: Access, said: z.output<typeof newDevice>): NewDevice {
  const { subscribe, publish, history, presence, user, ...fields } = said;
  const given = saidOf({ subscribe, publish, history, presence });
  const isGiven = Object.keys(given).length > 0;
  if (isGiven && !access.isAdmin)
    throw new Refusal(403, "forbidden", "only an admin says what a device may do");
  const whose = access.isAdmin ? user : subjectOf(access);
  if (user !== undefined && user !== whose) {
    throw new Refusal(
      403,
      "forbidden",
      "user: only an admin says whose a device is, or the JWT of that user",
    );
  }
  return {
    ...(saidOf(fields) as NewDevice),
    ...(whose !== undefined && { user: whose }),
    ...(access.isAdmin && { grants: isGiven ? given : RECEIVES_ALL }),
  };
}

/** Whose the devices are that come with a JWT; one whose subject is no good as a user's name has devices all the same. */
function subjectOf({ who }: Access): string | undefined {
  const subject = who.startsWith("jwt:") ? who.slice("jwt:".length) : undefined;
  return subject === undefined || userProblem(subject) !== undefined ? undefined : subject;
}

/** What was said, each tag once; what is null is there, and `undefined`. */
function saidOf(fields: object): object {
  const said = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    said.map(([name, value]) => [
      name,
      name === "tags" && value !== null ? [...new Set(value)] : (value ?? undefined),
    ]),
  );
}
