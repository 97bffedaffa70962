import { describe, expect, test } from "bun:test";
import { memoryStore, type Store } from "./stores.ts";
import { DeviceServer, startDevice } from "./testing/device-app.ts";
import { FakeApi, identity } from "./testing/fake-api.ts";

const tokens = (server: DeviceServer) => server.asked("connect").map(({ token }) => token);
const subscribedTo = (server: DeviceServer) => server.asked("subscribe").map(({ channel }) => channel);
const profile = { locale: "en-GB", timeZone: "Europe/London" };

describe("registering", () => {
  test("once, with the first connection; what the server gave is kept", async () => {
    const { server, api, store, told, device } = startDevice({
      platform: "web",
      appVersion: "1.2",
      tags: ["beta"],
    });
    await server.settle();
    expect(api.calls).toEqual([]);
    expect(device.id).toBeUndefined();
    device.carillon.connect();
    await server.settle();
    const body = { platform: "web", appVersion: "1.2", tags: ["beta"], ...profile };
    expect(api.calls).toEqual([{ to: "POST https://h/base/v1/devices", authorization: undefined, body }]);
    expect(told.registered).toEqual([identity(1)]);
    expect(device.id).toBe("d_1");
    await server.end();
    await server.pass(1_000);
    expect(tokens(server)).toEqual([identity(1).token, identity(1).token]);
    const next = startDevice({ store, api, platform: "web", appVersion: "1.2", tags: ["beta"] });
    next.device.carillon.connect();
    await next.server.settle();
    expect(tokens(next.server)).toEqual([identity(1).token]);
    expect(api.calls).toHaveLength(1);
    expect(next.told.registered).toEqual([]);
  });

  test("says the machine's locale and time zone, unless the app will not have it", async () => {
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    const { server, api, device } = startDevice({ locale: undefined, timeZone });
    device.carillon.connect();
    await server.settle();
    expect(api.calls[0]?.body).toEqual({ timeZone });
  });

  test.each([
    ["a text", "jwt"],
    ["a function", () => Promise.resolve("jwt")],
  ])("with the right that the app's backend gives: %s", async (_, authorization) => {
    const { server, api, device } = startDevice({ authorization });
    device.carillon.connect();
    await server.settle();
    expect(api.calls[0]?.authorization).toBe("Bearer jwt");
  });

  test("without a network nothing blocks, and it is tried again with every connection, after random pauses", async () => {
    const { server, api, device, told, listen } = startDevice();
    server.accepts = false;
    listen();
    await server.pass(60_000);
    expect(api.calls).toEqual([]);
    server.accepts = true;
    api.script = ["unreachable", [503], [429, { code: "rate_limited", detail: "try again in 3 s" }]];
    const codes: string[] = [];
    device.carillon.on("error", ({ code }) => codes.push(code));
    await server.pass(120_000);
    expect(codes).toEqual(["connection_lost", "internal", "rate_limited"]);
    expect(api.calls).toHaveLength(4);
    expect(device.carillon.state.status).toBe("open");
    expect(told.error).toEqual([]);
  });

  test("once for all that need it at the same time", async () => {
    const { server, api, device } = startDevice();
    api.delay = () => new Promise((done) => server.platform.setTimer(500, () => done()));
    const updated = device.update({ tags: ["beta"] });
    device.carillon.connect();
    await server.pass(2_000);
    await updated;
    expect(api.asked("POST")).toHaveLength(1);
    expect(tokens(server)).toEqual([identity(1).token]);
  });

  test("where it is not allowed it is told, and not tried again until the app says so", async () => {
    const { server, api, device, told } = startDevice();
    api.script = [[403, { code: "forbidden", detail: "registration is closed" }]];
    device.carillon.connect();
    await server.pass(120_000);
    expect(told.error).toMatchObject([{ code: "forbidden", message: "403 registration is closed" }]);
    expect(device.carillon.state).toEqual({ status: "closed" });
    expect(api.calls).toHaveLength(1);
    device.carillon.connect();
    await server.settle();
    expect(device.carillon.state.status).toBe("open");
  });

  test("a store that fails keeps nothing, and the device is one for this life of the app", async () => {
    const fail = () => Promise.reject(new Error("broken"));
    const { server, api, device } = startDevice({ store: { load: fail, save: fail } });
    device.carillon.connect();
    await server.settle();
    await server.end();
    await server.pass(1_000);
    expect(tokens(server)).toEqual([identity(1).token, identity(1).token]);
    expect(api.asked("POST")).toHaveLength(1);
  });

  test.each(["nonsense", "null", "7", '{"id":"d_1"}', '{"token":"dk_1_secret"}'])(
    "a store that holds %s holds nobody",
    async (kept) => {
      const store = memoryStore();
      store.save("$identity", kept);
      const { server, api, device } = startDevice({ store });
      device.carillon.connect();
      await server.settle();
      expect(api.asked("POST")).toHaveLength(1);
      expect(device.carillon.state.status).toBe("open");
    },
  );
});

