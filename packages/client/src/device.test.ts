import { describe, expect, test } from "bun:test";
import type { Publication } from "@carillon/protocol/frames";
import type { DeviceServer } from "./testing/device-app.ts";
import { startDevice } from "./testing/device-app.ts";
import { publication, TIME } from "./testing/fake-server.ts";

const subscribedTo = (server: DeviceServer) => server.asked("subscribe").map(({ channel }) => channel);
const sendTo = (server: DeviceServer, channel: string, ...publications: readonly Publication[]) =>
  server.push(...publications.map((each) => ({ type: "publication", channel, publication: each }) as const));
const withdrawal = (id: string): Publication => ({ id: `w-${id}`, time: TIME, data: null, withdraws: id });

describe("the inbox", () => {
  test("is read while somebody listens: the device's own, its user's and everyone's", async () => {
    const { server, device, told, listen } = startDevice();
    device.carillon.connect();
    await server.settle();
    expect(device.id).toBe("d_1");
    expect(device.inbox).toEqual(["$device/d_1", "$all"]);
    expect(subscribedTo(server)).toEqual([]);
    listen();
    await server.settle();
    expect(subscribedTo(server)).toEqual(["$device/d_1", "$all"]);
    await sendTo(server, "$device/d_1", publication(1));
    await sendTo(server, "$all", publication(1, { id: "a1" }), publication(2, { id: "a2", prev: 0 }));
    expect(told.publication.map(({ channel, id }) => [channel, id])).toEqual([
      ["$device/d_1", "p1"],
      ["$all", "a1"],
      ["$all", "a2"],
    ]);
    await server.pass(1_000);
    expect(server.asked("ack").at(-1)).toMatchObject({
      channel: "$all",
      position: { epoch: "e", offset: [0, 2, 0] },
    });
  });

  test("waits while nobody listens any more", async () => {
    const { server, told, listen } = startDevice();
    const stop = listen();
    await server.settle();
    stop();
    await sendTo(server, "$all", publication(1));
    expect(told.publication).toEqual([]);
    listen();
    await server.settle();
    expect(told.publication).toMatchObject([{ id: "p1", channel: "$all" }]);
  });

  test("a slow listener is waited for; one that fails is told of and counts as handled", async () => {
    const { server, told, listen } = startDevice();
    listen(({ data }) =>
      data === 1
        ? new Promise((done) => server.platform.setTimer(500, () => done(undefined)))
        : Promise.reject(new Error("no")),
    );
    await server.settle();
    await sendTo(server, "$all", publication(1), publication(2), publication(3));
    expect(told.publication).toHaveLength(1);
    await server.pass(500);
    expect(told.publication).toHaveLength(3);
    expect(told.error.map(({ code }) => code)).toEqual(["internal", "internal"]);
  });

  test("by hand: what is not acknowledged by the app is not by the client", async () => {
    const { server, told, listen } = startDevice({ acks: "manual" });
    listen();
    await server.settle();
    await sendTo(server, "$all", publication(1), publication(2));
    await server.pass(2_000);
    const before = server.asked("ack").length;
    told.publication[0]?.ack();
    await server.pass(2_000);
    expect(server.asked("ack").slice(before)).toMatchObject([
      { channel: "$all", position: { offset: [0, 1, 0] } },
    ]);
  });

  test("another user's follows when the device changes hands, and the former one's is forgotten", async () => {
    const { server, store, told, listen } = startDevice();
    server.user = "ann";
    listen();
    await server.settle();
    expect(subscribedTo(server)).toEqual(["$device/d_1", "$user/ann", "$all"]);
    server.user = "bob";
    server.commands.length = 0;
    await server.end(4003, "the device has another user");
    await server.pass(1_000);
    expect(subscribedTo(server).toSorted()).toEqual(["$all", "$device/d_1", "$user/bob"]);
    expect(server.asked("unsubscribe")).toEqual([]);
    await sendTo(server, "$user/bob", publication(1));
    expect(told.publication).toMatchObject([{ channel: "$user/bob" }]);
    await server.pass(1_000);
    expect(store.load("$user/ann")).toBeUndefined();
    expect(told.error).toEqual([]);
  });

  test("something that cannot be had any more is told", async () => {
    const { server, told, listen } = startDevice();
    listen();
    await server.settle();
    const gap = { from: 1, to: 3 };
    await server.push({
      type: "page",
      channel: "$all",
      epoch: "e",
      publications: [],
      to: 3,
      more: false,
      gap,
    });
    expect(told.gap).toEqual([{ channel: "$all", gap }]);
  });
});

