/** Tokens that end, and how the next one takes their place. */
import { describe, expect, test } from "bun:test";
import { Carillon } from "./client.ts";
import type { CarillonError } from "./errors.ts";
import type { CarillonOptions } from "./options.ts";
import { FakeServer } from "./testing/fake-server.ts";

type Token = CarillonOptions["token"];

/** A server whose tokens last as long as `livesMs` says at the moment, and whose clock is not the device's. */
function setUp(livesMs: number | undefined, token?: Token) {
  const server = new FakeServer();
  const { platform } = server;
  const startMs = Date.UTC(2030, 0, 1);
  const state = { livesMs, asked: 0 };
  const isoIn = (ms: number) => new Date(startMs + platform.monotonicMs() + ms).toISOString();
  const until = () => (state.livesMs === undefined ? {} : { expiresAt: isoIn(state.livesMs) });
  const refreshed = () => ({ type: "refreshed", ...until() }) as const;
  server.script.connect = () => {
    const bounds = { idleTimeoutMs: 1_200_000, maxFrameBytes: 65_536, defaultChannel: "push" };
    return { type: "connected", session: "s", time: isoIn(0), ...bounds, ...until() };
  };
  server.script.refresh = refreshed;
  const next = () => `token ${++state.asked}`;
  const options = { platform, heartbeatMs: undefined, token: token ?? next };
  const client = new Carillon("ws://h", options);
  const statuses: string[] = [];
  const errors: string[] = [];
  client.on("state", ({ status }) => statuses.push(status));
  client.on("error", ({ code, message }: CarillonError) => errors.push(`${code}: ${message}`));
  client.connect();
  const tokens = () => server.asked("refresh").map((command) => command.token);
  return { server, client, state, statuses, errors, tokens, refreshed, next };
}

describe("before it ends", () => {
  test("a token is replaced, again and again, and the connection stays", async () => {
    const { server, tokens, statuses, errors } = setUp(60_000);
    await server.pass(300_000);
    expect(server.asked("connect").map(({ token }) => token)).toEqual(["token 1"]);
    expect(tokens()).toEqual(["token 2", "token 3", "token 4", "token 5", "token 6"]);
    expect([statuses, errors]).toEqual([["connecting", "open"], []]);
  });

  test.each([
    // No sooner, or a server with such tokens would be asked in a loop.
    [10, 1_000],
    [1_500, 1_000],
    [3_000, 2_000],
    [20_000, 18_000],
    [100_000, 90_000],
    [3_600_000, 3_590_000],
    [86_400_000 * 365, 2_000_000_000],
  ])("one of %d ms after %d ms", async (livesMs, expected) => {
    const { server, tokens } = setUp(livesMs);
    await server.pass(expected - 1);
    expect(tokens()).toEqual([]);
    await server.pass(1);
    expect(tokens()).toEqual(["token 2"]);
  });

  test("of one that lasts, or of a server that says nonsense, nothing is asked", async () => {
    for (const livesMs of [undefined, 0, -1]) {
      const { server, tokens } = setUp(livesMs);
      await server.settle();
      expect([server.platform.clock.pendingTimers, tokens()]).toEqual([2, []]);
    }
    for (const fields of [{ time: "now" }, { time: undefined }, { expiresAt: "soon" }]) {
      const { server, tokens } = setUp(60_000);
      const connected = server.script.connect;
      server.script.connect = (command) => ({ ...connected?.(command), ...fields }) as never;
      await server.pass(300_000);
      expect(tokens()).toEqual([]);
    }
  });

  test("it does not matter what the device's clock shows", async () => {
    const { server, tokens } = setUp(60_000);
    const { clock } = server.platform;
    await server.pass(50_000);
    clock.jumpWall(86_400_000 * 365);
    await server.pass(3_999);
    expect(tokens()).toEqual([]);
    clock.jumpWall(-86_400_000 * 730);
    await server.pass(1);
    expect(tokens()).toEqual(["token 2"]);
  });

  test("a text is what it is: it is not refreshed", async () => {
    const { server, tokens } = setUp(60_000, "secret");
    await server.pass(300_000);
    expect(tokens()).toEqual([]);
  });

  test("a token that lasts after one that ended needs no other", async () => {
    const { server, state, tokens } = setUp(60_000);
    await server.settle();
    state.livesMs = undefined;
    await server.pass(3_600_000);
    expect(tokens()).toEqual(["token 2"]);
  });
});

