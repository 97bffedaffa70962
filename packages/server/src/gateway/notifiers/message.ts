/** One message to a push service, as RFC 8030 has it. */
import { createHash } from "node:crypto";
import type { PushKeys } from "../../hub/devices/device.ts";
import type { Notification } from "../../hub/notifications/notification.ts";
import type { Outcome } from "../../hub/notifications/notifier.ts";
import { encrypt, MAX_BODY_BYTES, MAX_PLAINTEXT_BYTES } from "./encryption.ts";
import type { PushServices } from "./push-services.ts";
import type { Vapid } from "./vapid.ts";

export interface SenderPorts {
  readonly services: Pick<PushServices, "post">;
  readonly vapid: Pick<Vapid, "authorization">;
}

export interface Recipient {
  readonly endpoint: string;
  /** Without, the message goes as it is, and without VAPID, which older distributors' servers take for a wrong password. */
  readonly keys?: PushKeys;
}

/** Sends a notification; one that is too large for the service, without its data. Never rejects. */
export async function sendMessage(
  { services, vapid }: SenderPorts,
  recipient: Recipient,
  notification: Notification,
  signal: AbortSignal,
): Promise<Outcome> {
  const { endpoint, keys } = recipient;
  const text = notification.fitting(keys === undefined ? MAX_BODY_BYTES : MAX_PLAINTEXT_BYTES);
  try {
    const headers = {
      ...headersOf(notification),
      ...(keys === undefined
        ? { "content-type": "application/json" }
        : {
            "content-type": "application/octet-stream",
            "content-encoding": "aes128gcm",
            authorization: await vapid.authorization(new URL(endpoint).origin),
          }),
    };
    const post = (message: string) => {
      const body = keys === undefined ? message : encrypt(message, keys);
      return services.post({ endpoint, headers, body }, signal);
    };
    const outcome = await post(text);
    if (outcome !== "too large") return outcome;
    const { brief } = notification;
    const second = text === brief ? "refused" : await post(brief);
    return second === "too large" ? "refused" : second;
  } catch {
    // The keys are none, or the endpoint: they came from the app.
    return "refused";
  }
}

function headersOf({ ttlSeconds, urgency, collapseKey, publication }: Notification) {
  return {
    ttl: String(ttlSeconds),
    urgency,
    ...(collapseKey !== undefined && { topic: topicOf(publication, collapseKey) }),
  };
}

/**
 * A topic counts for all that an endpoint is sent, a collapse key for its channel and those it is for. 32 characters are the
 * most (RFC 8030 section 5.4), and what they stand for is none of the service's business.
 */
function topicOf({ channel, target = "" }: Notification["publication"], collapseKey: string): string {
  const text = `${channel}\n${target}\n${collapseKey}`;
  return createHash("sha256").update(text).digest("base64url").slice(0, 32);
}
