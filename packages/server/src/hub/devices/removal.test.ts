import { expect, test } from "bun:test";
import { EngineError, type KeptRecord, type RecordChange } from "../../engine/engine.ts";
import { begun, setUpDevices } from "./testing/devices-set-up.ts";

const receipt = (id: string, publication: string): RecordChange => {
  return { kind: "receipt-of", id: `${id} ${publication}`, data: '{"readMs":1}' };
};

async function setUp(receipts: number) {
  const set = setUpDevices();
  const { engine, devices, publish } = set;
  const { device, token } = await devices.register({ user: "ann" }, "key:backend");
  const { id } = device;
  const other = (await devices.register({ user: "ann" }, "admin")).device;
  for (const of of [id, other.id]) {
    await devices.noteChannels(of, begun(["news"]));
    for (let count = 0; count < 3; count++) await publish(`$device/${of}`);
  }
  await publish("$user/ann");
  const names = Array.from({ length: receipts }, (_, index) => `p${index}`);
  await engine.saveRecords([...names, "x"].flatMap((name) => [receipt(other.id, name), receipt(id, name)]));
  set.changes.length = 0;
  return { ...set, id, token, other: other.id };
}

/** What the engine holds of a device. */
async function heldOf({ engine }: Pick<ReturnType<typeof setUpDevices>, "engine">, id: string) {
  const receipts = await engine.records("receipt-of", `${id} `, 10_000);
  return {
    isKnown: (await engine.record("device", id)) !== undefined,
    positions: [...(await engine.positionsOf(id)).keys()].sort(),
    messages: (await engine.channel(`$device/${id}`))?.count ?? 0,
    receipts: receipts.filter((one: KeptRecord) => one.id.startsWith(`${id} `)).length,
  };
}

test.each([0, 499, 500, 1_200])(
  "all that is kept of it goes, %d receipts too, and nothing of others",
  async (receipts) => {
    const set = await setUp(receipts);
    const { devices, id, other, changes, token } = set;
    const before = await heldOf(set, other);
    expect(before).toEqual({
      isKnown: true,
      positions: ["$all", "$user/ann", "news"],
      messages: 3,
      receipts: receipts + 1,
    });
    expect(await heldOf(set, id)).toEqual(before);
    expect(await devices.remove(id)).toBe(true);
    expect(await heldOf(set, id)).toEqual({ isKnown: false, positions: [], messages: 0, receipts: 0 });
    expect(await heldOf(set, other)).toEqual(before);
    expect(changes).toEqual([{ id, device: undefined, tokenWithdrawn: true }]);
    expect(await devices.kind(token)).toBe("invalid");
    expect([await devices.get(id), await devices.remove(id), await devices.export(id)]).toEqual([
      undefined,
      false,
      undefined,
    ]);
    expect((await devices.list({ user: "ann" }, "", 10)).map((one) => one.id)).toEqual([other]);
    expect(await devices.countAudience("news", undefined)).toBe(1);
  },
);

test("one that cannot be removed now is there as before", async () => {
  const set = await setUp(0);
  const before = await heldOf(set, set.id);
  set.state.fails = true;
  await expect(set.devices.remove(set.id)).rejects.toThrow(EngineError);
  expect([await heldOf(set, set.id), set.changes]).toEqual([before, []]);
});

test.each([3, 1_200])("what is exported is all of it: %d receipts", async (receipts) => {
  const set = await setUp(receipts);
  const { devices, id, publish } = set;
  for (let count = 0; count < 1_100; count++) await publish(`$device/${id}`);
  const exported = await devices.export(id);
  if (exported === undefined) return expect.unreachable();
  const listed = async <Item>(pages: AsyncGenerator<readonly Item[]>) => {
    const all: Item[] = [];
    for await (const page of pages) {
      expect(page.length).toBeLessThanOrEqual(500);
      all.push(...page);
    }
    return all;
  };
  expect(exported.device).toEqual((await devices.get(id)) ?? expect.unreachable());
  expect(JSON.stringify(exported.device)).not.toContain("hash");
  expect([exported.registeredBy, [...exported.positions.keys()].sort()]).toEqual([
    "key:backend",
    ["$all", "$user/ann", "news"],
  ]);
  expect((await listed(exported.messages())).map(({ offset }) => offset)).toEqual(
    Array.from({ length: 1_103 }, (_, index) => index + 1),
  );
  expect(new Set((await listed(exported.receipts())).map((one) => one.id)).size).toBe(receipts + 1);
});
