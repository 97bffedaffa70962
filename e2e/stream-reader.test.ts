/** The real gateway and real sockets: what becomes of the memory when the reader of a stream does not keep up. */
import { expect, test } from "bun:test";
import { CloseCode } from "@carillon/protocol/codes";
import { openGateway } from "./support/gateway.ts";
import { OPCODE, RawSocket } from "./support/raw-socket.ts";
import { StreamSocket } from "./support/stream-socket.ts";

const STREAM = "/v1/channels/push/stream";
const PUSH = "x".repeat(60_000);
const MB = 1024 * 1024;

function megabytesUsed(): number {
  Bun.gc(true);
  return process.memoryUsage.rss() / MB;
}

test("100 MB to ten streams that read nothing: they are cut off, the memory stays, others get every push", async () => {
  await using server = openGateway();
  const { hub, gateway, metrics } = server;
  await using socket = await RawSocket.webSocket(gateway.port);
  await using good = await StreamSocket.open(gateway.port, STREAM);
  const { events } = good.parser;
  const publish = async (n: number) => {
    await hub.publish([{ channel: "push", data: `${n} ${PUSH}` }]);
    await good.events(1);
    expect(events.pop()?.data).toStartWith(`${n} `);
    expect((await socket.frame())?.opcode).toBe(OPCODE.text);
  };
  // First, the heap takes what such a fan-out needs in any case.
  for (let n = 0; n < 300; n++) await publish(n);

  const mute = await Promise.all(Array.from({ length: 10 }, () => StreamSocket.open(gateway.port, STREAM)));
  for (const stream of mute) stream.pause();
  const before = megabytesUsed();
  let peak = before;
  for (let n = 0; n < 1_750; n++) {
    await publish(n);
    if (n % 25 === 0) peak = Math.max(peak, megabytesUsed());
  }
  expect(hub.connections).toBe(2);
  expect((await metrics.slowConsumers.get()).values[0]?.value).toBe(10);
  // 0 to 8 MB, as measured: what waits for one waits for all, and they share its bytes. Without the limit it is 99 MB; with
  // everything handed to Bun at once, 1,174.
  expect(peak - before).toBeLessThan(30);
  for (const stream of mute) {
    stream.resume();
    await stream.ended();
  }
});

test("one that comes back to 30 MB and reads in fits gets all of it, in order, and costs a page of memory", async () => {
  await using server = openGateway({ maxCount: 1_000 });
  const { hub, gateway } = server;
  const count = 500;
  for (let n = 0; n < count; n++) await hub.publish([{ channel: "push", data: `${n} ${PUSH}` }]);
  await using slow = await StreamSocket.open(gateway.port, `${STREAM}?since=0`);
  const [session] = hub.sessions;
  let most = 0;
  while (slow.parser.events.length < count) {
    slow.pause();
    for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
    most = Math.max(most, session?.outbound.getBufferedAmount() ?? 0);
    slow.resume();
    const { length } = slow.parser.events;
    await slow.events(length + 1);
    if (slow.hasEnded) break;
  }
  expect(slow.parser.data().map((text) => text.split(" ")[0])).toEqual(
    Array.from({ length: count }, (_, n) => String(n)),
  );
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(MB);
});

test("after the end of a stream its connection gets the time of any other, though it had none before", async () => {
  await using server = openGateway();
  const { hub, gateway } = server;
  await using socket = await RawSocket.connect(gateway.port);
  socket.write(`GET ${STREAM} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
  await socket.head();
  for (const session of hub.sessions) session.close(CloseCode.disconnected, "the end");
  // Otherwise Bun would keep it for ever: whoever opens streams and does not leave could take all connections.
  await socket.ended();
  expect(hub.connections).toBe(0);
});
