import { describe, expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { EngineError, type RecordChange } from "../engine/engine.ts";
import { openMemoryEngine } from "../engine/memory.ts";
import { createLog } from "../lib/log.ts";
import { timestampFormat } from "../lib/timestamp.ts";
import { ApiKeys, KeyRefused, type NewApiKey } from "./api-keys.ts";
import { settle } from "./testing/hub-set-up.ts";

type Open = Parameters<typeof ApiKeys.open>;

async function setUp() {
  const clock = new VirtualClock();
  const engine = await openMemoryEngine({ clock, retentionOf: () => ({}) });
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.slice("[2026-11-24 09:30:00] ".length));
  const log = createLog({ format: "pretty", level: "info", clock, timestamp: timestampFormat("UTC"), write });
  /** All that was written, one entry a call. */
  const saves: (readonly RecordChange[])[] = [];
  const state: { fails: boolean; wait: Promise<void> | undefined } = { fails: false, wait: undefined };
  const store: Open[0] = {
    records: (...range) => engine.records(...range),
    async saveRecords(changes) {
      saves.push(changes);
      await state.wait;
      if (state.fails) throw new EngineError("unavailable", "the disk is full");
      await engine.saveRecords(changes);
    },
  };
  const reopen = () => ApiKeys.open(store, { clock, log });
  const recordOf = (id: string) =>
    engine.records("key", "", 10_000).then((all) => all.find((one) => one.id === id));
  return { clock, engine, lines, saves, state, reopen, recordOf, keys: await reopen() };
}

function ask(keys: ApiKeys, token: string): string | undefined {
  const answer = keys.kind(token);
  // Known at once: there is nothing to wait for at every request.
  expect(answer).not.toBeInstanceOf(Promise);
  return typeof answer === "object" && "who" in answer ? answer.who : (answer as string | undefined);
}

const wanted: NewApiKey = { name: "backup script", publish: ["backups/*"], history: ["backups/a"] };

test("a key gives what it names, and nothing else, also after a restart", async () => {
  const { keys, reopen } = await setUp();
  const { key, token } = await keys.create(wanted);
  expect(token).toMatch(/^ck_[A-Za-z0-9]{8}_[\w-]{32}$/);
  expect(token).toStartWith(`ck_${key.id}_`);
  for (const each of [keys, await reopen()]) {
    const access = each.kind(token);
    if (typeof access !== "object" || access instanceof Promise) return expect.unreachable();
    expect([access.who, access.isAdmin, access.expiresAtMs]).toEqual([`key:${key.id}`, false, undefined]);
    expect([access.may("publish", "backups/x"), access.may("publish", "push")]).toEqual([true, false]);
    expect([access.may("history", "backups/a"), access.may("history", "backups/b")]).toEqual([true, false]);
    expect(access.may("subscribe", "backups/a")).toBe(false);
  }
});

test("an admin's key gives everything", async () => {
  const { keys } = await setUp();
  const access = keys.kind((await keys.create({ name: "ops", admin: true })).token);
  if (typeof access !== "object" || access instanceof Promise) return expect.unreachable();
  expect([access.isAdmin, access.may("presence", "anything")]).toEqual([true, true]);
});

test("two keys have nothing in common", async () => {
  const { keys } = await setUp();
  const tokens = await Promise.all(Array.from({ length: 200 }, () => keys.create(wanted)));
  const parts = tokens.flatMap(({ token }) => [token.slice(3, 11), token.slice(12)]);
  expect(new Set(parts.map((part) => part.slice(0, 6))).size).toBe(parts.length);
});

test("what is kept does not let anybody in", async () => {
  const { keys, saves } = await setUp();
  const { key, token } = await keys.create(wanted);
  const written = JSON.stringify(saves);
  expect(written).toContain(key.id);
  expect(written).not.toContain(token.slice(-32));
  const { hash } = JSON.parse(saves[0]?.[0]?.data ?? "");
  expect(hash).toBe(new Bun.CryptoHasher("sha256").update(token.slice(-32)).digest("base64url"));
});

test("no other secret, and no other id, is taken", async () => {
  const { keys } = await setUp();
  const { key, token } = await keys.create(wanted);
  const { token: other } = await keys.create(wanted);
  const flipped = (at: number) => token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
  for (let at = 3; at < token.length; at++) if (at !== 11) expect(ask(keys, flipped(at))).toBe("invalid");
  expect(ask(keys, `ck_${key.id}_${other.slice(-32)}`)).toBe("invalid");
  expect(ask(keys, token)).toBe(`key:${key.id}`);
});

