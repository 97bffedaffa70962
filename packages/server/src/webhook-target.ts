/** Where webhooks go, from the settings. */
import { type Config, ConfigError } from "./config.ts";
import { signingKey } from "./gateway/webhooks/signing.ts";
import type { WebhookTarget } from "./gateway/webhooks/webhooks.ts";

type Settings = Pick<Config, "webhookUrl" | "webhookEvents" | "webhookSecret">;

/**
 * `undefined` when webhooks are off.
 * @throws {ConfigError} if there is no secret to sign them with, or none that can be used. It names neither value.
 */
export function readWebhookTarget(config: Settings): WebhookTarget | undefined {
  const { webhookUrl, webhookEvents: events, webhookSecret: secret } = config;
  if (webhookUrl === "") return undefined;
  if (secret === "")
    throw new ConfigError("--webhook-url needs --webhook-secret, which signs what is posted");
  const url = new URL(webhookUrl);
  const { username, password } = url;
  url.username = "";
  url.password = "";
  const target = { url: url.href, key: keyOf(secret), events };
  return username === "" && password === ""
    ? target
    : { ...target, authorization: basic(username, password) };
}

function keyOf(secret: string): ReturnType<typeof signingKey> {
  try {
    return signingKey(secret);
  } catch (error) {
    throw new ConfigError(`--webhook-secret: ${error instanceof Error ? error.message : error}`);
  }
}

/** RFC 7617. */
function basic(username: string, password: string): string {
  try {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${Buffer.from(credentials, "utf8").toString("base64")}`;
  } catch {
    throw new ConfigError("--webhook-url: the name or the password in it is not well encoded");
  }
}
