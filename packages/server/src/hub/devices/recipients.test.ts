import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { tagTest } from "../tag-expressions.ts";
import { type Device, switchOf } from "./device.ts";
import type { Devices } from "./devices.ts";
import { isRecipient } from "./recipients.ts";
import { begun, settle, setUpDevices } from "./testing/devices-set-up.ts";

type SetUp = ReturnType<typeof setUpDevices>;

async function allOf(
  devices: Devices,
  channel: string,
  target: string | undefined,
  limit: number,
  isReachable = false,
) {
  const ids: string[] = [];
  let after: string | null = "";
  while (after !== null) {
    const page: Awaited<ReturnType<Devices["audience"]>> = await devices.audience(
      channel,
      target,
      after,
      limit,
      isReachable,
    );
    expect(page.devices.length).toBeLessThanOrEqual(limit);
    ids.push(...page.devices.map(({ id }) => id));
    after = page.next;
  }
  return ids;
}

/** Resolves to the count, and how often others had their turn. */
async function counted(
  { devices, clock }: Pick<SetUp, "devices" | "clock">,
  channel: string,
  target?: string,
) {
  let count: number | undefined;
  void devices.countAudience(channel, target).then((found) => {
    count = found;
  });
  for (let turns = 0; ; turns++) {
    await settle();
    if (count !== undefined) return { count, turns };
    expect(clock.pendingTimers).toBeGreaterThan(1);
    clock.advance(0);
  }
}

const TAGS = ["a", "b", "c"];
const CHANNELS = ["news", "chat"];
const EXPRESSIONS = [
  "tag:a",
  "tag:a & tag:b",
  "tag:a | tag:b",
  "!tag:a",
  "tag:b & !tag:c",
  "!(tag:a | tag:b)",
];

const some = <Item>(items: readonly Item[]) => fc.subarray([...items]);
const device = fc.record({
  isRegistered: fc.boolean(),
  user: fc.option(fc.constantFrom("ann", "bob"), { nil: undefined }),
  tags: some(TAGS),
  hasEndpoint: fc.boolean(),
  on: some(CHANNELS),
  off: some(["news", "$device", "$user", "$all"]),
});

function isMeant(device: Device, channel: string, target: string | undefined): boolean {
  if (!switchOf(device, channel).push) return false;
  if (!channel.startsWith("$")) return Object.hasOwn(device.subscriptions, channel);
  if (!device.isRegistered) return false;
  if (channel.startsWith("$device/")) return channel === `$device/${device.id}`;
  if (channel.startsWith("$user/")) return channel === `$user/${device.user}`;
  return target === undefined || tagTest(target)(new Set(device.tags));
}

test("whoever a publication is for is found, and counted, and nobody else", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(device, { maxLength: 12 }),
      fc.integer({ min: 1, max: 5 }),
      async (wanted, limit) => {
        const set = setUpDevices();
        const { devices } = set;
        const made: Device[] = [];
        for (const [index, { isRegistered, user, tags, hasEndpoint, on, off }] of wanted.entries()) {
          const unifiedPush = { endpoint: "https://push.example" };
          const said = {
            tags,
            ...(user !== undefined && { user }),
            ...(hasEndpoint && { unifiedPush }),
          };
          const id = isRegistered ? (await devices.register(said, "admin")).device.id : `phone-${index}`;
          await devices.noteChannels(id, begun(on));
          for (const name of off) await devices.setSwitch(id, name, { push: false });
          const kept = await devices.get(id);
          if (kept !== undefined) made.push(kept);
        }
        const own = made.map(({ id }) => `$device/${id}`);
        const cases: [string, string?][] = [
          ...[...CHANNELS, "$user/ann", "$user/nobody", "$all", "$device/d_x", ...own].map(
            (one): [string] => [one],
          ),
          ...EXPRESSIONS.map((expression): [string, string] => ["$all", expression]),
        ];
        for (const [channel, target] of cases) {
          const meant = made.filter((one) => isMeant(one, channel, target));
          expect(made.filter((one) => isRecipient(one, channel, target))).toEqual(meant);
          const reachable = meant.filter(({ unifiedPush }) => unifiedPush !== undefined).map(({ id }) => id);
          expect((await allOf(devices, channel, target, limit, true)).sort()).toEqual(reachable.sort());
          const expected = meant.map(({ id }) => id);
          expect((await allOf(devices, channel, target, limit)).sort()).toEqual(expected.sort());
          expect((await counted(set, channel, target)).count).toBe(expected.length);
        }
      },
    ),
    { numRuns: 60 },
  );
});

describe("of many", () => {
  test("pages are small, and others have their turn between them", async () => {
    const set = setUpDevices();
    const register = (tags: string[]) => set.devices.register({ tags }, "admin");
    const made = await Promise.all(
      Array.from({ length: 250 }, (_, index) => register(index < 220 ? ["a"] : ["b"])),
    );
    expect((await set.devices.audience("$all", undefined, "", 10_000)).devices).toHaveLength(100);
    expect(await counted(set, "$all", "tag:a | tag:b")).toEqual({ count: 250, turns: 2 });
    // The rarest tag is where to look.
    expect(await counted(set, "$all", "tag:a & !tag:c & tag:b")).toEqual({ count: 0, turns: 0 });
    // These are known.
    expect(await counted(set, "$all")).toEqual({ count: 250, turns: 0 });
    expect(await counted(set, "$all", "tag:a")).toEqual({ count: 220, turns: 0 });
    for (const { device } of made.slice(215, 225))
      await set.devices.setSwitch(device.id, "$all", { push: false });
    expect(await counted(set, "$all")).toEqual({ count: 240, turns: 0 });
    expect(await counted(set, "$all", "tag:a")).toEqual({ count: 215, turns: 0 });
    expect(await counted(set, "$all", "tag:b")).toEqual({ count: 25, turns: 0 });
  });
});
