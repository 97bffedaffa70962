/** What the hub counts for those who watch the server. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { ADMIN_KEY, type FakeClient, IDLE_TIMEOUT_MS, settle, setUpHub } from "./testing/hub-set-up.ts";

const MB = 1024 * 1024;
type Counter = { get(): Promise<{ values: { labels: object; value: number }[] }> };

const figure = async (counter: Counter) => (await counter.get()).values[0]?.value ?? 0;
const byLabel = async (counter: Counter) =>
  Object.fromEntries(
    (await counter.get()).values.map(({ labels, value }) => [Object.values(labels)[0], value]),
  );

test("after N publishes to M clients, publications and deliveries are exactly so many", async () => {
  const { connect, publish, metrics } = await setUpHub();
  for (let client = 0; client < 3; client++) connect();
  connect({ channels: ["other"] }).session.receive("unsubscribe");
  for (let sent = 0; sent < 7; sent++) await publish("x");
  await publish("x", "other");
  expect(await figure(metrics.publications)).toBe(8);
  expect(await figure(metrics.deliveries)).toBe(21);
  const { values } = await metrics.deliverySeconds.get();
  expect(values.find(({ metricName }) => metricName?.endsWith("_count"))?.value).toBe(8);
});

test("connections, subscriptions and channels are those there are, whoever comes and goes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(5), fc.nat(3)), { maxLength: 40 }), async (steps) => {
      const { hub, connect, connectV1 } = await setUpHub();
      const open: FakeClient[] = [];
      for (const [what, which] of steps) {
        const client = open[which % Math.max(open.length, 1)];
        const v1 = (command: object) => client?.session.receive(JSON.stringify({ id: 9, ...command }));
        if (what === 0) open.push(connect({ channels: ["a", "b", `c${which}`] }));
        else if (what === 1) {
          open.push(connectV1());
          open.at(-1)?.session.receive('{"type":"connect","id":1}');
        } else if (what === 2 && client?.session.protocol === "v1") {
          v1({ type: "subscribe", channel: "push", position: { epoch: "x", offset: 0 } });
        } else if (what === 3 && client?.session.protocol === "v1") {
          v1({ type: "unsubscribe", channel: "push" });
        } else if (what === 4 && client !== undefined) {
          client.outbound.close(1000, "");
          open.splice(open.indexOf(client), 1);
        }
        await settle();
        const of = (protocol: string) => open.filter(({ session }) => session.protocol === protocol).length;
        const channels = open.flatMap(({ session }) => session.channels);
        expect(hub.figures).toEqual({
          connections: { text: of("text"), v1: of("v1"), sse: 0 },
          subscriptions: channels.length,
          watchedChannels: new Set(channels).size,
          devices: 0,
        });
      }
    }),
    { numRuns: 50 },
  );
});

test("publications over their rate are counted, however they come", async () => {
  const { hub, connectV1, metrics, limits } = await setUpHub();
  limits.maxPublishesPerSecond = 1;
  const { session, outbound } = connectV1();
  session.receive(JSON.stringify({ type: "connect", id: 1, token: ADMIN_KEY }));
  for (let id = 2; id < 7; id++) {
    session.receive(JSON.stringify({ type: "publish", id, channel: "push", data: "x" }));
  }
  await settle();
  const refused = outbound.frames.filter((frame) => frame.includes('"rate_limited"')).length;
  expect(refused).toBeGreaterThan(0);
  expect(hub.takePublishes("admin", 1)).toBeGreaterThan(0);
  expect(await byLabel(metrics.refused)).toEqual({ rate_limited: refused + 1 });
});

test("close codes that a client makes up share one label", async () => {
  const { connect, metrics } = await setUpHub();
  for (const code of [1000, 1001, 1002, 1005, 1006, 4000, 4501]) connect().outbound.close(code, "");
  for (let code = 3_000; code < 4_000; code++) connect().outbound.close(code, "");
  const counts = await byLabel(metrics.disconnected);
  expect(counts).toEqual({
    ...{ "1000": 1, "1001": 1, "1002": 1, "1005": 1, "1006": 1, "4000": 1, "4501": 1 },
    other: 1_000,
  });
});

test("one that is cut off while it has much unread was slow", async () => {
  const { connect, publish, metrics } = await setUpHub();
  const [slow, gone, polite] = [connect(), connect(), connect()];
  slow.outbound.buffered = 0.9 * MB;
  polite.outbound.buffered = 0.9 * MB;
  gone.outbound.buffered = 0.4 * MB;
  for (let sent = 0; sent < 3; sent++) await publish("x".repeat(50_000));
  // The socket's own figure is 0 by now.
  for (const { outbound } of [slow, gone, polite]) outbound.buffered = 0;
  slow.outbound.terminate();
  gone.outbound.terminate();
  polite.outbound.close(1000, "");
  expect(await figure(metrics.slowConsumers)).toBe(1);
});

test("one that has caught up since was not", async () => {
  const { connect, publish, metrics } = await setUpHub();
  const { outbound, session } = connect();
  outbound.buffered = 0.9 * MB;
  for (let sent = 0; sent < 3; sent++) await publish("x".repeat(50_000));
  outbound.buffered = 0;
  session.drain();
  outbound.terminate();
  expect(await figure(metrics.slowConsumers)).toBe(0);
});

test("one that falls behind without much in one channel is seen by the sweep", async () => {
  const { connect, metrics, clock } = await setUpHub();
  const { outbound } = connect();
  outbound.buffered = 0.9 * MB;
  clock.advance(IDLE_TIMEOUT_MS / 2);
  outbound.buffered = 0;
  outbound.terminate();
  expect(await figure(metrics.slowConsumers)).toBe(1);
});

test("one that is dropped for its silence counts once if it had anything unread, else not", async () => {
  const { connect, metrics, clock } = await setUpHub();
  const [slow, silent] = [connect(), connect()];
  slow.outbound.buffered = 0.9 * MB;
  clock.advance(2 * IDLE_TIMEOUT_MS);
  expect([slow.outbound.ended, silent.outbound.ended]).toEqual(["terminated", 4000]);
  expect(await figure(metrics.slowConsumers)).toBe(1);
});
