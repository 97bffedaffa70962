import { expect, test } from "bun:test";
import fc from "fast-check";
import { ConfigError, readConfig } from "../config.ts";
import { clientAddresses, countedAs, isNetwork } from "./client-address.ts";

const PROXIES = ["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8"];

test.each([
  // From whom nobody trusts, nothing is believed.
  ["203.0.113.9", null, "203.0.113.9"],
  ["203.0.113.9", "198.51.100.1", "203.0.113.9"],
  ["203.0.113.9", "127.0.0.1", "203.0.113.9"],
  ["2001:db8::1", "198.51.100.1", "2001:db8::1"],
  // What one trusted proxy says, and no more.
  ["127.0.0.1", null, "127.0.0.1"],
  ["127.0.0.1", "203.0.113.9", "203.0.113.9"],
  ["10.1.2.3", "6.6.6.6, 203.0.113.9", "203.0.113.9"],
  ["::1", "2001:DB8:0:0::1", "2001:db8::1"],
  ["fdff::1", " 203.0.113.9 ", "203.0.113.9"],
  // Trusted ones are skipped from the right.
  ["10.0.0.1", "6.6.6.6, 203.0.113.9, 10.0.0.2, fd00::7", "203.0.113.9"],
  ["10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"],
  // Garbage ends it: what stands before it was written by nobody who is trusted.
  ["127.0.0.1", "", "127.0.0.1"],
  ["127.0.0.1", "unknown", "127.0.0.1"],
  ["127.0.0.1", "203.0.113.9, unknown", "127.0.0.1"],
  ["10.0.0.1", "203.0.113.9, , 10.0.0.2", "10.0.0.2"],
  ["127.0.0.1", "203.0.113.9, 1.2.3.4.5", "127.0.0.1"],
  ["127.0.0.1", "203.0.113.999", "127.0.0.1"],
  ["127.0.0.1", "<script>", "127.0.0.1"],
  // Ports.
  ["127.0.0.1", "203.0.113.9:4711", "203.0.113.9"],
  ["127.0.0.1", "[2001:db8::1]:443", "2001:db8::1"],
  ["127.0.0.1", "[2001:db8::1]", "2001:db8::1"],
  ["127.0.0.1", "[2001:db8::1", "127.0.0.1"],
  ["127.0.0.1", "203.0.113.9:http", "127.0.0.1"],
  // One address has one spelling.
  ["::ffff:203.0.113.9", null, "203.0.113.9"],
  ["::ffff:127.0.0.1", "::ffff:cb00:7109", "203.0.113.9"],
  ["fe80::1%eth0", null, "fe80::1"],
  [undefined, "203.0.113.9", "unknown"],
] as const)("from %j with X-Forwarded-For %j it is %s", (peer, header, expected) => {
  expect(clientAddresses(PROXIES)(peer, header)).toBe(expected);
});

test("without trusted proxies the header is nothing", () => {
  expect(clientAddresses([])("127.0.0.1", "203.0.113.9")).toBe("127.0.0.1");
});