test.each(["", "a.b.c", "ck_", "ck_abcdefgh_", "ck_abc-efgh_", "xk_abcdefgh_", " ck_abcdefgh_"])(
  "%j is no key",
  async (start) => {
    const { keys } = await setUp();
    expect(ask(keys, start)).toBeUndefined();
    expect(ask(keys, start + "A".repeat(31))).toBeUndefined();
    expect(ask(keys, start + "A".repeat(33))).toBeUndefined();
  },
);

test("a key ends when it was said to", async () => {
  const { keys, clock } = await setUp();
  for (const admin of [true, false]) {
    const expiresAtMs = clock.wallMs() + 5_000;
    const { token, key } = await keys.create({ ...wanted, admin, expiresAtMs });
    expect(keys.kind(token)).toMatchObject({ expiresAtMs, isAdmin: admin });
    clock.advance(4_999);
    expect(ask(keys, token)).toBe(`key:${key.id}`);
    clock.advance(1);
    expect(ask(keys, token)).toBe("expired");
    expect(ask(keys, `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`)).toBe("invalid");
  }
});

test("a key that would have ended already is not made", async () => {
  const { keys, clock } = await setUp();
  const expiresAtMs = clock.wallMs();
  await expect(keys.create({ ...wanted, expiresAtMs })).rejects.toBeInstanceOf(KeyRefused);
  expect(keys.list("", 1)).toEqual([]);
});

test("keys are listed by id, in pages, without what would let anybody in", async () => {
  const { keys, clock, reopen } = await setUp();
  const made = [];
  for (const name of ["a", "b", "c"]) made.push((await keys.create({ ...wanted, name })).key);
  made.sort((one, other) => (one.id < other.id ? -1 : 1));
  expect(made[0]).toEqual({
    id: expect.any(String),
    name: expect.any(String),
    publish: ["backups/*"],
    history: ["backups/a"],
    createdAtMs: clock.wallMs(),
  });
  for (const each of [keys, await reopen()]) {
    expect(each.list("", 2)).toEqual(made.slice(0, 2));
    expect(each.list(made[1]?.id ?? "", 2)).toEqual(made.slice(2));
    expect(each.list(made[2]?.id ?? "", 2)).toEqual([]);
  }
});

describe("revoked", () => {
  test("it is refused at once and for good; another stays", async () => {
    const { keys, reopen } = await setUp();
    const [one, other] = [await keys.create(wanted), await keys.create(wanted)];
    const revoking = keys.revoke(one.key.id);
    expect(ask(keys, one.token)).toBe("invalid");
    expect([await revoking, await keys.revoke(one.key.id), await keys.revoke("nothing")]).toEqual([
      true,
      false,
      false,
    ]);
    for (const each of [keys, await reopen()]) {
      expect([ask(each, one.token), ask(each, other.token)]).toEqual(["invalid", `key:${other.key.id}`]);
      expect(each.list("", 10).map(({ id }) => id)).toEqual([other.key.id]);
    }
  });

  test("while its last use is being written, it does not come back", async () => {
    const { keys, recordOf, state } = await setUp();
    const { key, token } = await keys.create(wanted);
    const { key: other, token: others } = await keys.create(wanted);
    // The disk takes its time: both wait behind another write, in either order.
    const disk = Promise.withResolvers<void>();
    state.wait = disk.promise;
    const busy = keys.create(wanted);
    ask(keys, token);
    ask(keys, others);
    const written = [keys.flush(), keys.revoke(key.id)];
    ask(keys, others);
    written.push(keys.revoke(other.id), keys.flush());
    disk.resolve();
    await Promise.all([busy, ...written]);
    expect([await recordOf(key.id), await recordOf(other.id)]).toEqual([undefined, undefined]);
  });

  test("and that could not be written, it is valid as before", async () => {
    const { keys, state } = await setUp();
    const { key, token } = await keys.create(wanted);
    state.fails = true;
    await expect(keys.revoke(key.id)).rejects.toThrow(EngineError);
    expect(ask(keys, token)).toBe(`key:${key.id}`);
    state.fails = false;
    expect(await keys.revoke(key.id)).toBe(true);
    expect(ask(keys, token)).toBe("invalid");
  });
});