describe("two pages that share a store", () => {
  /** Two pages that connect at once, and in which order the API answers them. */
  async function two(store: Store, delays: readonly [number, number]) {
    const api = new FakeApi();
    const server = new DeviceServer();
    const waits = [...delays];
    api.delay = () => new Promise((done) => server.platform.setTimer(waits.shift() ?? 0, () => done()));
    const [one, other] = [startDevice({ store, api, server }), startDevice({ store, api, server })];
    one.device.carillon.connect();
    other.device.carillon.connect();
    await server.pass(2_000);
    return { api, one, other, server };
  }

  test.each([
    [100, 200],
    [200, 100],
  ])("are one device, whoever is answered first (%d, %d)", async (first, second) => {
    const { api, one, other, server } = await two(memoryStore(), [first, second]);
    expect(one.device.id).toBe(other.device.id as string);
    expect(new Set(tokens(server)).size).toBe(1);
    expect([...one.told.registered, ...other.told.registered]).toHaveLength(1);
    // The one that nobody uses does not stay.
    const unused = identity(one.device.id === "d_1" ? 2 : 1);
    expect(api.asked("DELETE")).toMatchObject([
      { to: `DELETE https://h/base/v1/devices/${unused.id}`, authorization: `Bearer ${unused.token}` },
    ]);
  });

  test("register one after the other where there are locks, and so once", async () => {
    const { navigator } = globalThis;
    let last: Promise<unknown> = Promise.resolve();
    const names: string[] = [];
    const request = (name: string, run: () => Promise<unknown>) => {
      names.push(name);
      last = last.then(run);
      return last;
    };
    Object.defineProperty(globalThis, "navigator", { value: { locks: { request } }, configurable: true });
    try {
      const { api, one, other } = await two(memoryStore(), [100, 100]);
      expect(api.asked("POST")).toHaveLength(1);
      expect(one.device.id).toBe(other.device.id as string);
      expect(names).toEqual(Array(2).fill("https://h/base/v1/devices"));
    } finally {
      Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
    }
  });
});

describe("a token that the server does not take", () => {
  test("as the app starts, it was away for too long: it registers anew", async () => {
    const { server, store, device } = startDevice();
    device.carillon.connect();
    await server.settle();
    const next = startDevice({ store, api: new FakeApi() });
    next.api.script = [[201, identity(2)]];
    next.server.revoked.add(identity(1).token);
    next.listen();
    next.device.carillon.channel("news").subscribe();
    await next.server.pass(1_000);
    expect(tokens(next.server)).toEqual([identity(1).token, identity(2).token]);
    expect(next.told.registered).toEqual([identity(2)]);
    expect(next.told.revoked).toEqual([]);
    expect(next.device.id).toBe("d_2");
    expect(subscribedTo(next.server).toSorted()).toEqual(["$all", "$device/d_2", "news"]);
  });

  test("nor the one after that: it does not go on for ever", async () => {
    const { server, api, device, told } = startDevice();
    for (let n = 1; n < 9; n++) server.revoked.add(identity(n).token);
    device.carillon.connect();
    await server.pass(120_000);
    expect(api.asked("POST")).toHaveLength(1);
    expect(told.revoked).toEqual([identity(1)]);
  });

  test("unless the app does not want that", async () => {
    const store = memoryStore();
    store.save("$identity", JSON.stringify(identity(1)));
    const { server, api, device, told } = startDevice({ store, reregister: false });
    server.revoked.add(identity(1).token);
    device.carillon.connect();
    await server.pass(120_000);
    expect(api.calls).toEqual([]);
    expect(told.revoked).toEqual([identity(1)]);
    expect(device.carillon.state).toMatchObject({ status: "closed", code: 4500 });
  });

  test("withdrawn while it was in use, it is told; another comes when the app asks for one", async () => {
    const { server, api, device, told, listen } = startDevice();
    listen();
    device.carillon.channel("news").subscribe();
    await server.settle();
    server.revoked.add(identity(1).token);
    await server.end(4500, "the token has been withdrawn");
    await server.pass(120_000);
    expect(told.revoked).toEqual([identity(1)]);
    expect(api.asked("POST")).toHaveLength(1);
    await device.register();
    await server.pass(1_000);
    expect(told.registered).toEqual([identity(1), identity(2)]);
    expect(device.id).toBe("d_2");
    expect(device.carillon.state.status).toBe("open");
    expect(subscribedTo(server).slice(3).toSorted()).toEqual(["$all", "$device/d_2", "news"]);
  });

  test("or when a backend has rotated it, and hands it over", async () => {
    const { server, api, device, told, store, listen } = startDevice();
    listen();
    device.carillon.channel("news").subscribe();
    await server.settle();
    server.revoked.add(identity(1).token);
    await server.end(4500, "the token has been withdrawn");
    const rotated = { id: "d_1", token: "dk_1_rotated" };
    await device.use(rotated);
    await server.pass(1_000);
    expect(tokens(server).at(-1)).toBe("dk_1_rotated");
    expect(api.asked("POST")).toHaveLength(1);
    expect(told.revoked).toHaveLength(1);
    expect(JSON.parse((await store.load("$identity")) ?? "")).toMatchObject(rotated);
    expect(subscribedTo(server).slice(3).toSorted()).toEqual(["$all", "$device/d_1", "news"]);
  });

  test("while another page has got a new one already: that is taken", async () => {
    const { server, device, told, store } = startDevice();
    device.carillon.connect();
    await server.settle();
    store.save("$identity", JSON.stringify(identity(7)));
    server.revoked.add(identity(1).token);
    await server.end(4500, "the token has been withdrawn");
    await server.pass(1_000);
    expect(tokens(server).at(-1)).toBe(identity(7).token);
    expect(device.id).toBe("d_7");
    expect(told.revoked).toEqual([]);
  });

  test("a connection that an operator has ended is no matter of the token", async () => {
    const { server, device, told } = startDevice();
    device.carillon.connect();
    await server.settle();
    await server.end(4501, "an operator has ended it");
    await server.pass(1_000);
    expect(told.revoked).toEqual([]);
    expect(device.carillon.state).toMatchObject({ status: "closed", code: 4501 });
  });
});

