import { expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import fc from "fast-check";
import { EngineError } from "../engine/engine.ts";
import { openMemoryEngine } from "../engine/memory.ts";
import { accessOf } from "./access.ts";
import type { SseInfo } from "./sse-session.ts";
import { admin } from "./testing/defaults.ts";
import { EventSourceParser } from "./testing/event-source.ts";
import { FakeOutbound } from "./testing/fake-outbound.ts";
import { IDLE_TIMEOUT_MS, override, settle, setUpHub } from "./testing/hub-set-up.ts";
import { connected, say } from "./testing/v1-client.ts";

type SetUp = Awaited<ReturnType<typeof setUpHub>>;

let streams = 0;

/** Opens a stream and lets it come to rest. */
async function open({ hub, fanOut }: SetUp, info: Partial<SseInfo> = {}) {
  const outbound = new FakeOutbound();
  fanOut.clients.add(outbound);
  const id = `stream-${++streams}`;
  const session = hub.connectSse({ id, address: "::1", access: admin, channel: "push", ...info }, outbound);
  outbound.onEnd = (code, reason) => {
    fanOut.clients.delete(outbound);
    hub.disconnect(session, code, reason);
  };
  await settle();
  return { session, outbound, seen: () => new EventSourceParser().take(outbound.frames.join("")) };
}

const epochOf = async ({ engine }: SetUp) => (await engine.top("push")).epoch;

/** An engine that keeps the last two publications of each channel. */
const keepsTwo = () => openMemoryEngine({ clock: new VirtualClock(), retentionOf: () => ({ maxCount: 2 }) });

test("without a position it starts from now, and an event's id is the position after it", async () => {
  const hub = await setUpHub();
  await hub.publish("before");
  const { outbound, seen } = await open(hub);
  const epoch = await epochOf(hub);
  expect(outbound.frames).toEqual([`id: ${epoch}:1\n\n`]);
  await hub.publish("hello");
  expect(outbound.frames[1]).toBe(`id: ${epoch}:2\ndata: hello\n\n`);
  expect(seen().events).toEqual([{ type: "message", data: "hello", lastEventId: `${epoch}:2` }]);
});

test("one that is cut off before its first event has a place to come back to", async () => {
  const hub = await setUpHub();
  const first = await open(hub);
  const [epoch, offset] = first.seen().lastEventId.split(":");
  first.outbound.terminate();
  await hub.publish("missed");
  const second = await open(hub, { since: { epoch: epoch ?? "", offset: Number(offset) } });
  expect(second.seen().data()).toEqual(["missed"]);
});

test.each([
  [{ offset: 0 }, ["1", "2", "3"]],
  [{ offset: 2 }, ["3"]],
  [{ offset: 3 }, []],
])("since %j of whatever log there is it gets %j, then what is live", async (since, expected) => {
  const hub = await setUpHub();
  for (const text of ["1", "2", "3"]) await hub.publish(text);
  const { seen } = await open(hub, { since });
  await hub.publish("live");
  expect(seen().data()).toEqual([...expected, "live"]);
  expect(seen().lastEventId).toBe(`${await epochOf(hub)}:4`);
});

test("the last event's id of this log resumes behind it, and no gap is told", async () => {
  const hub = await setUpHub();
  for (const text of ["1", "2", "3"]) await hub.publish(text);
  const { seen } = await open(hub, { since: { epoch: await epochOf(hub), offset: 2 } });
  expect(seen().events.map(({ type, data }) => [type, data])).toEqual([["message", "3"]]);
});

test("one of another log is told so, and gets everything kept", async () => {
  const hub = await setUpHub();
  for (const text of ["1", "2"]) await hub.publish(text);
  const { seen } = await open(hub, { since: { epoch: "another", offset: 2 } });
  expect(seen().events.map(({ type, data }) => [type, data])).toEqual([
    ["gap", '{"reason":"epoch"}'],
    ["message", "1"],
    ["message", "2"],
  ]);
});

test("another log that is empty is told of once: the id that follows is of the new one", async () => {
  const hub = await setUpHub();
  const { seen } = await open(hub, { since: { epoch: "another", offset: 2 } });
  expect(seen().data("gap")).toEqual(['{"reason":"epoch"}']);
  expect(seen().lastEventId).toBe(`${await epochOf(hub)}:0`);
});

test("what retention has dropped is told before what follows it", async () => {
  const hub = await setUpHub(keepsTwo);
  for (const text of ["1", "2", "3", "4", "5"]) await hub.publish(text);
  const { seen } = await open(hub, { since: { offset: 1 } });
  expect(seen().events.map(({ type, data }) => [type, data])).toEqual([
    ["gap", '{"from":2,"to":3}'],
    ["message", "4"],
    ["message", "5"],
  ]);
});

test("with ttl 0 there is no id, and the last one stays", async () => {
  const hub = await setUpHub();
  const { outbound, seen } = await open(hub);
  await hub.publish("kept");
  await hub.hub.publish([{ channel: "push", data: "fleeting", ttl: 0 }]);
  expect(outbound.frames.at(-1)).toBe("data: fleeting\n\n");
  expect(seen().data()).toEqual(["kept", "fleeting"]);
  expect(seen().lastEventId).toBe(`${await epochOf(hub)}:1`);
});

test.each([
  ["", ""],
  [" indented", " indented"],
  ["one\ntwo", "one\ntwo"],
  ["one\r\ntwo\rthree\n", "one\ntwo\nthree\n"],
  ["\n\ndata: forged\n\nid: forged", "\n\ndata: forged\n\nid: forged"],
  [": no comment", ": no comment"],
  ["你好 🎐\u2028", "你好 🎐\u2028"],
])("the text %j arrives as %j, live and caught up", async (text, expected) => {
  const hub = await setUpHub();
  const live = await open(hub);
  await hub.publish(text);
  const late = await open(hub, { since: { offset: 0 } });
  expect([live.seen().data(), late.seen().data()]).toEqual([[expected], [expected]]);
});

test("no text makes more or less than one event", async () => {
  const hub = await setUpHub();
  const { outbound } = await open(hub);
  const piece = fc.constantFrom(
    "\r",
    "\n",
    "\r\n",
    ":",
    "data",
    "id: x",
    "event: y",
    " ",
    "é",
    "\0",
    "retry: 1",
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      const text = pieces.join("");
      await hub.publish(text);
      const { events, retryMs } = new EventSourceParser().take(outbound.frames.at(-1) ?? "");
      expect(events.map(({ type, data }) => [type, data])).toEqual([
        ["message", text.replaceAll(/\r\n|\r/g, "\n")],
      ]);
      expect(retryMs).toBeUndefined();
    }),
  );
});

