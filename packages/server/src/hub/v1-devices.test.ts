import { expect, test } from "bun:test";
import { settle, setUpHub } from "./testing/hub-set-up.ts";
import { connected, received, say } from "./testing/v1-client.ts";

test("a device's acks are kept on the server: it goes on where it was", async () => {
  const hub = await setUpHub();
  for (const data of ["1", "2", "3"]) await hub.publish(data);
  const { epoch } = await hub.engine.top("push");
  const before = await connected(hub, { device: "phone" });
  await say(before, { type: "subscribe", id: 2, channel: "push", position: { epoch, offset: 0 } });
  await say(before, { type: "ack", channel: "push", position: { epoch, offset: 2 } });
  before.outbound.terminate();
  hub.clock.advance(1_000);
  await settle();
  const after = await connected(hub, { device: "phone" });
  const [reply] = await say(after, { type: "subscribe", id: 2, channel: "push" });
  expect(reply).toMatchObject({ type: "subscribed", from: { epoch, offset: 2 } });
  expect(received(after)).toEqual(["3"]);
});

test("off, then on again on a new connection, starts from then, for a device too", async () => {
  const hub = await setUpHub();
  const device = { device: "phone" };
  const first = await connected(hub, device);
  await say(first, { type: "subscribe", id: 2, channel: "push" });
  await hub.publish("1");
  await say(first, { type: "unsubscribe", id: 3, channel: "push" });
  first.outbound.terminate();
  await hub.publish("2");
  for (const waitMs of [0, 2_000]) {
    hub.clock.advance(waitMs);
    await settle();
    const again = await connected(hub, device);
    await say(again, { type: "subscribe", id: 2, channel: "push" });
    expect(received(again)).toEqual([]);
    again.outbound.terminate();
  }
});

test("a kept position ahead of its log does not lock the device out", async () => {
  const hub = await setUpHub();
  await hub.publish("1");
  const { epoch } = await hub.engine.top("push");
  await hub.engine.savePositions([
    { device: "phone", channel: "push", position: { epoch, offsets: [9, 9, 9] } },
  ]);
  const client = await connected(hub, { device: "phone" });
  const [reply] = await say(client, {
    type: "subscribe",
    id: 2,
    channel: "push",
    position: { epoch, offset: 0 },
  });
  expect(reply).toMatchObject({ type: "subscribed" });
  expect(received(client)).toEqual(["1"]);
});
