/**
 * UnifiedPush: to Android apps, by the distributor that a person has chosen (unifiedpush.org). Since its version 3 it is Web
 * Push; an app of before gives no keys, and is sent the JSON as it is.
 */
import type { Notifier } from "../../hub/notifications/notifier.ts";
import { type SenderPorts, sendMessage } from "./message.ts";

export function unifiedPush(ports: SenderPorts): Notifier {
  return {
    name: "unifiedPush",
    reaches: ({ unifiedPush }) => unifiedPush !== undefined,
    async send({ unifiedPush }, notification, signal) {
      return unifiedPush === undefined ? "gone" : sendMessage(ports, unifiedPush, notification, signal);
    },
  };
}
