/** Who is pinged and who is dropped, on a server whose idle timeout is short. */
import { expect, test } from "bun:test";
import { Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";
import { frameOf, OPCODE, RawSocket } from "./support/raw-socket.ts";

const server = () => Server.start(["--push-every", "1s", "--idle-timeout", "3s", "--log", "json"]);

/** How long each session lived, in milliseconds, and its close code, by the server's own log. */
function lives(lines: readonly string[]) {
  const entries = lines.slice(1).map((line) => JSON.parse(line));
  return entries
    .filter(({ message }) => message.startsWith("Client disconnected"))
    .map(({ session, time, code }) => {
      const came = entries.find((entry) => entry.session === session);
      return { code, ms: Date.parse(time) - Date.parse(came.time) };
    });
}

test("one that sends heartbeats is never pinged; one that answers pings stays; a mute one gets 4000", async () => {
  await using running = await server();
  await using beating = await Client.connect("ws", running.wsUrl);
  await using quiet = await Client.connect("python", running.wsUrl);
  await using mute = await RawSocket.webSocket(running.port);

  const opcodes: number[] = [];
  let code: number | undefined;
  let ended = false;
  const muteEnds = (async () => {
    for (let frame = await mute.frame(); frame !== undefined; frame = await mute.frame()) {
      opcodes.push(frame.opcode);
      if (frame.opcode === OPCODE.close) code = frame.payload.readUInt16BE(0);
    }
    ended = true;
  })();
  // The pushes are the clock: a heartbeat after each, twice the timeout long.
  while (!ended) {
    await beating.next(1);
    beating.send("Heartbeat");
    await beating.received("Server received: Heartbeat");
  }
  await muteEnds;
  expect(code).toBe(4000);
  expect(opcodes.filter((opcode) => opcode === OPCODE.ping)).toHaveLength(1);
  expect(opcodes.filter((opcode) => opcode === OPCODE.text).length).toBeGreaterThanOrEqual(5);
  expect(beating.events.filter(({ event }) => event === "ping")).toEqual([]);
  for (const client of [beating, quiet]) {
    expect(client.events.some(({ event }) => event === "close")).toBe(false);
  }
  const [life] = lives(running.out.all);
  expect(life?.code).toBe(4000);
  expect(life?.ms).toBeGreaterThanOrEqual(6_000);
  expect(life?.ms).toBeLessThan(7_500);
});

test("one that reads nothing while pushes go on is dropped as well", async () => {
  await using running = await server();
  await using deaf = await RawSocket.webSocket(running.port);
  deaf.pause();
  await running.out.line(/Client disconnected/);
  expect(lives(running.out.all)[0]?.ms).toBeLessThan(7_500);
});

test("a pong that nobody asked for is a sign of life", async () => {
  await using running = await server();
  await using witness = await Client.connect("ws", running.wsUrl);
  await using socket = await RawSocket.webSocket(running.port);
  const opcodes: number[] = [];
  for (let push = 0; push < 8; push++) {
    for (let frame = await socket.frame(); ; frame = await socket.frame()) {
      if (frame === undefined) throw new Error("the connection has ended");
      opcodes.push(frame.opcode);
      if (frame.opcode === OPCODE.text) break;
    }
    socket.write(frameOf(OPCODE.pong, ""));
  }
  expect(opcodes).not.toContain(OPCODE.ping);
  expect(witness.messages.length).toBeGreaterThanOrEqual(7);
});
