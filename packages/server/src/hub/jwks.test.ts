import { beforeAll, expect, test } from "bun:test";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { exportJWK, type JWK, SignJWT } from "jose";
import { createLog } from "../lib/log.ts";
import { timestampFormat } from "../lib/timestamp.ts";
import type { TokenKind } from "./access.ts";
import { RemoteKeys } from "./jwks.ts";
import { jwtKind } from "./jwt.ts";
import { foundKeys } from "./jwt-keys.ts";
import { settle } from "./testing/hub-set-up.ts";

const pairs = ["one", "two"].map((kid) => ({ kid, ...generateKeyPairSync("rsa", { modulusLength: 2_048 }) }));
let jwks: JWK[];
const tokens: string[] = [];
const URL = "https://id.example/jwks.json";

beforeAll(async () => {
  const exp = new VirtualClock().wallMs() / 1_000 + 86_400;
  const sign = (key: KeyObject, kid: string) =>
    new SignJWT({ sub: "alice", exp }).setProtectedHeader({ alg: "RS256", kid }).sign(key);
  jwks = await Promise.all(
    pairs.map(async ({ publicKey, kid }) => ({ ...(await exportJWK(publicKey)), kid })),
  );
  for (const { privateKey, kid } of pairs) tokens.push(await sign(privateKey, kid));
});

function setUp(answer: () => Response | Promise<Response>) {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const asked: string[] = [];
  const state = { answer, signal: new AbortController().signal };
  const log = createLog({
    format: "pretty",
    level: "info",
    clock,
    timestamp: timestampFormat("UTC"),
    write: (line) => lines.push(line.slice("[2026-11-24 09:30:00] ".length)),
  });
  const keys = new RemoteKeys(URL, {
    clock,
    log,
    fetch: async (url, { redirect, signal }) => {
      asked.push(`${url} ${redirect}`);
      if (signal) state.signal = signal;
      return state.answer();
    },
  });
  const newKind = () => jwtKind({ keys: [foundKeys(keys)], log }, clock);
  const whoBy = async (kind: TokenKind, index: number) => {
    const answered = await kind(tokens[index] ?? "");
    return typeof answered === "object" ? answered.who : answered;
  };
  /** By a kind of its own each time, which has verified nothing yet. */
  const ask = (index = 0) => whoBy(newKind(), index);
  const lasting = newKind();
  /** By one that remembers. */
  const askAgain = (index = 0) => whoBy(lasting, index);
  return { clock, log, lines, asked, state, ask, askAgain, lasting };
}

const setOf = (count: number) => () => Response.json({ keys: jwks.slice(0, count) });
const down = (): never => {
  throw new Error("Unable to connect");
};

test("the keys are read once, before the first token comes", async () => {
  const { asked, ask } = setUp(setOf(1));
  expect(asked).toEqual([`${URL} manual`]);
  expect([await ask(), await ask(), await ask()]).toEqual(["jwt:alice", "jwt:alice", "jwt:alice"]);
  expect(asked).toHaveLength(1);
});

test("a key that is not known is looked for, at most every 30 s", async () => {
  const { clock, asked, state, ask } = setUp(setOf(1));
  expect([await ask(1), await ask(1), asked.length]).toEqual(["invalid", "invalid", 1]);
  state.answer = setOf(2);
  clock.advance(29_999);
  expect([await ask(1), asked.length]).toEqual(["invalid", 1]);
  clock.advance(1);
  expect([await ask(1), await ask(0), asked.length]).toEqual(["jwt:alice", "jwt:alice", 2]);
});

test("after ten minutes they are read again, and nobody waits for it", async () => {
  const { clock, asked, state, ask } = setUp(setOf(1));
  await ask();
  const later = Promise.withResolvers<Response>();
  state.answer = () => later.promise;
  clock.advance(600_000);
  expect([await ask(), await ask(), asked.length]).toEqual(["jwt:alice", "jwt:alice", 2]);
  later.resolve(Response.json({ keys: jwks.slice(1) }));
  expect(await ask(1)).toBe("jwt:alice");
  // The first one was withdrawn.
  expect([await ask(0), asked.length]).toEqual(["invalid", 2]);
});

