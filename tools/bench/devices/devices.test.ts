import { expect, test } from "bun:test";
import type { Connecting } from "./connecting.ts";
import { deviceOf } from "./data.ts";
import type { Delivered, Delivering } from "./delivering.ts";
import { type Connected, connectingTable, deliveringTable, targetLines } from "./report.ts";

test("of the devices a tenth are beta, all have two to five tags, and none was seen since yesterday", () => {
  const nowMs = 1e12;
  const devices = Array.from({ length: 3_300 }, (_, number) => deviceOf(number, `d_${number}`, "", nowMs));
  const having = (tag: string) => devices.filter(({ tags }) => tags.includes(tag)).length;
  expect([having("beta"), having("android")]).toEqual([330, 1_100]);
  expect(devices.every(({ tags }) => tags.length >= 2 && tags.length <= 5)).toBe(true);
  expect(devices.every(({ lastSeenMs }) => lastSeenMs <= nowMs - 86_400_000)).toBe(true);
});

function connected(bytes: number): Connected {
  const of = (connectUs: number): Connecting => ({ connectUs, disconnectUs: 30, bytes });
  return {
    "v1-key": of(100),
    "v1-device": of(350),
    "v1-again": of(250),
    "text-key": of(50),
    "text-device": of(200),
    "v1-nobody": of(60),
  };
}

function delivered(firstMs: number, worstMs: number): Delivered {
  const quiet: Delivering = {
    firstMs: 0,
    lastMs: 0,
    answeredMs: 0,
    deliveries: 0,
    worstMs: 5,
    cpuMs: 1,
  };
  const sent = [{ ...quiet, firstMs, lastMs: firstMs + 10, deliveries: 1_500, worstMs }];
  return {
    acks: { withUs: 340_000, withoutUs: 100_000 },
    publications: {
      "": [quiet],
      "tag:beta": sent,
      "tag:beta & tag:android": sent,
      everyone: sent,
      "channel:push": sent,
    },
  };
}

test("what was measured is held against the targets: beyond others, and beyond what is usual", () => {
  expect(targetLines([connected(4_096)], [delivered(12, 40)])).toEqual([
    "connecting as a device adds µs: 250, at most 200: MISSED",
    "the same, seen lately, µs: 150, at most 200: met",
    "the same in plain text, µs: 150, at most 200: met",
    "KB for a connected device: 4.0, at most 4.5: met",
    "acks, % of a core: 4.0, at most 5: met",
    "a tag's first delivery, ms: 12, at most 200: met",
    "others later by a tag, ms: 35, at most 20: MISSED",
    "others later by an expression, ms: 35, at most 20: MISSED",
  ]);
});

test("the tables have a row for each kind and each target", () => {
  expect(connectingTable([connected(4_096)])).toContain(
    "| v1-device   |        350 |            30 |     4.0 |",
  );
  const rows = deliveringTable([delivered(12, 40)]).split("\n");
  expect(rows).toHaveLength(2 + 5);
  expect(rows[3]).toBe(
    "| tag:beta               |       1500 |       12 |      22 |             40 |      1 |",
  );
});