test("what is no text arrives as JSON, on one line", async () => {
  const hub = await setUpHub();
  const { seen } = await open(hub);
  await hub.hub.publish([{ channel: "push", data: { text: "one\ntwo", n: [1, null] } }]);
  expect(seen().data()).toEqual(['{"text":"one\\ntwo","n":[1,null]}']);
});

test("what is published while it is caught up comes once, in order", async () => {
  const hub = await setUpHub();
  for (let n = 0; n < 1_200; n++) await hub.publish(String(n));
  const opening = open(hub, { since: { offset: 0 } });
  for (let n = 1_200; n < 1_300; n++) await hub.publish(String(n));
  const { seen } = await opening;
  expect(seen().data()).toEqual(Array.from({ length: 1_300 }, (_, n) => String(n)));
});

test("a slow one is sent the next page when it has taken the one before", async () => {
  const hub = await setUpHub();
  for (let n = 0; n < 1_200; n++) await hub.publish(String(n));
  const late = new FakeOutbound();
  late.buffered = 300_000;
  const slow = hub.hub.connectSse(
    { id: "slow", address: "::1", access: admin, channel: "push", since: { offset: 0 } },
    late,
  );
  await settle();
  const messages = () => new EventSourceParser().take(late.frames.join("")).data().length;
  expect(messages()).toBe(500);
  late.buffered = 0;
  slow.drain();
  await settle();
  expect(messages()).toBe(1_200);
});