describe("what another of the user's devices has handled", () => {
  test("is told, and is no message", async () => {
    const { server, told, listen } = startDevice();
    server.user = "ann";
    listen();
    await server.settle();
    await sendTo(server, "$user/ann", publication(1), withdrawal("p1"));
    expect(told.publication).toHaveLength(1);
    expect(told.withdrawn).toEqual(["p1"]);
  });

  test("is not handed out any more, neither if it waits nor if it comes late", async () => {
    const { server, told, listen } = startDevice();
    server.user = "ann";
    listen(() => new Promise((done) => server.platform.setTimer(500, () => done(undefined))));
    await server.settle();
    await sendTo(server, "$user/ann", publication(1), publication(2), withdrawal("p2"), withdrawal("p3"));
    await sendTo(server, "$user/ann", publication(3), publication(4));
    await server.pass(2_000);
    expect(told.publication.map(({ id }) => id)).toEqual(["p1", "p4"]);
    expect(told.withdrawn).toEqual(["p2", "p3"]);
    expect(server.asked("ack").at(-1)?.position.offset).toEqual([0, 4, 0]);
  });

  test("but not if this one has, too: by returning from its listener, by hand, or by reading", async () => {
    const withdrawOn = "ack";
    const auto = startDevice();
    auto.listen();
    await auto.server.settle();
    await sendTo(auto.server, "$all", publication(1, { withdrawOn }), publication(2, { withdrawOn: "read" }));
    await sendTo(auto.server, "$all", withdrawal("p1"), withdrawal("p2"));
    expect(auto.told.withdrawn).toEqual(["p2"]);

    const { server, told, device, listen } = startDevice({ acks: "manual" });
    listen();
    await server.settle();
    const sent = [1, 2, 3].map((offset) => publication(offset, { withdrawOn }));
    await sendTo(server, "$all", ...sent, publication(4, { withdrawOn: "read" }));
    // This one and those before it.
    told.publication[1]?.ack();
    void device.read({ channel: "$all", id: "p4" });
    await sendTo(server, "$all", ...["p1", "p2", "p3", "p4"].map(withdrawal));
    expect(told.withdrawn).toEqual(["p3"]);
  });

  test("is remembered for as many as may wait, and no more", async () => {
    const { server, told, listen } = startDevice();
    listen();
    await server.settle();
    for (let n = 1; n <= 1_001; n++) await sendTo(server, "$all", withdrawal(`p${n}`));
    await sendTo(server, "$all", publication(1), publication(2));
    expect(told.publication.map(({ id }) => id)).toEqual(["p1"]);
  });
});

