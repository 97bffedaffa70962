import { expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { identify } from "./testing/vapid-check.ts";
import { newVapidKeys, Vapid } from "./vapid.ts";

const ORIGIN = "https://push.example.net";

async function setUp(contact = "mailto:ops@example.com") {
  const clock = new VirtualClock();
  const keys = await newVapidKeys();
  const vapid = await Vapid.open(keys, contact, clock);
  return {
    clock,
    keys,
    vapid,
    identified: (header: string, origin = ORIGIN) => identify(header, origin, clock.wallMs()),
  };
}

test("the header of RFC 8292: a token for the push service, signed, half a day valid, with a contact", async () => {
  const { clock, vapid, identified } = await setUp();
  const header = await vapid.authorization(ORIGIN);
  expect(header).toMatch(/^vapid t=[\w-]+\.[\w-]+\.[\w-]+, k=B[\w-]{86}$/);
  expect(await identified(header)).toEqual({
    aud: ORIGIN,
    exp: clock.wallMs() / 1_000 + 12 * 3_600,
    sub: "mailto:ops@example.com",
    key: vapid.publicKey,
  });
});

test("without a contact there is none", async () => {
  const { vapid, identified } = await setUp("");
  expect((await identified(await vapid.authorization(ORIGIN))).sub).toBeUndefined();
});

test("a token is used again for six hours, for its push service alone", async () => {
  const { clock, vapid, identified } = await setUp();
  const first = await vapid.authorization(ORIGIN);
  const other = await vapid.authorization("https://other.example");
  expect((await identified(other, "https://other.example")).aud).toBe("https://other.example");
  clock.advance(6 * 3_600_000 - 1);
  expect(await vapid.authorization(ORIGIN)).toBe(first);
  clock.advance(1);
  const next = await vapid.authorization(ORIGIN);
  expect(next).not.toBe(first);
  await identified(next);
});

test("after a clock that was set back no token lasts longer than a day", async () => {
  const { clock, vapid, identified } = await setUp();
  await vapid.authorization(ORIGIN);
  clock.jumpWall(-86_400_000);
  await identified(await vapid.authorization(ORIGIN));
});

test("the key is the same at the next start", async () => {
  const { clock, keys, vapid } = await setUp();
  expect((await Vapid.open({ ...keys }, "", clock)).publicKey).toBe(vapid.publicKey);
  expect((await Vapid.open(await newVapidKeys(), "", clock)).publicKey).not.toBe(vapid.publicKey);
});

test("the tests' own check refuses what is not as the RFC has it", async () => {
  const { clock, vapid, identified } = await setUp();
  const other = await Vapid.open(await newVapidKeys(), "", clock);
  const header = await vapid.authorization(ORIGIN);
  const [, token = ""] = /t=([^,]+)/.exec(header) ?? [];
  for (const wrong of [
    "",
    header.replace("vapid ", "WebPush "),
    header.replace(vapid.publicKey, other.publicKey),
    header.replace(token, `${token.split(".").slice(0, 2).join(".")}.AAAA`),
    `vapid t=${token}`,
  ]) {
    await expect(identified(wrong)).rejects.toThrow();
  }
  await expect(identified(header, "https://other.example")).rejects.toThrow("aud");
  clock.advance(12 * 3_600_000);
  await expect(identified(header)).rejects.toThrow("exp");
});
