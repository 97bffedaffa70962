import { describe, expect, test } from "bun:test";
import { EngineError } from "../../engine/engine.ts";
import { type Access, adminAccess } from "../access.ts";
import { mayAnybody, setUpDevices } from "./testing/devices-set-up.ts";

const admin = adminAccess("admin");
const somebody: Access = { who: "key:x", isAdmin: false, may: () => true };

type SetUp = ReturnType<typeof setUpDevices>;

async function letIn({ devices }: Pick<SetUp, "devices">, token: string): Promise<Access> {
  const access = await devices.kind(token);
  if (typeof access !== "object") throw new Error(`not let in: ${access}`);
  return access;
}

test("one that registers is known by what it said, and by its token", async () => {
  const set = setUpDevices();
  const { devices, clock } = set;
  const said = { platform: "android", tags: ["beta"], user: "ann", timeZone: "Europe/Berlin" };
  const { device, token } = await devices.register(said, "admin");
  const nowMs = clock.wallMs();
  expect(device).toEqual({
    ...said,
    id: expect.stringMatching(/^d_[A-Za-z0-9]{20}$/),
    isRegistered: true,
    createdAtMs: nowMs,
    lastSeenMs: nowMs,
    subscriptions: {},
  });
  expect(token).toMatch(new RegExp(`^dk_${device.id.slice(2)}_[\\w-]{32}$`));
  expect(await devices.get(device.id)).toEqual(device);
  const { may: _, ...access } = await letIn(set, token);
  expect(access).toEqual({ who: `device:${device.id}`, device: device.id, isAdmin: false });
});

test("what is kept of it does not let anybody in", async () => {
  const { devices, engine } = setUpDevices();
  const { device, token } = await devices.register({}, "admin");
  const record = JSON.stringify(await engine.record("device", device.id));
  expect(record).not.toContain(token.slice(-32));
  const { hash } = JSON.parse(JSON.parse(record).data);
  expect(await devices.kind(`dk_${device.id.slice(2)}_${hash.slice(0, 32)}`)).toBe("invalid");
  expect(JSON.stringify(await devices.get(device.id))).not.toContain(hash);
});

test("its token may what was granted, or what everybody may", async () => {
  const set = setUpDevices();
  const plain = await letIn(set, (await set.devices.register({}, "anonymous")).token);
  for (const grant of ["subscribe", "publish", "history", "presence"] as const) {
    for (const channel of ["push", "news", "$all"]) {
      expect(plain.may(grant, channel)).toBe(mayAnybody(grant, channel));
    }
  }
  const grants = { subscribe: ["news/*"], publish: ["chat"] };
  const [one, other] = [
    await letIn(set, (await set.devices.register({ grants }, "admin")).token),
    await letIn(set, (await set.devices.register({ grants: { ...grants, publish: [] } }, "admin")).token),
  ];
  expect([one.may("subscribe", "news/a"), one.may("subscribe", "push")]).toEqual([true, false]);
  expect([one.may("publish", "chat"), other.may("publish", "chat")]).toEqual([true, false]);
});

test.each([
  ["another secret", (token: string) => `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`],
  [
    "another device",
    (token: string) => token.replace(/^dk_./, (start) => (start === "dk_A" ? "dk_B" : "dk_A")),
  ],
])("a token of %s is not valid", async (_, change) => {
  const { devices } = setUpDevices();
  const { token } = await devices.register({}, "admin");
  expect(await devices.kind(change(token))).toBe("invalid");
});

test.each(["", "dk_", "ck_abcdefgh_x", "dk_short_secret", `dk_${"a".repeat(20)}_${"b".repeat(33)}`])(
  "%p is no token of a device",
  (token) => expect(setUpDevices().devices.kind(token)).toBeUndefined(),
);

