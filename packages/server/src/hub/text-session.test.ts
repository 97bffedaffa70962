import { expect, test } from "bun:test";
import { settle, setUpHub } from "./testing/hub-set-up.ts";

test("a text client with a device gets what it missed since its last sign of life", async () => {
  const hub = await setUpHub();
  const first = hub.connect({ device: "phone" });
  await settle();
  await hub.publish("1");
  first.session.receive("Heartbeat");
  await hub.publish("2");
  first.outbound.terminate();
  await hub.publish("3");
  const second = hub.connect({ device: "phone" });
  await settle();
  expect(second.outbound.frames).toEqual(["2", "3"]);
  second.outbound.close(1000, "");
  const third = hub.connect({ device: "phone" });
  await settle();
  expect(third.outbound.frames).toEqual([]);
});

test.each([
  [{ offset: 0 }, ["1", "2"]],
  [{ offset: 1 }, ["2"]],
  [{ offset: 2 }, []],
  [{ offset: 99 }, ["1", "2"]],
  [{ epoch: "other", offset: 1 }, ["1", "2"]],
])("a text client since %j gets %j", async (since, expected) => {
  const hub = await setUpHub();
  await hub.publish("1");
  await hub.publish("2");
  const client = hub.connect({ since });
  await settle();
  await hub.publish("3");
  expect(client.outbound.frames).toEqual([...expected, "3"]);
});

test("push off sticks to a device, and on again starts from then", async () => {
  const hub = await setUpHub();
  const first = hub.connect({ device: "phone" });
  await settle();
  await hub.publish("1");
  first.session.receive("unsubscribe");
  await hub.publish("2");
  first.outbound.terminate();
  const second = hub.connect({ device: "phone" });
  await settle();
  await hub.publish("3");
  second.session.receive("subscribe");
  await hub.publish("4");
  expect(second.outbound.frames).toEqual(["4"]);
});

test("saying subscribe while it is being caught up skips nothing", async () => {
  const hub = await setUpHub();
  for (const text of ["1", "2", "3"]) await hub.publish(text);
  const client = hub.connect({ since: { offset: 0 } });
  client.session.receive("subscribe");
  await settle();
  await hub.publish("4");
  expect(client.outbound.frames).toEqual(["1", "2", "3", "4"]);
});