describe("what the server knows of the device", () => {
  test("follows it into another time zone, once", async () => {
    const first = startDevice({ tags: ["beta"] });
    first.device.carillon.connect();
    await first.server.settle();
    expect(first.api.asked("PATCH")).toEqual([]);
    const next = startDevice({ store: first.store, tags: ["beta"], timeZone: "Asia/Tokyo" });
    next.api.script = [[503]];
    next.device.carillon.connect();
    await next.server.settle();
    await next.server.end();
    await next.server.pass(1_000);
    await next.server.end();
    await next.server.pass(1_000);
    const call = {
      to: "PATCH https://h/base/v1/devices/d_1",
      authorization: `Bearer ${identity(1).token}`,
      body: { ...profile, tags: ["beta"], timeZone: "Asia/Tokyo" },
    };
    expect(next.api.calls).toEqual([call, call]);
  });

  test("is told, and changed by the app, which may have to register first", async () => {
    const { server, api, device } = startDevice();
    const webPush = { endpoint: "https://push.example/1", keys: { p256dh: "p", auth: "a" } };
    await device.update({ webPush, tags: null });
    expect(api.calls.map(({ to }) => to)).toEqual([
      "POST https://h/base/v1/devices",
      "PATCH https://h/base/v1/devices/d_1",
    ]);
    expect(api.calls[1]?.body).toEqual({ webPush, tags: null });
    api.script = [[200, { id: "d_1", user: "ann" }]];
    expect(await device.info()).toMatchObject({ user: "ann" });
    expect(api.calls[2]).toEqual({
      to: "GET https://h/base/v1/devices/d_1",
      authorization: `Bearer ${identity(1).token}`,
      body: null,
    });
    api.script = [[400, { code: "bad_field", detail: "tags: at most 16" }]];
    await expect(device.update({ tags: Array(17).fill("x") })).rejects.toMatchObject({
      code: "bad_field",
      message: "400 tags: at most 16",
    });
    await server.settle();
  });

  test("is deleted, and forgotten here as well; the next connection makes another device", async () => {
    const { server, api, device, store, told, listen } = startDevice();
    listen();
    await server.settle();
    const removed = device.remove();
    await server.settle();
    await removed;
    expect(api.calls.at(-1)).toMatchObject({
      to: "DELETE https://h/base/v1/devices/d_1",
      authorization: `Bearer ${identity(1).token}`,
    });
    expect(device.carillon.state).toEqual({ status: "closed" });
    for (const key of ["$identity", "$device/d_1", "$all"]) expect(store.load(key)).toBeUndefined();
    device.carillon.connect();
    await server.settle();
    expect(told.registered).toEqual([identity(1), identity(2)]);
    expect(subscribedTo(server).slice(2).toSorted()).toEqual(["$all", "$device/d_2"]);
    expect(told.revoked).toEqual([]);
  });

  test("cannot be deleted without the server", async () => {
    const { server, api, device, store } = startDevice();
    device.carillon.connect();
    await server.settle();
    api.script = ["unreachable"];
    await expect(device.remove()).rejects.toMatchObject({ code: "connection_lost" });
    expect(store.load("$identity")).toBeDefined();
  });
});