test("who is known has them read again, too, and is let in no longer once the key was withdrawn", async () => {
  const { clock, asked, state, askAgain } = setUp(setOf(2));
  expect([await askAgain(0), await askAgain(1)]).toEqual(["jwt:alice", "jwt:alice"]);
  state.answer = () => Response.json({ keys: jwks.slice(1) });
  clock.advance(599_999);
  expect([await askAgain(0), asked.length]).toEqual(["jwt:alice", 1]);
  clock.advance(1);
  expect([await askAgain(0), asked.length]).toEqual(["jwt:alice", 2]);
  await settle();
  expect([await askAgain(0), await askAgain(1), asked.length]).toEqual(["invalid", "jwt:alice", 2]);
});

test("while the set is what it was, nobody who is known is verified again", async () => {
  const { clock, asked, askAgain, lasting } = setUp(setOf(1));
  await settle();
  await askAgain();
  clock.advance(600_000);
  await askAgain();
  await settle();
  expect([asked.length, lasting(tokens[0] ?? "")]).toMatchObject([2, { who: "jwt:alice" }]);
});

test("while they cannot be had nobody knows whether a token is good: tried again every 5 s, told once a minute", async () => {
  const { clock, lines, asked, state, ask } = setUp(down);
  for (let second = 0; second < 60; second++) {
    expect(await ask()).toBe("unavailable");
    clock.advance(1_000);
  }
  expect(asked).toHaveLength(12);
  const line = `WARN The keys at ${URL} cannot be read: Unable to connect; JWTs cannot be looked at until they can`;
  expect(lines).toEqual([line]);
  expect(await ask()).toBe("unavailable");
  expect(lines).toEqual([line, line]);
  clock.advance(5_000);
  state.answer = setOf(1);
  expect(await ask()).toBe("jwt:alice");
});

test("an outage of the provider locks nobody out whose key is known", async () => {
  const { clock, lines, state, ask } = setUp(setOf(1));
  await ask();
  state.answer = down;
  for (let hour = 0; hour < 5; hour++) {
    clock.advance(3_600_000);
    expect(await ask()).toBe("jwt:alice");
  }
  expect(lines[0]).toContain("Unable to connect; the keys at hand are used until they can");
});

test.each<[string, () => Response, string]>([
  ["an error", () => new Response("", { status: 500 }), "answered 500"],
  ["a redirect", () => Response.redirect("http://elsewhere/"), "answered 302"],
  ["no JSON", () => new Response("<html>"), "is no JSON Web Key Set"],
  ["no set", () => Response.json({ keys: "none" }), "is no JSON Web Key Set"],
])("%s is no answer", async (_, answer, why) => {
  const { lines, ask } = setUp(answer);
  expect(await ask()).toBe("unavailable");
  expect(lines[0]).toContain(`cannot be read: ${why};`);
});

test("the log names the address without a password or a query", async () => {
  const { clock, log, lines } = setUp(() => new Promise<Response>(() => {}));
  const url = "https://ann:hunter2@id.example/jwks.json?key=hunter2";
  const keys = new RemoteKeys(url, { clock, log, fetch: async () => down() });
  const ask = jwtKind({ keys: [foundKeys(keys)], log }, clock);
  expect(await ask(tokens[0] ?? "")).toBe("unavailable");
  expect(lines).toEqual([
    "WARN The keys at https://id.example/jwks.json cannot be read: Unable to connect; JWTs cannot be looked at until they can",
  ]);
});

test("an answer that does not come in 5 s is given up", async () => {
  const { clock, lines, state, ask } = setUp(() => new Promise<Response>(() => {}));
  const asking = ask();
  state.answer = setOf(1);
  const { signal } = state;
  expect(signal.aborted).toBe(false);
  clock.advance(5_000);
  expect([signal.aborted, String(signal.reason)]).toEqual([true, "Error: no answer in time"]);
  expect(lines).toEqual([]);
  void asking;
});
