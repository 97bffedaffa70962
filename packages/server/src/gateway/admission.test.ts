import { expect, test } from "bun:test";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import fc from "fast-check";
import type { Limits } from "../hub/limits.ts";
import { testLimits } from "../hub/testing/defaults.ts";
import { createMetrics } from "../lib/metrics.ts";
import { Admission, type NotAdmitted } from "./admission.ts";
import { countedAs } from "./client-address.ts";

function setUp(limits: Partial<Limits> = {}) {
  const clock = new VirtualClock();
  const metrics = createMetrics();
  const live = { ...testLimits(), ...limits };
  const admission = new Admission({ clock, limits: live, metrics });
  /** How often `enter` lets `address` in, of `times`. */
  const enter = (address: string, times: number) =>
    Array.from({ length: times }, () => admission.enter(address)).filter((each) => each === undefined).length;
  return { clock, metrics, limits: live, admission, enter };
}

const told = (refusal: NotAdmitted | undefined | (() => void)) => {
  if (refusal === undefined || typeof refusal === "function") return "let in";
  return `${refusal.problem.status} ${refusal.problem.code} ${refusal.headers["retry-after"]}`;
};

test("so many connections from one address, and the others do not notice", () => {
  const { admission, enter } = setUp({ maxConnectionsPerAddress: 3 });
  expect(enter("192.0.2.1", 10)).toBe(3);
  expect(told(admission.enter("192.0.2.1"))).toBe("429 too_many_connections 30");
  expect(enter("192.0.2.2", 10)).toBe(3);
  admission.leave("192.0.2.1");
  expect(enter("192.0.2.1", 10)).toBe(1);
});

test("all addresses of a /64 are one", () => {
  const { enter } = setUp({ maxConnectionsPerAddress: 3 });
  expect(enter("2001:db8:1:2::1", 2)).toBe(2);
  expect(enter("2001:db8:1:2:ffff::", 2)).toBe(1);
  expect(enter("2001:db8:1:3::1", 2)).toBe(2);
});

test("so many in all, streams with them", () => {
  const { admission, enter } = setUp({ maxConnections: 5 });
  expect(enter("192.0.2.1", 4)).toBe(4);
  const leave = admission.admitStream("192.0.2.2");
  expect(told(admission.enter("192.0.2.3"))).toBe("429 too_many_connections 30");
  expect(told(admission.admitStream("192.0.2.3"))).toBe("429 too_many_connections 30");
  if (typeof leave !== "function") return expect.unreachable();
  leave();
  leave();
  expect(enter("192.0.2.3", 10)).toBe(1);
});

test("so many streams; the rest may be WebSockets", () => {
  const { admission, enter } = setUp({ maxStreams: 2 });
  const places = Array.from({ length: 5 }, (_, n) => admission.admitStream(`192.0.2.${n}`));
  expect(places.map(told)).toEqual(["let in", "let in", ...Array(3).fill("429 too_many_streams 30")]);
  expect(enter("192.0.2.1", 10)).toBe(10);
});

test("so many handshakes a second from one address, of both kinds, refused ones too", () => {
  const { clock, admission, enter } = setUp({ maxHandshakesPerSecond: 10, maxConnectionsPerAddress: 4 });
  expect(enter("192.0.2.1", 8)).toBe(4);
  for (let n = 0; n < 3; n++) admission.admitStream("192.0.2.1");
  expect(told(admission.enter("192.0.2.1"))).toBe("429 too_many_handshakes 1");
  expect(told(admission.admitStream("192.0.2.1"))).toBe("429 too_many_handshakes 1");
  expect(enter("192.0.2.2", 1)).toBe(1);
  clock.advance(1_000);
  expect(told(admission.enter("192.0.2.1"))).toBe("429 too_many_connections 30");
});

test("limits that are changed count from the next on; those who are in stay", () => {
  const { limits, enter } = setUp({ maxConnections: 5 });
  expect(enter("192.0.2.1", 10)).toBe(5);
  limits.maxConnections = 3;
  expect(enter("192.0.2.1", 1)).toBe(0);
  limits.maxConnections = 7;
  expect(enter("192.0.2.1", 10)).toBe(2);
});

test("each refusal is counted by its code", async () => {
  const { metrics, admission, enter } = setUp({
    maxConnections: 1,
    maxStreams: 1,
    maxHandshakesPerSecond: 3,
  });
  enter("192.0.2.1", 2);
  admission.admitStream("192.0.2.1");
  enter("192.0.2.1", 10);
  const text = await metrics.text();
  expect(text).toContain('carillon_refused_total{code="too_many_connections"} 3');
  expect(text).toContain('carillon_refused_total{code="too_many_handshakes"} 9');
});

test("never more than allowed, whoever comes and goes in whatever order; and when all are gone, all may come", () => {
  const addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::"];
  const act = fc.record({
    address: fc.constantFrom(...addresses),
    act: fc.constantFrom("ws", "sse", "leave"),
  });
  const bound = fc.integer({ min: 1, max: 6 });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), bound, bound, bound, (acts, all, each, streams) => {
      const { admission, enter } = setUp({
        ...{ maxConnections: all, maxConnectionsPerAddress: each, maxStreams: streams },
      });
      const inside: { name: string; isStream: boolean; leave: () => void }[] = [];
      for (const { address, act } of acts) {
        const name = countedAs(address);
        if (act === "leave") {
          const index = inside.findIndex((other) => other.name === name);
          for (const gone of inside.splice(index, index < 0 ? 0 : 1)) gone.leave();
          continue;
        }
        const isStream = act === "sse";
        const place = isStream ? admission.admitStream(address) : admission.enter(address);
        const isRoom =
          inside.length < all &&
          inside.filter((other) => other.name === name).length < each &&
          (!isStream || inside.filter((other) => other.isStream).length < streams);
        expect(typeof place !== "object").toBe(isRoom);
        if (typeof place === "object") continue;
        inside.push({ name, isStream, leave: place ?? (() => admission.leave(address)) });
      }
      for (const { leave } of inside) leave();
      expect(enter("192.0.2.1", 10)).toBe(Math.min(all, each));
    }),
  );
});
