/** What became of publications, on a virtual clock. */
import { describe, expect, test } from "bun:test";
import { ackAll, frames, funnel, register, send } from "./testing/device-clients.ts";
import { settle, setUpHub } from "./testing/hub-set-up.ts";
import { connected, received, say } from "./testing/v1-client.ts";

describe("receipts", () => {
  test("count whom it was for, sent to, had and read by, each once", async () => {
    const hub = await setUpHub();
    const phones = [await register(hub), await register(hub), await register(hub)];
    const [online, twice, away] = phones;
    if (!online || !twice || !away) return expect.unreachable();
    const one = await online.v1();
    await twice.v1();
    const other = await twice.v1();
    const id = await send(hub, "everyone", "1");
    expect(await funnel(hub, id)).toEqual({ recipients: 3, sent: 2, received: 0, read: 0, expired: 0 });
    await ackAll(hub, one, "$all");
    await ackAll(hub, one, "$all");
    await ackAll(hub, other, "$all");
    expect(await funnel(hub, id)).toEqual({ recipients: 3, sent: 2, received: 2, read: 0, expired: 0 });
    for (const client of [one, one, other]) {
      await say(client, { type: "read", id: 50, channel: "$all", publications: [id] });
    }
    const back = await away.v1();
    await ackAll(hub, back, "$all");
    expect(await funnel(hub, id)).toEqual({ recipients: 3, sent: 3, received: 3, read: 2, expired: 0 });
  });

  test("what is written again after a silent death is not counted again", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    (await phone.v1()).outbound.terminate();
    const id = await send(hub, "everyone", "1");
    (await phone.v1()).outbound.terminate();
    const live = await phone.v1();
    const id2 = await send(hub, "everyone", "2");
    live.outbound.terminate();
    const last = await phone.v1();
    expect(received(last)).toEqual(["1", "2"]);
    await ackAll(hub, last, "$all");
    for (const each of [id, id2]) {
      expect(await funnel(hub, each)).toEqual({ recipients: 1, sent: 1, received: 1, read: 0, expired: 0 });
    }
  });

  test("an ack that did not arrive is made up for by where the client stands", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const client = await phone.v1();
    const id = await send(hub, "everyone", "1");
    client.outbound.terminate();
    const again = await connected(hub, { token: phone.token });
    const { epoch, offset } = await hub.engine.top("$all");
    await say(again, { type: "subscribe", id: 2, channel: "$all", position: { epoch, offset } });
    expect(await funnel(hub, id)).toMatchObject({ sent: 1, received: 1 });
  });

  test("a channel that a device has left has one recipient less, and a switch that was set stays", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const client = await phone.v1(["push"]);
    const count = async () => {
      const [result] = await hub.publish("1");
      return (await funnel(hub, result?.id ?? "")).recipients;
    };
    expect(await count()).toBe(1);
    await say(client, { type: "unsubscribe", id: 9, channel: "push" });
    expect(await count()).toBe(0);
    await say(client, { type: "subscribe", id: 10, channel: "push" });
    expect(await count()).toBe(1);
    await say(client, { type: "switch", id: 11, channel: "push", push: false });
    await say(client, { type: "unsubscribe", id: 12, channel: "push" });
    await say(client, { type: "subscribe", id: 13, channel: "push" });
    expect(frames(client).at(-1)).toMatchObject({ type: "subscribed", push: false });
  });

  test("those whom it can no longer reach are expired", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const other = await (await register(hub)).v1();
    const id = await send(hub, "everyone", "1", { ttl: 60 });
    expect(await funnel(hub, id)).toMatchObject({ recipients: 2, sent: 1, expired: 0 });
    hub.clock.advance(61_000);
    await settle();
    const back = await phone.v1();
    await ackAll(hub, back, "$all");
    await ackAll(hub, other, "$all");
    expect(received(back)).toEqual([]);
    expect(await funnel(hub, id)).toEqual({ recipients: 2, sent: 1, received: 1, read: 0, expired: 1 });
  });

  test("say who has it, for one device or user, or where it was asked", async () => {
    const hub = await setUpHub();
    const phone = await register(hub, { user: "ann" });
    const client = await phone.v1();
    const start = hub.clock.wallMs();
    const own = await send(hub, "user:ann", "1");
    const asked = await send(hub, "everyone", "2", { receipts: true });
    const not = await send(hub, "everyone", "3");
    hub.clock.advance(5_000);
    for (const channel of ["$user/ann", "$all"]) await ackAll(hub, client, channel);
    await funnel(hub, own);
    const times = { device: phone.id, sentMs: start, receivedMs: start + 5_000 };
    for (const id of [own, asked]) expect(await hub.hub.receipts.of(id, "", 10)).toEqual([times]);
    expect(await hub.hub.receipts.of(not, "", 10)).toEqual([]);
  });

  test("a plain client has what was written before its sign of life", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const client = await phone.text();
    const id = await send(hub, `device:${phone.id}`, "1");
    expect(await funnel(hub, id)).toMatchObject({ sent: 1, received: 0 });
    client.session.receive("Heartbeat");
    expect(await funnel(hub, id)).toMatchObject({ sent: 1, received: 1 });
  });

  test("of a publication that nobody was sent, and of none", async () => {
    const hub = await setUpHub();
    const [result] = await hub.publish("1");
    expect(await funnel(hub, result?.id ?? "")).toEqual({
      recipients: 0,
      sent: 0,
      received: 0,
      read: 0,
      expired: 0,
    });
    expect(await hub.hub.receipts.funnel("none")).toBeUndefined();
  });

  test("are forgotten after a month", async () => {
    const hub = await setUpHub();
    await register(hub);
    await send(hub, "everyone", "1");
    hub.clock.advance(1_000);
    await settle();
    expect(await hub.engine.records("receipt", "", 10)).toHaveLength(1);
    hub.clock.advance(29 * 86_400_000);
    await settle();
    expect(await hub.engine.records("receipt", "", 10)).toHaveLength(1);
    for (let hour = 0; hour < 26; hour++) {
      hub.clock.advance(3_600_000);
      await settle();
    }
    expect(await hub.engine.records("receipt", "", 10)).toHaveLength(0);
  });
});