test("one that ends while it is caught up is sent nothing more and leaves nothing behind", async () => {
  const hub = await setUpHub();
  for (let n = 0; n < 1_200; n++) await hub.publish(String(n));
  const outbound = new FakeOutbound();
  outbound.buffered = 300_000;
  const info = { id: "x", address: "::1", access: admin, channel: "push", since: { offset: 0 } };
  const session = hub.hub.connectSse(info, outbound);
  await settle();
  const sent = outbound.frames.length;
  hub.hub.disconnect(session, 1001, "");
  await settle();
  await hub.publish("more");
  expect(outbound.frames.length).toBe(sent);
  expect(outbound.topics.size).toBe(0);
  expect(hub.hub.subscribersOf("push")).toBe(0);
});

test("one that ends before its channel is open is sent nothing at all", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const hub = await setUpHub((engine) =>
    override(engine, { top: async (channel) => promise.then(() => engine.top(channel)) }),
  );
  const { session, outbound } = await open(hub, { since: { epoch: "another", offset: 1 } });
  hub.hub.disconnect(session, 1001, "");
  resolve();
  await settle();
  expect(outbound.frames).toEqual([]);
});

test("one that cannot be caught up is cut off, so that it comes back and asks again", async () => {
  const hub = await setUpHub((engine) =>
    override(engine, { read: () => Promise.reject(new EngineError("unavailable", "the disk is gone")) }),
  );
  await hub.publish("1");
  const { outbound } = await open(hub, { since: { offset: 0 } });
  expect(outbound.ended).toBe("terminated");
  expect(hub.hub.connections).toBe(0);
});

test("it ends with the access that opened it", async () => {
  const hub = await setUpHub();
  const yes = () => true;
  const grants = { subscribe: yes, publish: yes, history: yes, presence: yes };
  const access = accessOf("jwt:a", grants, hub.clock.wallMs() + 10_000);
  const { outbound } = await open(hub, { access });
  hub.clock.advance(9_000);
  expect(outbound.ended).toBeUndefined();
  hub.clock.advance(2_000);
  expect(outbound.ended).toBe(4002);
});

test("others see it come and go", async () => {
  const hub = await setUpHub();
  const witness = await connected(hub);
  await say(witness, { type: "subscribe", id: 2, channel: "rooms/1" });
  const before = witness.outbound.frames.length;
  const { session, outbound } = await open(hub, { channel: "rooms/1" });
  const [there] = await say(witness, { type: "presence", id: 3, channel: "rooms/1" });
  expect(there).toMatchObject({ count: 2 });
  outbound.terminate();
  const told = witness.outbound.frames.slice(before).map((frame) => JSON.parse(frame));
  const member = { session: session.info.id };
  expect(told.filter(({ type }) => type === "join" || type === "leave")).toEqual([
    { type: "join", channel: "rooms/1", member },
    { type: "leave", channel: "rooms/1", member },
  ]);
});

test("it says nothing itself: one that takes what it is sent stays", async () => {
  const hub = await setUpHub();
  const { outbound } = await open(hub);
  hub.clock.advance(10 * IDLE_TIMEOUT_MS);
  expect(outbound.ended).toBeUndefined();
});

test("one that takes nothing for twice the idle timeout is dropped", async () => {
  const hub = await setUpHub();
  const { outbound } = await open(hub);
  outbound.buffered = 1_000;
  hub.clock.advance(1.9 * IDLE_TIMEOUT_MS);
  expect(outbound.ended).toBeUndefined();
  hub.clock.advance(0.3 * IDLE_TIMEOUT_MS);
  expect(outbound.ended).toBe("terminated");
});

test("one that was behind when it was looked at, and then took everything, stays", async () => {
  const hub = await setUpHub();
  const { session, outbound } = await open(hub);
  outbound.buffered = 1_000;
  hub.clock.advance(1.1 * IDLE_TIMEOUT_MS);
  outbound.buffered = 0;
  session.drain();
  hub.clock.advance(5 * IDLE_TIMEOUT_MS);
  expect(outbound.ended).toBeUndefined();
});
