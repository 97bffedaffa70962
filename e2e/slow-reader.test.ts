/** The real gateway and real sockets, fed more pushes in a second than the timed push makes in a day. */
import { expect, test } from "bun:test";
import { openMemoryEngine } from "../packages/server/src/engine/memory.ts";
import { startGateway } from "../packages/server/src/gateway/http.ts";
import { nativeFanOut } from "../packages/server/src/gateway/websocket.ts";
import { Hub } from "../packages/server/src/hub/hub.ts";
import { testAuthenticator, testPorts } from "../packages/server/src/hub/testing/defaults.ts";
import { systemClock } from "../packages/server/src/lib/clock.ts";
import { sequentialIds } from "../packages/server/src/lib/ids.ts";
import { silentLog } from "../packages/server/src/lib/log.ts";
import { OPCODE, RawSocket } from "./support/raw-socket.ts";

const PUSH = "x".repeat(60_000);
/** Over 30 MB: more than the kernel's buffers (about 6 MB here) and the server's limit of 1 MB take together. */
const PUSHES = 500;

test("a reader that stops reading is cut off; the others get every push", async () => {
  const fanOut = nativeFanOut();
  const engine = openMemoryEngine({ clock: systemClock, retentionOf: () => ({ maxCount: 10 }) });
  const authenticate = testAuthenticator();
  const hub = new Hub({
    engine,
    clock: systemClock,
    log: silentLog,
    fanOut,
    ...testPorts(),
    authenticate,
    nextPublicationId: sequentialIds(),
    idleTimeoutMs: 1_200_000,
    defaultChannel: "push",
    announcesPresence: () => false,
  });
  const gateway = startGateway({
    host: "127.0.0.1",
    port: 0,
    hub,
    fanOut,
    clock: systemClock,
    log: silentLog,
    nextId: sequentialIds(),
    rules: { defaultChannel: "push", allowedOrigins: [], authenticate },
    servePages: () => undefined,
    api: () => new Response(),
    serveDescription: () => undefined,
    probe: () => engine.probe(),
  });
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
  hub.close();
  gateway.stopAccepting();
  expect(await good.closeCode()).toBe(1012);
  await gateway.drained(0);
  await engine.close();
});
