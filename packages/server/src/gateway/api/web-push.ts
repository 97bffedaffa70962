/** The route by which an app learns what it needs to subscribe to Web Push. */
import { z } from "zod";
import { json, type Route, route } from "./route.ts";

/** `publicKey` is the server's for VAPID, in base64url. */
export function webPushRoutes(publicKey: string): Route[] {
  return [
    route(
      {
        method: "get",
        path: "/v1/web-push",
        needs: "anybody",
        summary: "Web Push key",
        description:
          "The server's public key (RFC 8292), in base64url: `applicationServerKey` of `PushManager.subscribe`. What that returns is a device's `webPush`. It stays the same for as long as `DATA/vapid.json` does.",
        answers: {
          200: {
            description: "the key",
            schema: z.strictObject({ publicKey: z.string() }).meta({ id: "WebPushKey" }),
          },
        },
      },
      () => json(200, { publicKey }),
    ),
  ];
}
