import { expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { timestampFormat } from "../lib/timestamp.ts";
import { readUrl } from "./endpoint.ts";
import { socketUrl } from "./listen.ts";
import { describeGap, describeState, jsonOutput, prettyOutput } from "./listen-output.ts";

test.each([
  ["http://localhost:8080", "ws://localhost:8080/ws"],
  ["https://push.example.com/", "wss://push.example.com/ws"],
  ["https://example.com/push", "wss://example.com/push/ws"],
  ["ws://h/ws?channel=push#x", "ws://h/ws?channel=push"],
  ["http://[::1]:8080", "ws://[::1]:8080/ws"],
])("--url %s connects to %s", (typed, expected) => {
  expect(socketUrl(readUrl(typed, {}))).toBe(expected);
});

function setUp() {
  const lines = { out: [] as string[], err: [] as string[] };
  const io = { out: (line: string) => lines.out.push(line), err: (line: string) => lines.err.push(line) };
  return { lines, io, clock: new VirtualClock() };
}

test("pushes and status are time-stamped lines on their own streams", () => {
  const { lines, io, clock } = setUp();
  const output = prettyOutput(io, clock, timestampFormat("UTC"));
  output.push("Server push message");
  output.status("Connected");
  expect(lines).toEqual({
    out: ["[2026-11-24 09:30:00] Server push message"],
    err: ["[2026-11-24 09:30:00] Connected"],
  });
});

test("a push can neither drive the terminal nor pass for two", () => {
  const { lines, io, clock } = setUp();
  prettyOutput(io, clock, timestampFormat("UTC")).push("a\u001b[2Jb\n[2026-11-24 09:31:00] forged");
  expect(lines.out).toEqual([
    `[2026-11-24 09:30:00] a\ufffd[2Jb\n${" ".repeat(22)}[2026-11-24 09:31:00] forged`,
  ]);
});

test("for programs, a push is one line whatever is in it", () => {
  const { lines, io, clock } = setUp();
  jsonOutput(io, clock).push("a\nb");
  expect(lines.out).toEqual(['{"time":"2026-11-24T09:30:00.000Z","text":"a\\nb"}']);
});

test("states are told in words", () => {
  const states = [
    { status: "connecting" },
    { status: "open" },
    { status: "waiting", retryInMs: 1234, code: 1012, reason: "server restarts" },
    { status: "waiting", retryInMs: 500, code: 1006, reason: "" },
    { status: "closed" },
    { status: "closed", code: 4500, reason: "" },
  ] as const;
  expect(states.map((state) => describeState(state, "ws://h/ws"))).toEqual([
    "Connecting to ws://h/ws",
    "Connected",
    "Not connected (1012: server restarts); next attempt in 1.2 s",
    "Not connected (unreachable or cut off); next attempt in 0.5 s",
    "Closed",
    "Closed for good (4500)",
  ]);
});

test("what is missing for good is told in words", () => {
  expect(describeGap({ from: 3, to: 9 })).toContain("3 to 9");
  expect(describeGap({ reason: "epoch" })).toContain("another log");
});
