import { expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { createLog, type LogOptions } from "./log.ts";
import { timestampFormat } from "./timestamp.ts";

function logWith(options: Partial<LogOptions>) {
  const lines: string[] = [];
  const log = createLog({
    format: "pretty",
    level: "info",
    clock: new VirtualClock(),
    timestamp: timestampFormat("UTC"),
    write: (line) => lines.push(line),
    ...options,
  });
  return { log, lines };
}

test("pretty lines are exactly the documented ones", () => {
  const { log, lines } = logWith({});
  log.info("Client connected. Total connections: 3", { session: "s" });
  log.warn("careful");
  log.debug("not written");
  expect(lines).toEqual([
    "[2026-11-24 09:30:00] Client connected. Total connections: 3",
    "[2026-11-24 09:30:00] WARN careful",
  ]);
});

test("at level debug, pretty lines carry their fields", () => {
  const { log, lines } = logWith({ level: "debug" });
  log.info("hello", { session: "s" });
  expect(lines).toEqual(['[2026-11-24 09:30:00] hello {"session":"s"}']);
});

test("json lines always carry their fields", () => {
  const { log, lines } = logWith({ format: "json" });
  log.error("hello", { code: 1006 });
  expect(JSON.parse(lines[0] ?? "")).toEqual({
    time: "2026-11-24T09:30:00.000Z",
    level: "error",
    message: "hello",
    code: 1006,
  });
});

test("what a client sent can neither forge a line nor drive a terminal", () => {
  const { log, lines } = logWith({});
  log.info("a\n[2026-01-01 00:00:00] forged \u001b[2J\u0085\u2028");
  expect(lines).toHaveLength(1);
  for (const character of ["\n", "\u001b", "\u0085", "\u2028"]) expect(lines[0]).not.toContain(character);
});