test("a token that cannot be looked at may be good", async () => {
  const { devices, engine, lines } = setUpDevices();
  const { device, token } = await devices.register({}, "admin");
  const record = await engine.record("device", device.id);
  if (record === undefined) return expect.unreachable();
  // Written by a later version: it may say that the token is good for less.
  await engine.saveRecords([{ ...record, data: record.data.replace("{", '{"addresses":[],') }]);
  expect(await devices.kind(token)).toBe("unavailable");
  expect(lines[0]).toContain(device.id);
  expect(lines.join()).not.toContain(token.slice(-32));
  expect(await devices.list({}, "", 10)).toEqual([]);
  await expect(devices.get(device.id)).rejects.toThrow(EngineError);
  await expect(devices.setSwitch(device.id, "news", {})).rejects.toThrow(EngineError);
  expect(await devices.remove(device.id)).toBe(true);
});

describe("rotated and revoked", () => {
  test("the token of before is not valid any more, and everybody hears of it", async () => {
    const { devices, changes } = setUpDevices();
    const { device, token } = await devices.register({}, "admin");
    const second = (await devices.rotate(device.id)) ?? "";
    expect([await devices.kind(token), typeof (await devices.kind(second))]).toEqual(["invalid", "object"]);
    expect(await devices.revoke(device.id)).toBe(true);
    expect(await devices.kind(second)).toBe("invalid");
    // There is none to withdraw.
    expect(await devices.revoke(device.id)).toBe(true);
    const third = (await devices.rotate(device.id)) ?? "";
    expect(typeof (await devices.kind(third))).toBe("object");
    expect(changes.map(({ tokenWithdrawn }) => tokenWithdrawn)).toEqual([false, true, true, false, false]);
    expect(changes.every((change) => change.id === device.id && change.device?.isRegistered)).toBe(true);
    expect(JSON.stringify(changes)).not.toContain('"hash"');
  });

  test("nobody's are none", async () => {
    const { devices, changes } = setUpDevices();
    await devices.setSwitch("phone", "news", { push: false });
    changes.length = 0;
    for (const id of ["phone", "d_nobody"]) {
      expect([await devices.rotate(id), await devices.revoke(id)]).toEqual([undefined, false]);
    }
    expect(changes).toEqual([]);
    expect((await devices.get("phone"))?.isRegistered).toBe(false);
  });

  test("if that cannot be written, the token stays valid", async () => {
    const { devices, state, changes } = setUpDevices();
    const { device, token } = await devices.register({}, "admin");
    state.fails = true;
    await expect(devices.rotate(device.id)).rejects.toThrow(EngineError);
    await expect(devices.revoke(device.id)).rejects.toThrow(EngineError);
    expect(typeof (await devices.kind(token))).toBe("object");
    expect(changes).toHaveLength(1);
  });
});

describe("for whom a connection is", () => {
  test("its token's device, whether it names it or not", async () => {
    const set = setUpDevices();
    const { device, token } = await set.devices.register({}, "admin");
    const access = await letIn(set, token);
    expect(await set.devices.enter(access, undefined)).toEqual(device);
    expect(await set.devices.enter(access, device.id)).toEqual(device);
    expect(await set.devices.enter(access, "phone")).toBe("forbidden");
  });

  test("nobody's who comes with a token that has been withdrawn since it was looked at", async () => {
    const set = setUpDevices();
    const { device, token } = await set.devices.register({}, "admin");
    const access = await letIn(set, token);
    const second = await letIn(set, (await set.devices.rotate(device.id)) ?? "");
    expect(await set.devices.enter(access, undefined)).toBe("forbidden");
    expect(await set.devices.enter(second, undefined)).toEqual(device);
    await set.devices.revoke(device.id);
    expect(await set.devices.enter(second, undefined)).toBe("forbidden");
    const third = await letIn(set, (await set.devices.rotate(device.id)) ?? "");
    await set.devices.remove(device.id);
    expect(await set.devices.enter(third, undefined)).toBe("forbidden");
  });

  test("a registered one is named by admins alone, and trying names tells nothing", async () => {
    const { devices } = setUpDevices();
    const { device } = await devices.register({}, "admin");
    expect(await devices.enter(admin, device.id)).toEqual(device);
    for (const id of [device.id, `d_${"A".repeat(20)}`]) {
      expect(await devices.enter(somebody, id)).toBe("forbidden");
    }
  });

  test("another is made up if nothing is kept of it", async () => {
    const { devices, writes } = setUpDevices();
    const blank = await devices.enter(somebody, "phone");
    expect(blank).toMatchObject({ id: "phone", isRegistered: false, subscriptions: {} });
    expect([writes, await devices.get("phone")]).toEqual([[], undefined]);
    await devices.setSwitch("phone", "news", { push: false });
    expect(await devices.enter(somebody, "phone")).toMatchObject({
      subscriptions: { news: { push: false } },
    });
    expect(await devices.enter(somebody, undefined)).toBeUndefined();
  });
});