describe("push switches", () => {
  test("are told with the subscription, when they are set, and when somebody else sets them", async () => {
    const { server, device, told } = startDevice();
    const news = device.carillon.channel("news");
    server.script.subscribe = ({ channel }) => ({
      type: "subscribed",
      channel,
      position: { epoch: "e", offset: 0 },
      push: false,
    });
    news.subscribe();
    await server.settle();
    expect(device.switchOf("news")).toEqual({ push: false });
    expect(news.state).toBe("live");
    const quietHours = { from: "22:00", to: "07:00" };
    const now = device.switch("news", { push: true, quietHours });
    await server.settle();
    expect(await now).toMatchObject({ push: true, quietHours });
    expect(server.asked("switch")).toMatchObject([{ channel: "news", push: true, quietHours }]);
    await server.push({ type: "switch", channel: "news", push: true, quietHours });
    await server.push({ type: "switch", channel: "news", push: true });
    expect(told.switch).toEqual([
      { channel: "news", push: false },
      { channel: "news", push: true, quietHours },
      { channel: "news", push: true },
    ]);
  });

  test("quiet hours are ended with null, and what the server refuses is told", async () => {
    const { server, device } = startDevice();
    const ended = device.switch("$all", { quietHours: null });
    await server.settle();
    expect(await ended).toMatchObject({ push: true });
    expect(server.asked("switch")).toMatchObject([{ channel: "$all", quietHours: null }]);
    server.script.switch = () => ({ type: "error", code: "forbidden", message: "no" });
    const refused = device.switch("secret", { push: true });
    refused.catch(() => {});
    await server.settle();
    await expect(refused).rejects.toMatchObject({ code: "forbidden" });
  });

  test("off and on again: from then, without asking for what came between", async () => {
    const { server, device } = startDevice();
    const got: unknown[] = [];
    device.carillon.channel("news").on("publication", ({ data }) => got.push(data));
    await server.settle();
    await server.publish(publication(1));
    await server.push({ type: "switch", channel: "news", push: false });
    // 2 to 5 were not for this device.
    await server.push({ type: "switch", channel: "news", push: true });
    await server.page([], 5);
    await server.publish(publication(6));
    expect(got).toEqual([1, 6]);
    expect(server.asked("subscribe")).toHaveLength(1);
    await server.pass(1_000);
    expect(server.asked("ack").at(-1)?.position.offset).toEqual([5, 6, 5]);
  });
});

describe("what the user has read", () => {
  test("in one go is told in one command a channel", async () => {
    const { server, device } = startDevice();
    device.carillon.connect();
    await server.settle();
    const all = Promise.all([
      ...Array.from({ length: 101 }, (_, n) => device.read({ channel: "$all", id: `p${n}` })),
      device.read({ channel: "$device/d_1", id: "x" }),
    ]);
    await server.settle();
    await all;
    expect(server.asked("read").map(({ channel, publications }) => [channel, publications.length])).toEqual([
      ["$all", 100],
      ["$all", 1],
      ["$device/d_1", 1],
    ]);
  });

  test("without a connection is told when there is one, and again if its answer was lost", async () => {
    const { server, device } = startDevice();
    let isTold = false;
    void device.read({ channel: "$all", id: "p1" }).then(() => {
      isTold = true;
    });
    server.script.read = () => undefined;
    device.carillon.connect();
    await server.settle();
    expect(server.asked("read")).toHaveLength(1);
    await server.end();
    expect(isTold).toBe(false);
    delete server.script.read;
    await server.pass(1_000);
    expect(server.asked("read")).toHaveLength(2);
    expect(isTold).toBe(true);
  });

  test("is refused where the server refuses it, and where too much waits", async () => {
    const { server, device } = startDevice();
    const failures: unknown[] = [];
    const read = (id: string) =>
      device.read({ channel: "$all", id }).catch(({ code }) => failures.push(code));
    for (let n = 0; n < 1_001; n++) void read(`p${n}`);
    await server.settle();
    expect(failures).toEqual(["too_many_pending"]);
    server.script.read = () => ({ type: "error", code: "bad_field", message: "no" });
    device.carillon.connect();
    await server.settle();
    expect(failures).toHaveLength(1_001);
    expect(failures.at(-1)).toBe("bad_field");
  });
});

test.each([true, false])("urgent first is asked for where the app wants it: %p", async (urgentFirst) => {
  const { server, device } = startDevice({ urgentFirst });
  device.carillon.connect();
  await server.settle();
  expect(server.asked("connect").map((command) => command.urgentFirst ?? false)).toEqual([urgentFirst]);
});
