/** Publishing to somebody: to one device, a user's, those with certain tags, or everybody. */
import { z } from "zod";
import type { Devices } from "../../hub/devices/devices.ts";
import { type Target, targetText } from "../../hub/targets.ts";
import { deviceParams, NO_DEVICE, notRegistered } from "./device-view.ts";
import { type PublishingPorts, publish, saidIn } from "./publishing.ts";
import { Refusal, type Route, route } from "./route.ts";
import {
  deliveryOptions,
  jsonData,
  newMessage,
  once,
  published,
  publishHeaders,
  scheduled,
} from "./schemas.ts";
import { mayPublishTo, targetField, targetOf } from "./targets.ts";

const targeted = z
  .strictObject({
    to: targetField,
    data: jsonData,
    ...deliveryOptions,
    ...once,
    withdrawOn: z.enum(["ack", "read"]).optional().meta({
      description:
        "to a user only: once one of the devices has it, or its app says that it was read, the others do not get it",
    }),
    receipts: z
      .literal(true)
      .optional()
      .meta({ description: "keep which devices have it; to a device or a user that is always kept" }),
  })
  .meta({ id: "TargetedMessage" });

const publishedTo = published
  .extend({ channel: z.string(), to: targetField.optional() })
  .meta({ id: "PublishedTo" });

const answers = {
  201: { description: "published", schema: publishedTo },
  202: { description: "scheduled, as `at` or `delay` was given", schema: scheduled },
  413: { description: "the data is over 60 KB" },
  429: { description: "too many publications a second; see Retry-After" },
};

export function targetedRoutes({
  devices,
  ...ports
}: PublishingPorts & { readonly devices: Devices }): Route[] {
  /** Nobody would ever read it. */
  const checkDevice = async (target: Target) => {
    if (target.kind !== "device" || (await devices.get(target.id))?.isRegistered === true) return;
    throw notRegistered(target.id);
  };
  const toDevice = route(
    {
      method: "post",
      path: "/v1/devices/{device}/messages",
      needs: "publish",
      summary: "Push to a device",
      description:
        "To its own inbox, where it waits until the device comes. It takes an admin, or a grant to publish in `$device/ID`.",
      params: deviceParams,
      headers: publishHeaders,
      body: newMessage,
      rawBody: { kind: "text", description: "the text to publish" },
      answers: { ...answers, 404: { description: "no device of this id is registered" } },
    },
    async ({ access, params: { device: id }, headers, body, raw }) => {
      const target = { kind: "device", id } as const;
      await checkDevice(target);
      return publish(ports, access, target, saidIn(headers, body, raw));
    },
  );
  const to = route(
    {
      method: "post",
      path: "/v1/messages",
      needs: "token",
      summary: "Push to a device, a user, tags or everyone",
      description:
        "As a channel's, with `to`. It takes an admin, or a grant to publish where that is written: `$device/ID`, `$user/ID`, `$all` for tags and everyone, or the channel.",
      body: targeted,
      answers: { ...answers, 404: NO_DEVICE },
    },
    async ({ access, body }) => {
      if (body === undefined) throw new Error("only JSON is taken");
      const { to, ...said } = body;
      const target = targetOf(to);
      if (!mayPublishTo(access, target)) {
        throw new Refusal(403, "forbidden", `this token has no grant to publish to ${targetText(target)}`);
      }
      if (said.withdrawOn !== undefined && target.kind !== "user") {
        throw new Refusal(
          400,
          "bad_field",
          "withdrawOn: only what is to a user is withdrawn from other devices",
        );
      }
      await checkDevice(target);
      return publish(ports, access, target, said);
    },
  );
  return [toDevice, to];
}
