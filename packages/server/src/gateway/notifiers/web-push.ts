/** Web Push: to browsers, by the push service that a browser has named (RFC 8030, RFC 8291, RFC 8292). */
import type { Notifier } from "../../hub/notifications/notifier.ts";
import { type SenderPorts, sendMessage } from "./message.ts";

export function webPush(ports: SenderPorts): Notifier {
  return {
    name: "webPush",
    reaches: ({ webPush }) => webPush !== undefined,
    async send({ webPush }, notification, signal) {
      return webPush === undefined ? "gone" : sendMessage(ports, webPush, notification, signal);
    },
  };
}
