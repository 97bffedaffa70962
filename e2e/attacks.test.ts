/** Floods and slow attacks on a real server: the attackers get their answer or their end, and nobody else notices. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Attack, Memory } from "./support/attack.ts";
import { Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";
import { OPCODE, RawSocket } from "./support/raw-socket.ts";

const KEY = "the-admin-key-of-the-tests-of-attacks";
const MB = 1024 * 1024;

const start = (...flags: readonly string[]) =>
  Server.start(["--push-every", "1s", "--admin-key", KEY, ...flags]);

/** How late each push came, in milliseconds, beside the one that came soonest. */
function latenesses(client: Client): readonly number[] {
  const times = client.events.filter(({ event }) => event === "message").map(({ at }) => at);
  const offsets = times.map((at, index) => at - index * 1_000);
  return offsets.map((offset) => offset - Math.min(...offsets));
}

/** Milliseconds until a stranger from another address is connected and has its first push. */
async function welcomeMs(server: Server): Promise<number> {
  const startMs = performance.now();
  await using socket = await RawSocket.webSocket(server.port, "127.0.0.2");
  const connectedMs = performance.now() - startMs;
  expect((await socket.frame())?.opcode).toBe(OPCODE.text);
  return connectedMs;
}

interface Flooded {
  readonly sent: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly retryAfter: Readonly<Record<string, number>>;
  readonly unanswered: number;
}

test("5,000 handshakes a second from one address are told 429, and the others are served as ever", async () => {
  await using server = await start();
  await using witness = await Client.connect("ws", server.wsUrl);
  await witness.next(3);
  const memory = new Memory(await server.serverPid());
  await using flood = new Attack<Flooded>("flood.mjs", server.port, 5_000);
  await flood.until((told) => told.length >= 2);
  expect(await welcomeMs(server)).toBeLessThan(500);
  const told = await flood.until((told) => told.length >= 6);
  const { sent, statuses, retryAfter, unanswered } = told.at(-1) ?? expect.unreachable();

  expect(sent).toBeGreaterThan(20_000);
  expect(Object.keys(statuses).sort()).toEqual(["101", "429"]);
  // 500 at once, and 500 in each of six seconds; one more for a line that is late.
  expect(statuses["101"]).toBeLessThanOrEqual(4_000);
  expect(Object.keys(retryAfter)).toEqual(["1"]);
  expect(unanswered).toBe(0);
  expect(Math.max(...latenesses(witness))).toBeLessThan(250);
  expect(new Set(witness.messages).size).toBe(witness.messages.length);
  expect(memory.grownBytes).toBeLessThan(64 * MB);
});

interface Slow {
  readonly event: "connected" | "cut";
  readonly afterMs: number;
  readonly status: string;
}
const cutOf = (told: readonly Slow[]) => told.filter(({ event }) => event === "cut");
const COUNT = 500;

test("2,500 requests that dribble in for ever are cut off, and the others do not wait for them", async () => {
  await using server = await start();
  await using witness = await Client.connect("ws", server.wsUrl);
  const memory = new Memory(await server.serverPid());
  const kinds = ["silence", "headers", "handshake", "body", "chunks"] as const;
  await using attacks = new AsyncDisposableStack();
  const slow = kinds.map((kind) =>
    attacks.use(new Attack<Slow>("slowloris.mjs", server.port, COUNT, kind, KEY)),
  );
  await Promise.all(slow.map((attack) => attack.until((told) => told.length > 0)));
  expect(await welcomeMs(server)).toBeLessThan(500);
  expect((await fetch(server.httpUrl)).status).toBe(200);
  const told = await Promise.all(slow.map((attack) => attack.until((told) => cutOf(told).length === COUNT)));
  const cut = told.flatMap(cutOf);

  expect(new Set(cut.map(({ status }) => status))).toEqual(new Set([""]));
  expect(Math.max(...cut.map(({ afterMs }) => afterMs))).toBeLessThan(15_000);
  expect(Math.max(...latenesses(witness))).toBeLessThan(250);
  expect(memory.grownBytes).toBeLessThan(64 * MB);
});

test("500 clients whose frame never ends are dropped like any that is silent", async () => {
  await using server = await start("--idle-timeout", "2s");
  await using witness = await Client.connect("ws", server.wsUrl);
  const memory = new Memory(await server.serverPid());
  await using slow = new Attack<Slow>("slowloris.mjs", server.port, COUNT, "frame");
  await server.out.line(new RegExp(`Total connections: ${COUNT + 1}$`));
  expect(await welcomeMs(server)).toBeLessThan(500);
  const cut = cutOf(await slow.until((told) => cutOf(told).length === COUNT));

  expect(Math.min(...cut.map(({ afterMs }) => afterMs))).toBeGreaterThan(3_900);
  expect(Math.max(...cut.map(({ afterMs }) => afterMs))).toBeLessThan(10_000);
  // ws answers pings, so the witness is still there.
  await witness.next(1);
  expect(Math.max(...latenesses(witness))).toBeLessThan(250);
  expect(memory.grownBytes).toBeLessThan(64 * MB);
});

test("without open files left nobody new comes in for a while; those who are in are served", async () => {
  await using server = await start();
  await using witness = await Client.connect("ws", server.wsUrl);
  const pid = await server.serverPid();
  expect(Bun.spawnSync(["prlimit", "--pid", String(pid), "--nofile=200"]).exitCode).toBe(0);
  await using slow = new Attack<Slow>("slowloris.mjs", server.port, 250, "silence");
  await slow.until((told) => told.length > 0);
  await witness.next(5);
  expect(await slow.until((told) => told.length > 0)).toHaveLength(1);
  // Those who were accepted are cut off, and make room for those who were not.
  await slow.until((told) => cutOf(told).length > 100);
  expect((await fetch(`${server.httpUrl}/healthz`)).status).toBe(200);
  expect(Math.max(...latenesses(witness))).toBeLessThan(250);
  expect(witness.events.some(({ event }) => event === "close")).toBe(false);
});

interface Giant {
  readonly status: string;
  readonly code: string;
}

describe("giants", () => {
  let server: Server;
  let witness: Client;
  beforeAll(async () => {
    server = await start("--max-body", "1MB");
    witness = await Client.connect("ws", server.wsUrl);
    await witness.next(2);
  });
  afterAll(async () => {
    await witness[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  test.each([
    ["length", KEY, ["413 payload_too_large"]],
    ["length", "none", ["413 payload_too_large"]],
    ["chunks", KEY, ["413 payload_too_large"]],
    // Of a stranger nothing is read.
    ["chunks", "none", ["401 invalid_token"]],
    // Bun cuts these off, and what they still send makes the kernel take the answer back from most.
    ["both", KEY, ["400 ", " "]],
    ["headers", KEY, ["431 ", " "]],
  ] as const)(
    "100 MB each from ten at once (%s, %s) take no memory and stop nobody",
    async (kind, key, answers) => {
      const memory = new Memory(await server.serverPid());
      await using giant = new Attack<Giant>("giant.mjs", server.port, 10, kind, key);
      const told = await giant.until((told) => told.length === 10);
      await witness.next(1);

      for (const { status, code } of told)
        expect(answers as readonly string[]).toContain(`${status} ${code}`);
      expect(Math.max(...latenesses(witness))).toBeLessThan(250);
      expect(memory.grownBytes).toBeLessThan(48 * MB);
      expect(witness.events.some(({ event }) => event === "close")).toBe(false);
    },
  );
});
