import { expect, test } from "bun:test";
import { Carillon } from "./client.ts";
import { FakeServer } from "./testing/fake-server.ts";

function setUp() {
  const server = new FakeServer();
  const client = new Carillon("ws://h", { platform: server.platform, heartbeatMs: undefined });
  return { server, client, news: client.channel("news") };
}

test("more than the server takes in a second is sent in the next ones, in order", async () => {
  const { server, news } = setUp();
  const sentAt: number[] = [];
  server.script.publish = () => {
    sentAt.push(server.platform.clock.monotonicMs());
    return { type: "published", channel: "news", publication: "p", epoch: "e", time: "" };
  };
  await server.pass(0);
  const all = Promise.all(Array.from({ length: 1_000 }, (_, n) => news.publish(n)));
  await server.pass(5_000);
  expect(await all).toHaveLength(1_000);
  expect(server.asked("publish").map(({ data }) => data)).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
  // However its seconds fall: no thousand frames in any of them.
  for (const from of sentAt) {
    expect(sentAt.filter((at) => at >= from && at < from + 1_000).length).toBeLessThan(1_000);
  }
  expect(server.platform.sockets).toHaveLength(1);
});

test("those who were in line when the connection ended are told, and nobody sends on the next one for them", async () => {
  const { server, client, news } = setUp();
  client.connect();
  await server.settle();
  server.script.publish = () => undefined;
  const codes = Promise.all(
    Array.from({ length: 600 }, (_, n) => news.publish(n).catch(({ code }) => String(code))),
  );
  await server.settle();
  await server.end();
  expect(new Set(await codes)).toEqual(new Set(["connection_lost"]));
  const before = server.asked("publish").length;
  await server.pass(10_000);
  expect([server.asked("publish").length, client.state.status]).toEqual([before, "open"]);
});