describe("a token that is not to be had", () => {
  test("is told, and asked for again before the end", async () => {
    let calls = 0;
    const token = () => {
      calls += 1;
      if (calls === 2 || calls === 3) throw new Error("offline");
      return `token ${calls}`;
    };
    const { server, tokens, statuses, errors } = setUp(100_000, token);
    await server.pass(94_999);
    expect([errors, tokens()]).toEqual([["internal: Error: offline"], []]);
    await server.pass(5_000);
    expect([errors.length, tokens(), statuses]).toEqual([2, ["token 4"], ["connecting", "open"]]);
    // The next one's life is a new one.
    await server.pass(90_000);
    expect(tokens()).toEqual(["token 4", "token 5"]);
  });

  test("or that the server does not take, likewise", async () => {
    const { server, tokens, statuses, errors, refreshed } = setUp(100_000);
    server.script.refresh = () => ({ type: "error", code: "invalid_token", message: "no" });
    await server.pass(90_000);
    server.script.refresh = refreshed;
    await server.pass(5_000);
    expect([errors, tokens(), statuses]).toEqual([
      ["invalid_token: no"],
      ["token 2", "token 3"],
      ["connecting", "open"],
    ]);
  });

  test("is asked for a few times, and no more once the old one has ended", async () => {
    let calls = 0;
    const token = () => {
      calls += 1;
      if (calls > 1) throw new Error("offline");
      return "token";
    };
    const { server, errors } = setUp(100_000, token);
    await server.pass(3_600_000);
    expect([calls, errors.length]).toEqual([7, 6]);
  });

  test("and an app that closes the client when it hears of it leaves nothing behind", async () => {
    const { server, client, state } = setUp(60_000, () => {
      if (state.asked++ > 0) throw new Error("offline");
      return "token";
    });
    client.on("error", () => client.close());
    await server.pass(60_000);
    expect([client.state.status, server.platform.clock.pendingTimers]).toEqual(["closed", 0]);
  });
});

describe("when the connection ends", () => {
  test("nothing is refreshed; the next connection has a token, and a life, of its own", async () => {
    const { server, state, tokens } = setUp(60_000);
    await server.pass(50_000);
    state.livesMs = 100_000;
    await server.end();
    await server.pass(300);
    expect(server.asked("connect").map(({ token }) => token)).toEqual(["token 1", "token 2"]);
    await server.pass(89_999);
    expect(tokens()).toEqual([]);
    await server.pass(1);
    expect(tokens()).toEqual(["token 3"]);
  });

  test("a token that comes too late for it is for nobody", async () => {
    const waiting: ((token: string) => void)[] = [];
    const { server, tokens, errors } = setUp(60_000, () => new Promise((resolve) => waiting.push(resolve)));
    await server.settle();
    waiting[0]?.("one");
    await server.pass(54_000);
    await server.end();
    await server.pass(300);
    waiting[2]?.("three");
    await server.settle();
    waiting[1]?.("two");
    await server.settle();
    expect(server.asked("connect").map(({ token }) => token)).toEqual(["one", "three"]);
    expect([tokens(), errors]).toEqual([[], []]);
  });

  test("while a token is on its way, that is no error", async () => {
    const { server, errors } = setUp(60_000);
    await server.settle();
    server.script.refresh = () => undefined;
    await server.pass(54_000);
    await server.end();
    await server.pass(300);
    expect([errors, server.asked("connect").length]).toEqual([[], 2]);
  });

  test("closed by the app, it leaves no timer", async () => {
    const { server, client } = setUp(60_000);
    await server.settle();
    client.close();
    expect(server.platform.clock.pendingTimers).toBe(0);
  });
});

describe("a token that has ended", () => {
  test("is replaced on a new connection, where there is a function to ask", async () => {
    const { server, client, statuses } = setUp(60_000);
    await server.settle();
    await server.end(4002, "the token has expired");
    expect(client.state).toMatchObject({ status: "waiting", code: 4002 });
    await server.pass(300);
    expect([statuses.at(-1), server.asked("connect").at(-1)?.token]).toEqual(["open", "token 2"]);
  });

  test("ends it, where it is a text: no attempt follows, and channels are refused", async () => {
    const { server, client, errors } = setUp(60_000, "secret");
    const news = client.channel("news");
    news.subscribe();
    await server.settle();
    expect(news.state).toBe("live");
    await server.end(4002, "the token has expired");
    await server.pass(3_600_000);
    expect(client.state).toEqual({ status: "closed", code: 4002, reason: "the token has expired" });
    expect([news.state, errors, server.platform.sockets.length]).toEqual(["refused", [], 1]);
    expect(server.platform.clock.pendingTimers).toBe(0);
    // The app may still say otherwise.
    client.connect();
    await server.settle();
    expect(client.state.status).toBe("open");
  });

  test.each<[string, Token, number]>([
    ["a text is not tried again", "secret", 1],
    ["a function is asked for another", undefined, 2],
  ])("already when it connects: %s", async (_, token, attempts) => {
    const { server, client, errors } = setUp(60_000, token);
    server.script.connect = () => ({
      type: "error",
      code: "token_expired",
      message: "the token has expired",
    });
    await server.settle();
    expect([errors, client.state.status]).toEqual([["token_expired: the token has expired"], "connecting"]);
    await server.end(4002, "the token has expired");
    await server.pass(300);
    expect(server.platform.sockets).toHaveLength(attempts);
  });

  test("and another that has ended: attempts become rare", async () => {
    const { server } = setUp(60_000);
    server.script.connect = () => ({ type: "error", code: "token_expired", message: "no" });
    const untilMs = 600_000;
    const { clock } = server.platform;
    while (clock.monotonicMs() < untilMs) {
      await server.settle();
      if (server.asked("connect").length === server.platform.sockets.length) await server.end(4002);
      if (!clock.step(untilMs - clock.monotonicMs())) break;
    }
    expect(server.platform.sockets.length).toBeLessThan(80);
    expect(server.platform.sockets.length).toBeGreaterThan(10);
  });
});