test("one that could not be written is none", async () => {
  const { keys, state, reopen } = await setUp();
  state.fails = true;
  await expect(keys.create(wanted)).rejects.toThrow(EngineError);
  state.fails = false;
  for (const each of [keys, await reopen()]) expect(each.list("", 10)).toEqual([]);
});

describe("when it was last used", () => {
  test("is known at once, and written once a minute for all keys", async () => {
    const { keys, clock, saves, reopen } = await setUp();
    const [one, other] = [await keys.create(wanted), await keys.create(wanted)];
    const startMs = clock.wallMs();
    // The engine's own.
    const idle = clock.pendingTimers;
    const used = (of: ApiKeys) =>
      Object.fromEntries(of.list("", 10).map(({ id, lastUsedAtMs }) => [id, lastUsedAtMs]));
    saves.length = 0;
    for (let second = 0; second < 60; second++) {
      ask(keys, one.token);
      clock.advance(1_000);
    }
    expect(saves.map((changes) => changes.map(({ id }) => id))).toEqual([]);
    await settle();
    expect(saves.map((changes) => changes.map(({ id }) => id))).toEqual([[one.key.id]]);
    const expected = { [one.key.id]: startMs + 59_000, [other.key.id]: undefined };
    expect([used(keys), used(await reopen())]).toEqual([expected, expected]);
    // Nobody came: nothing to write.
    clock.advance(3_600_000);
    await settle();
    expect([saves.length, clock.pendingTimers]).toEqual([1, idle]);
    ask(keys, one.token);
    ask(keys, other.token);
    await keys.flush();
    expect(saves[1]).toHaveLength(2);
    expect(clock.pendingTimers).toBe(idle);
    await keys.flush();
    expect(saves).toHaveLength(2);
  });

  test("a guess is no use", async () => {
    const { keys } = await setUp();
    const { key } = await keys.create(wanted);
    ask(keys, `ck_${key.id}_${"A".repeat(32)}`);
    expect(keys.list("", 1)[0]).not.toHaveProperty("lastUsedAtMs");
  });

  test("is written later if the disk cannot take it now, and nobody is kept out for it", async () => {
    const { keys, clock, lines, state, recordOf } = await setUp();
    const { key, token } = await keys.create(wanted);
    state.fails = true;
    expect(ask(keys, token)).toBe(`key:${key.id}`);
    await keys.flush();
    expect(lines).toEqual([
      "WARN When API keys were last used could not be written: EngineError: the disk is full",
    ]);
    const usedAtMs = clock.wallMs();
    state.fails = false;
    clock.advance(60_000);
    await settle();
    expect(JSON.parse((await recordOf(key.id))?.data ?? "")).toMatchObject({ lastUsedAtMs: usedAtMs });
  });
});

test("ten thousand there may be, and they are all there after a restart", async () => {
  const { keys, reopen } = await setUp();
  const made = await Promise.all(Array.from({ length: 10_000 }, () => keys.create(wanted)));
  await expect(keys.create(wanted)).rejects.toMatchObject({ code: "too_many" });
  const again = await reopen();
  for (const { key, token } of made) expect(ask(again, token)).toBe(`key:${key.id}`);
  await keys.revoke(made[0]?.key.id ?? "");
  await keys.create(wanted);
});

test.each([
  ["is no JSON", () => "{"],
  ["has lost its hash", (data: string) => JSON.stringify({ ...JSON.parse(data), hash: undefined })],
  ["has another hash", (data: string) => JSON.stringify({ ...JSON.parse(data), hash: "abc" })],
  [
    "says what only a later version knows",
    (data: string) => JSON.stringify({ ...JSON.parse(data), addresses: [] }),
  ],
])("one that %s is named and refused, and can be revoked; the others are as they were", async (_, spoil) => {
  const { keys, engine, lines, reopen, recordOf } = await setUp();
  const [spoilt, other] = [await keys.create(wanted), await keys.create(wanted)];
  const record = await recordOf(spoilt.key.id);
  if (record === undefined) return expect.unreachable();
  await engine.saveRecords([{ ...record, data: spoil(record.data) }]);
  const again = await reopen();
  expect(lines).toEqual([
    `ERROR The API key ${record.id} cannot be read and is not valid; revoke it and make another`,
  ]);
  expect([ask(again, spoilt.token), ask(again, other.token)]).toEqual(["invalid", `key:${other.key.id}`]);
  expect([await again.revoke(record.id), await again.revoke(record.id)]).toEqual([true, false]);
  expect(await recordOf(record.id)).toBeUndefined();
});
