/** The push switches of a device. */
import { z } from "zod";
import { switchOf } from "../../hub/devices/device.ts";
import { DeviceRefused, type Devices } from "../../hub/devices/devices.ts";
import { deviceId, pushSwitch, switches, switchName, switchPatch } from "./device-schemas.ts";
import {
  deviceParams,
  foundOrThrow,
  MAX_BODY_BYTES,
  NO_DEVICE,
  noDevice,
  subscriptionOf,
  subscriptionsOf,
  TOO_MANY,
} from "./device-view.ts";
import type { DeviceRoutePorts } from "./devices.ts";
import { json, Refusal, type Route, route } from "./route.ts";

export function switchRoutes({
  devices,
  mayChange,
}: Pick<DeviceRoutePorts, "devices" | "mayChange">): Route[] {
  const list = route(
    {
      method: "get",
      path: "/v1/devices/{device}/subscriptions",
      needs: "device",
      summary: "List the push switches of a device",
      description:
        "Of all channels that it has ever subscribed to; of its inbox, those that somebody has touched.",
      params: deviceParams,
      answers: { 200: { description: "all of them", schema: switches }, 404: NO_DEVICE },
    },
    async ({ params: { device: id } }) => {
      const device = foundOrThrow(await devices.get(id), id);
      return json(200, { subscriptions: subscriptionsOf(device) });
    },
  );
  const put = route(
    {
      method: "put",
      path: "/v1/devices/{device}/subscriptions/{channel}",
      needs: "device",
      summary: "Set a push switch",
      description:
        "In force at once, also on an open connection, and remembered. Switched on again, a channel begins from then. A device that a client only names by `?device=` has switches, too.",
      params: z.strictObject({ device: deviceId, channel: switchName }),
      body: switchPatch,
      maxBodyBytes: MAX_BODY_BYTES,
      answers: {
        200: { description: "as it is now", schema: pushSwitch },
        404: NO_DEVICE,
        409: { description: "the device has 1,000 already" },
        429: TOO_MANY,
      },
    },
    async ({ params: { device: id, channel }, body = {} }) => {
      const device = await set(devices, id, channel, body);
      return json(200, subscriptionOf(channel, switchOf(device, channel)));
    },
    mayChange,
  );
  return [list, put];
}

/** @throws {Refusal} by rejection. */
async function set(devices: Devices, id: string, channel: string, patch: z.output<typeof switchPatch>) {
  try {
    return await devices.setSwitch(id, channel, patch);
  } catch (error) {
    if (!(error instanceof DeviceRefused)) throw error;
    if (error.code === "unknown_device") throw noDevice(id);
    throw new Refusal(409, error.code, error.message);
  }
}