const bits = (length: number) => fc.bigInt({ min: 0n, max: (1n << BigInt(length)) - 1n });
const v4 = (value: bigint) => [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join(".");
const groups = (value: bigint) =>
  [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map((shift) => ((value >> shift) & 0xffffn).toString(16));
/** Addresses of one kind: how many bits, and how a number is written. */
const kinds = fc.constantFrom(
  { length: 32, write: v4, named: v4 },
  { length: 32, write: (value: bigint) => `::ffff:${v4(value)}`, named: v4 },
  {
    length: 128,
    write: (value: bigint) => groups(value).join(":"),
    named: (value: bigint) => new URL(`http://[${groups(value).join(":")}]`).hostname.slice(1, -1),
  },
);

test("a network holds exactly the addresses that begin as it does", () => {
  const cases = kinds.chain(({ length, write, named }) =>
    fc.record({
      write: fc.constant(write),
      named: fc.constant(named),
      length: fc.constant(length),
      prefix: fc.integer({ min: 0, max: length }),
      network: bits(length),
      // Near the network's edge, where it matters, or anywhere.
      change: fc.oneof(
        bits(length),
        fc.integer({ min: 0, max: length - 1 }).map((bit) => 1n << BigInt(bit)),
      ),
    }),
  );
  fc.assert(
    fc.property(cases, ({ write, named, length, prefix, network, change }) => {
      const written = write(network).startsWith("::ffff:") ? prefix + 96 : prefix;
      const addressOf = clientAddresses([`${write(network)}/${written}`]);
      const peer = network ^ change;
      // An IPv4 address that looks like one of IPv6 in disguise is another matter.
      fc.pre(length === 32 || peer >> 32n !== 0xffffn);
      const shift = BigInt(length - prefix);
      const isInside = peer >> shift === network >> shift;
      expect(addressOf(write(peer), "192.0.2.1")).toBe(isInside ? "192.0.2.1" : named(peer));
    }),
    { numRuns: 2_000 },
  );
});

test("whatever the header says, it is the peer's, or the last that no trusted proxy bears", () => {
  const hop = fc.oneof(
    fc.constantFrom("10.0.0.2", "10.9.9.9", "fd00::1", "127.0.0.1"),
    bits(32).map(v4),
    fc.string({ unit: "binary" }).filter((text) => !text.includes(",")),
    fc.constantFrom("", "unknown", "_hidden", "for=1.2.3.4", '"1.2.3.4"'),
  );
  const addressOf = clientAddresses(PROXIES);
  fc.assert(
    fc.property(fc.array(hop, { maxLength: 8 }), fc.array(hop, { maxLength: 8 }), (forged, hops) => {
      const honest = hops.join(",");
      const address = addressOf("10.0.0.1", honest);
      // What a client puts in front changes nothing once somebody who is not trusted is named.
      const isTrusted = addressOf(address, "192.0.2.1") === "192.0.2.1";
      if (!isTrusted) expect(addressOf("10.0.0.1", [...forged, honest].join(","))).toBe(address);
      expect(addressOf("192.0.2.7", honest)).toBe("192.0.2.7");
    }),
  );
});

test.each([
  ["203.0.113.9", "203.0.113.9"],
  ["unknown", "unknown"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["::", "0:0:0:0::/64"],
  ["2001:db8:1:2::", "2001:db8:1:2::/64"],
  ["1::8", "1:0:0:0::/64"],
])("%s is counted as %s", (address, counted) => {
  expect(countedAs(address)).toBe(counted);
});

test("addresses of one /64, and only they, are counted as one", () => {
  fc.assert(
    fc.property(bits(128), bits(128), fc.boolean(), (one, other, isNear) => {
      fc.pre(one >> 32n !== 0xffffn);
      const second = isNear ? ((one >> 64n) << 64n) | (other & 0xffff_ffff_ffff_ffffn) : other;
      fc.pre(second >> 32n !== 0xffffn);
      const addressOf = clientAddresses([]);
      const counted = [one, second].map((value) => countedAs(addressOf(groups(value).join(":"), null)));
      expect(counted[0] === counted[1]).toBe(one >> 64n === second >> 64n);
    }),
  );
});

test.each(["10.0.0.0/8", "10.1.2.3", "0.0.0.0/0", "::/0", "fd00::/8", "::1", "::ffff:10.0.0.0/104"])(
  "--trusted-proxies %s is taken",
  (text) => {
    expect(readConfig({ "trusted-proxies": `192.0.2.1, ${text}` }, {}, {}).trustedProxies).toEqual([
      "192.0.2.1",
      text,
    ]);
  },
);

test.each([
  "localhost",
  "10.0.0.0/33",
  "10.0.0.0/",
  "10.0.0.0/-1",
  "10.0.0.0/08",
  "10.0.0/8",
  "010.0.0.1",
  "fd00::/129",
  "::ffff:10.0.0.0/95",
  "fe80::1%eth0",
  "[::1]",
  "10.0.0.1:80",
  "*",
])("--trusted-proxies %s is refused", (text) => {
  expect(isNetwork(text)).toBe(false);
  const read = () => readConfig({ "trusted-proxies": `192.0.2.1,${text}` }, {}, {});
  expect(read).toThrow(ConfigError);
  expect(read).toThrow("expected addresses such as 127.0.0.1 or 10.0.0.0/8, separated by commas");
});
