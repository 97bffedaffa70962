/** Registered devices of a hub on a virtual clock, and what is sent to them. */
import { expect } from "bun:test";
import { settle, type setUpHub } from "./hub-set-up.ts";
import { connected, type Fields, say } from "./v1-client.ts";

export type Hub = Awaited<ReturnType<typeof setUpHub>>;

export async function register(hub: Hub, fields: Parameters<Hub["devices"]["register"]>[0] = {}) {
  const { device, token } = await hub.devices.register(fields, "admin");
  const text = async () => {
    const access = await hub.devices.kind(token);
    if (typeof access !== "object") throw new Error("its token is good");
    const client = hub.connect({ access, device: device.id });
    await settle();
    return client;
  };
  /** Connects, subscribes to its inbox and to `channels`. */
  const v1 = async (channels: string[] = [], more: Fields = {}) => {
    const client = await connected(hub, { token, ...more });
    const inbox = [`$device/${device.id}`, ...(fields.user ? [`$user/${fields.user}`] : []), "$all"];
    let id = 1;
    await say(
      client,
      ...[...inbox, ...channels].map((channel) => ({ type: "subscribe", id: ++id, channel })),
    );
    return client;
  };
  return { ...device, token, text, v1 };
}

export const frames = (client: { outbound: { frames: readonly string[] } }) =>
  client.outbound.frames.map((frame) => JSON.parse(frame) as Fields);

/** Acknowledges everything up to the top of a channel. */
export async function ackAll(hub: Hub, client: Awaited<ReturnType<typeof connected>>, channel: string) {
  const { epoch, offset } = await hub.engine.top(channel);
  await say(client, { type: "ack", channel, position: { epoch, offset } });
}

/** Sends to somebody; resolves to the publication's id. */
export async function send(hub: Hub, to: string, data: string, more: object = {}): Promise<string> {
  const [result] = await hub.hub.publish([{ to, data, ...more }]);
  await settle();
  return result?.id ?? "";
}

export const funnel = async (hub: Hub, id: string) => {
  hub.clock.advance(1_000);
  await settle();
  const found = await hub.hub.receipts.funnel(id);
  const { recipients, sent, received, read, expired } = found ?? expect.unreachable();
  return { recipients, sent, received, read, expired };
};
