/** Devices that are connected, away and back, on a virtual clock. */
import { describe, expect, test } from "bun:test";
import { ackAll, frames, funnel, register, send } from "./testing/device-clients.ts";
import { settle, setUpHub } from "./testing/hub-set-up.ts";
import { connected, received, say } from "./testing/v1-client.ts";

describe("an inbox", () => {
  test("is told at connect, and holds what is for the device, its user, its tags and everyone", async () => {
    const hub = await setUpHub();
    const phone = await register(hub, { user: "ann", tags: ["android", "beta"] });
    const tablet = await register(hub, { user: "ann", tags: ["android"] });
    const other = await register(hub, { user: "bob", tags: ["ios"] });
    const clients = [await phone.v1(), await tablet.v1(), await other.v1()];
    const [first] = clients;
    expect(first && frames(first)[0]).toMatchObject({
      type: "connected",
      device: phone.id,
      inbox: [`$device/${phone.id}`, "$user/ann", "$all"],
    });
    await send(hub, `device:${phone.id}`, "device");
    await send(hub, "user:ann", "user");
    await send(hub, "tag:android & tag:beta", "both");
    await send(hub, "tag:android | tag:ios", "either");
    await send(hub, "!tag:beta", "not");
    await send(hub, "everyone", "all");
    expect(clients.map(received)).toEqual([
      ["device", "user", "both", "either", "all"],
      ["user", "either", "not", "all"],
      ["either", "not", "all"],
    ]);
  });

  test("keeps what was sent while the device was away, and before it ever came", async () => {
    const hub = await setUpHub();
    const phone = await register(hub, { user: "ann", tags: ["beta"] });
    await send(hub, `device:${phone.id}`, "1");
    await send(hub, "user:ann", "2");
    await send(hub, "tag:beta", "3");
    await send(hub, "tag:other", "not for it");
    expect(received(await phone.v1())).toEqual(["1", "2", "3"]);
    const text = await register(hub, { user: "ann" });
    await send(hub, `device:${text.id}`, "4");
    await send(hub, "everyone", "5");
    expect((await text.text()).outbound.frames).toEqual(["4", "5"]);
  });

  test("is nobody else's, and cannot be asked for by name", async () => {
    const hub = await setUpHub();
    const phone = await register(hub, { user: "ann" });
    const other = await register(hub, { user: "bob" });
    for (const client of [await connected(hub), await other.v1()]) {
      for (const channel of [`$device/${phone.id}`, "$user/ann"]) {
        const [reply] = await say(client, { type: "subscribe", id: 90, channel });
        expect(reply).toMatchObject({ type: "error", code: "forbidden" });
      }
    }
    const [answer] = await say(await connected(hub), { type: "history", id: 9, channel: "$all" });
    expect(answer).toMatchObject({ code: "invalid_channel" });
  });

  test("one who was let in by another's name, or by no token, is turned away", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const other = await register(hub);
    for (const fields of [{ device: phone.id }, { device: phone.id, token: other.token }]) {
      const client = await connected(hub, fields);
      expect(frames(client)).toMatchObject([{ type: "error", code: "forbidden" }]);
      expect(client.outbound.ended).toBe(4500);
    }
  });
});

describe("a token that is not valid any more", () => {
  test.each(["rotate", "revoke", "remove"] as const)("ends all connections: %s", async (deed) => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const clients = [await phone.v1(), await phone.text()];
    const other = await (await register(hub)).v1();
    await hub.devices[deed](phone.id);
    expect(clients.map(({ outbound }) => outbound.ended)).toEqual([4500, 4500]);
    expect(other.outbound.ended).toBeUndefined();
    expect((await connected(hub, { token: phone.token })).outbound.ended).toBe(4500);
  });
});

describe("what one of a user's devices has", () => {
  test.each(["ack", "read"] as const)("is taken from the others by its %s", async (withdrawOn) => {
    const hub = await setUpHub();
    const phones = [
      await register(hub, { user: "ann" }),
      await register(hub, { user: "ann" }),
      await register(hub, { user: "ann" }),
    ];
    const [one, other, away] = phones;
    if (!one || !other || !away) return expect.unreachable();
    const first = await one.v1();
    const second = await other.v1();
    const text = await other.text();
    const id = await send(hub, "user:ann", "1", { withdrawOn });
    if (withdrawOn === "ack") await ackAll(hub, first, "$user/ann");
    else await say(first, { type: "read", id: 50, channel: "$user/ann", publications: [id] });
    await settle();
    expect(frames(second).at(-1)).toMatchObject({ type: "publication", publication: { withdraws: id } });
    expect(text.outbound.frames).toEqual(["1"]);
    expect(received(await away.v1())).toEqual([]);
    expect(await funnel(hub, id)).toMatchObject({ recipients: 3, sent: 2, expired: 1 });
  });
});

describe("a device that says too much", () => {
  test("is told to wait, and others are not", async () => {
    const hub = await setUpHub();
    const phone = await register(hub);
    const client = await phone.v1(["push"]);
    const other = await (await register(hub)).v1();
    const publications = Array.from({ length: 100 }, (_, index) => `p${index}`);
    const read = { type: "read", id: 90, channel: "$all", publications };
    for (let times = 0; times < 4; times++) await say(client, read);
    for (let turn = 0; turn < 20; turn++) await settle();
    const answers = frames(client).filter(({ id }) => id === 90);
    expect(answers.map(({ type }) => type).sort()).toEqual(["error", "read", "read", "read"]);
    const off = { type: "switch", id: 91, channel: "push", push: false };
    expect(await say(client, off)).toMatchObject([{ type: "error", code: "rate_limited" }]);
    expect(await say(other, { ...read, publications: ["p1"] })).toEqual([{ type: "read", id: 90 }]);
    hub.clock.advance(2_000);
    expect((await say(client, off)).at(-1)).toMatchObject({ type: "switched", push: false });
  });
});

describe("with urgentFirst", () => {
  test("what is urgent in any channel comes first, and each channel in order", async () => {
    const hub = await setUpHub();
    const phone = await register(hub, { grants: { subscribe: ["*"] } });
    (await phone.v1(["a", "b"])).outbound.terminate();
    for (const channel of ["a", "b"]) {
      await hub.publish(`${channel}1`, channel);
      await hub.hub.publish([{ channel, data: `${channel}2!`, urgency: "high" }]);
      await hub.publish(`${channel}3`, channel);
    }
    const client = await phone.v1(["a", "b"], { urgentFirst: true });
    expect(received(client)).toEqual(["a2!", "b2!"]);
    hub.clock.advance(100);
    await settle();
    expect(received(client)).toEqual(["a2!", "b2!", "a1", "a3", "b1", "b3"]);
    await hub.publish("a4", "a");
    expect(received(client).at(-1)).toBe("a4");
  });
});
