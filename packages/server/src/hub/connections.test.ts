/** Devices with more than one connection, and what they say when they come back: found by `device-day.test.ts`. */
import { describe, expect, test } from "bun:test";
import { ackAll, frames, funnel, type Hub, register, send } from "./testing/device-clients.ts";
import { settle, setUpHub } from "./testing/hub-set-up.ts";
import { connected, received, say } from "./testing/v1-client.ts";

/** Connects once more, and says where it stands in `$all`. */
async function comeBack(hub: Hub, token: string, offset: number | readonly number[]) {
  const client = await connected(hub, { token });
  const { epoch } = await hub.engine.top("$all");
  await say(client, { type: "subscribe", id: 2, channel: "$all", position: { epoch, offset } });
  return client;
}

describe("a device that connects again before its first connection is known to be gone", () => {
  test("is counted once for what it says that it has", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    await phone.v1();
    const id = await send(hub, "everyone", "1");
    await comeBack(hub, phone.token, 1);
    expect(await funnel(hub, id)).toMatchObject({ sent: 1, received: 1 });
  });

  test("is counted once for what it is sent again", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    await phone.text();
    const id = await send(hub, "everyone", "1");
    const again = await phone.text();
    expect(again.outbound.frames).toEqual(["1"]);
    again.session.receive("Heartbeat");
    expect(await funnel(hub, id)).toMatchObject({ sent: 1, received: 1 });
  });

  test("has not received what was for its tags of now, and was not sent to it", async () => {
    const hub = await setUpHub();
    const phone = await register(hub, { tags: ["a"] });
    const client = await phone.v1();
    await phone.v1();
    const before = await send(hub, "tag:a", "1");
    const other = await send(hub, "tag:b", "2");
    await hub.devices.change(phone.id, { tags: ["b"] });
    await ackAll(hub, client, "$all");
    expect(await funnel(hub, before)).toMatchObject({ sent: 1, received: 1 });
    expect(await funnel(hub, other)).toMatchObject({ sent: 0, received: 0 });
  });
});

test("all connections of a device end when it has another user", async () => {
  const hub = await setUpHub();
  const phone = await register(hub, { user: "ann" });
  const clients = [await phone.v1(), await phone.v1(), await phone.text()];
  await hub.devices.change(phone.id, { user: "bob" });
  expect(clients.map(({ outbound }) => outbound.ended)).toEqual([4003, 4003, 4003]);
});

describe("a device that comes back", () => {
  test("begins in each lane where it, or the server, knows more", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const client = await phone.v1();
    await send(hub, "everyone", "1", { urgency: "low" });
    await send(hub, "everyone", "2");
    await send(hub, "everyone", "3", { urgency: "low" });
    const { epoch } = await hub.engine.top("$all");
    await say(client, { type: "ack", channel: "$all", position: { epoch, offset: [0, 2, 1] } });
    client.outbound.terminate();
    expect(received(await comeBack(hub, phone.token, [0, 0, 3]))).toEqual([]);
    await send(hub, "everyone", "4");
    expect(received(await comeBack(hub, phone.token, [0, 0, 0]))).toEqual(["4"]);
  });

  test("while push is off stands where it was told to, and has received nothing by that", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const id = await send(hub, "everyone", "1");
    await hub.devices.setSwitch(phone.id, "$all", { push: false });
    const client = await phone.v1();
    const told = frames(client).find(({ channel }) => channel === "$all");
    expect(told).toMatchObject({ position: { offset: 1 }, push: false });
    await comeBack(hub, phone.token, 1);
    expect(await funnel(hub, id)).toMatchObject({ sent: 0, received: 0 });
  });
});

test("what was written to a plain client before push was off, and before it died, is not received", async () => {
  const hub = await setUpHub();
  const phone = await register(hub);
  const client = await phone.text();
  const id = await send(hub, "everyone", "1");
  await hub.devices.setSwitch(phone.id, "$all", { push: false });
  client.outbound.terminate();
  expect(await funnel(hub, id)).toMatchObject({ sent: 1, received: 0 });
  await hub.devices.setSwitch(phone.id, "$all", { push: true });
  expect((await phone.text()).outbound.frames).toEqual([]);
});

test("of a device that is removed while it is connected, nothing is written any more", async () => {
  const hub = await setUpHub();
  const phone = await register(hub);
  const client = await phone.v1();
  await send(hub, `device:${phone.id}`, "1", { receipts: true });
  await ackAll(hub, client, `$device/${phone.id}`);
  await hub.devices.remove(phone.id);
  hub.clock.advance(2_000);
  await settle();
  expect(await hub.engine.positionsOf(phone.id)).toEqual(new Map());
  expect(await hub.engine.records("receipt-of", "", 10)).toEqual([]);
});

test("what a write under way still brings of a device that was removed meanwhile goes, too", async () => {
  const hub = await setUpHub();
  const phone = await register(hub);
  const client = await phone.v1();
  await send(hub, `device:${phone.id}`, "1", { receipts: true });
  await ackAll(hub, client, `$device/${phone.id}`);
  // The write and the removal meet in every way that turns of the event loop allow.
  for (const turns of Array.from({ length: 12 }, (_, index) => index)) {
    const other = await register(hub);
    const theirs = await other.v1();
    await send(hub, `device:${other.id}`, "1", { receipts: true });
    await ackAll(hub, theirs, `$device/${other.id}`);
    const removed = hub.devices.remove(other.id);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    await hub.hub.flush();
    await removed;
    await hub.hub.flush();
    expect((await hub.engine.positionsOf(other.id)).size).toBe(0);
    const rows = await hub.engine.records("receipt-of", "", 100);
    expect(rows.filter(({ id }) => id.startsWith(other.id))).toEqual([]);
  }
});

test("what is for some takes nothing from others by its collapse key", async () => {
  const hub = await setUpHub();
  const phone = await register(hub, { tags: ["a"] });
  await send(hub, "tag:a", "1", { collapseKey: "k" });
  await send(hub, "tag:a", "2", { collapseKey: "k" });
  await send(hub, "tag:b", "3", { collapseKey: "k" });
  expect(received(await phone.v1())).toEqual(["2"]);
});

test("that a publication is withdrawn is told in quiet hours, too", async () => {
  const hub = await setUpHub();
  const phones = [await register(hub, { user: "ann" }), await register(hub, { user: "ann" })];
  const [one, other] = phones;
  if (!one || !other) return expect.unreachable();
  const first = await one.v1();
  const second = await other.v1();
  const id = await send(hub, "user:ann", "1", { withdrawOn: "ack" });
  await hub.devices.setSwitch(other.id, "$user", { quietHours: { from: "09:00", to: "10:00" } });
  await ackAll(hub, first, "$user/ann");
  await settle();
  expect(frames(second).at(-1)).toMatchObject({ type: "publication", publication: { withdraws: id } });
});
