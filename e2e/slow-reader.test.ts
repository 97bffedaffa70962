/** The real gateway and real sockets, fed more pushes in a second than the timed push makes in a day. */
import { expect, test } from "bun:test";
import { openGateway } from "./support/gateway.ts";
import { OPCODE, RawSocket } from "./support/raw-socket.ts";

const PUSH = "x".repeat(60_000);
/** Over 30 MB: more than the kernel's buffers (about 6 MB here) and the server's limit of 1 MB take together. */
const PUSHES = 500;

test("a reader that stops reading is cut off and counted; the others get every push", async () => {
  await using server = openGateway();
  const { hub, gateway, metrics } = server;
  {
    // One that just vanishes is no slow reader.
    await using gone = await RawSocket.webSocket(gateway.port);
    await hub.publish([{ channel: "push", data: PUSH }]);
    await gone.frame();
  }
  await using good = await RawSocket.webSocket(gateway.port);
  await using slow = await RawSocket.webSocket(gateway.port);
  slow.pause();

  for (let sent = 0; sent < PUSHES; sent++) {
    await hub.publish([{ channel: "push", data: `${sent} ${PUSH}` }]);
    const frame = await good.frame();
    expect(frame?.opcode).toBe(OPCODE.text);
    expect(frame?.payload.toString("latin1", 0, String(sent).length + 1)).toBe(`${sent} `);
  }
  expect(hub.connections).toBe(1);
  expect((await metrics.slowConsumers.get()).values[0]?.value).toBe(1);
  expect((await metrics.disconnected.get()).values).toEqual([{ labels: { code: 1006 }, value: 2 }]);
  hub.close();
  expect(await good.closeCode()).toBe(1012);
});