describe("changes", () => {
  test("fields are set and removed, and everything else stays", async () => {
    const { devices, changes } = setUpDevices();
    const { device } = await devices.register({ platform: "ios", locale: "de", tags: ["a"] }, "admin");
    await devices.setSwitch(device.id, "news", { push: false });
    const changed = await devices.change(device.id, { locale: undefined, tags: ["b"], appVersion: "2" });
    const { locale: _, ...rest } = device;
    expect(changed).toStrictEqual({
      ...rest,
      tags: ["b"],
      appVersion: "2",
      subscriptions: { news: { push: false } },
    });
    expect(await devices.get(device.id)).toStrictEqual(changed);
    expect(changes.at(-1)).toStrictEqual({ id: device.id, device: changed, tokenWithdrawn: false });
  });

  test("of nobody, and of one that was only named, are none", async () => {
    const { devices } = setUpDevices();
    await devices.setSwitch("phone", "news", { push: false });
    expect([await devices.change("phone", { tags: ["a"] }), await devices.change("d_x", {})]).toEqual([
      undefined,
      undefined,
    ]);
  });

  test("of many at once, none is lost", async () => {
    const { devices } = setUpDevices();
    const { device } = await devices.register({}, "admin");
    const channels = Array.from({ length: 40 }, (_, index) => `c${index}`);
    await Promise.all(channels.map((channel) => devices.setSwitch(device.id, channel, { push: false })));
    expect(Object.keys((await devices.get(device.id))?.subscriptions ?? {})).toEqual(channels);
  });

  test("that another node makes in between are kept", async () => {
    const { devices, engine } = setUpDevices();
    const { device } = await devices.register({}, "admin");
    const changed = devices.change(device.id, { locale: "de" });
    const record = await engine.record("device", device.id);
    if (record === undefined) return expect.unreachable();
    await engine.saveRecords([{ ...record, data: record.data.replace("{", '{"platform":"ios",') }]);
    expect(await changed).toMatchObject({ locale: "de", platform: "ios" });
  });
});

test("they are listed by user and tag, in pages", async () => {
  const { devices } = setUpDevices();
  const made = [];
  for (const [user, tags] of [
    ["ann", ["a", "b"]],
    ["ann", ["b"]],
    ["bob", ["b"]],
    ["ann", ["b", "c"]],
  ] as const) {
    made.push((await devices.register({ user, tags }, "admin")).device);
  }
  made.push(await devices.setSwitch("phone", "news", { push: true }));
  const idsOf = (some: readonly { readonly id: string }[]) => some.map(({ id }) => id).sort();
  const paged = async (filter: Parameters<typeof devices.list>[0]) => {
    const all: string[] = [];
    for (let after = ""; ; ) {
      const page = await devices.list(filter, after, 1);
      if (page.length === 0) return all;
      after = page[0]?.id ?? "";
      all.push(after);
    }
  };
  expect(await paged({})).toEqual(idsOf(made));
  expect(await paged({ user: "ann" })).toEqual(idsOf(made.filter(({ user }) => user === "ann")));
  expect(await paged({ tag: "b" })).toEqual(idsOf(made.slice(0, 4)));
  expect(await devices.list({ user: "nobody" }, "", 10)).toEqual([]);
  expect(idsOf(await devices.list({ user: "ann", tag: "b" }, "", 10))).toEqual(
    idsOf(made.filter(({ user }) => user === "ann")),
  );
});
