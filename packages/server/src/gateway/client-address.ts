/**
 * Whose request it is. Behind a proxy every connection comes from the proxy, which names the client in X-Forwarded-For;
 * but anybody can write that header, so it counts only as far as trusted proxies have written it.
 *
 *     const addressOf = clientAddresses(["10.0.0.0/8"]);
 *     addressOf("10.0.0.7", "6.6.6.6, 203.0.113.9"); // 203.0.113.9: what stands before it, the client may have made up
 */
import { BlockList, isIP } from "node:net";

/** The address of the client that connects from `peer` with this X-Forwarded-For. */
export type ClientAddress = (peer: string | undefined, forwardedFor: string | null) => string;

/** @throws {RangeError} if one of `trusted` is no address and no network. */
export function clientAddresses(trusted: readonly string[]): ClientAddress {
  const proxies = new BlockList();
  for (const text of trusted) {
    const network = parseNetwork(text);
    if (network === undefined) throw new RangeError(`no address: ${text}`);
    proxies.addSubnet(network.address, network.prefix, familyOf(network.address));
  }
  const isTrusted = (address: string) => proxies.check(address, familyOf(address));
  return (peer, forwardedFor) => {
    let address = (peer !== undefined && parseAddress(peer)) || "unknown";
    if (forwardedFor === null || trusted.length === 0) return address;
    const hops = forwardedFor.split(",");
    // Each proxy adds whom it was called by, at the right.
    while (address !== "unknown" && isTrusted(address)) {
      const named = parseHop(hops.pop());
      if (named === undefined) break;
      address = named;
    }
    return address;
  };
}

/** Whether it is an address, or a network such as `10.0.0.0/8`. */
export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== undefined;
}

/**
 * What an address is counted by. Whoever has one IPv6 address has the 2^64 of its /64 (RFC 6177), so these are one.
 * Takes what a `ClientAddress` has answered.
 */
export function countedAs(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const last = tail === "" ? [] : tail.split(":");
    while (groups.length + last.length < 8) groups.push("0");
    groups.push(...last);
  }
  return `${groups.slice(0, 4).join(":")}::/64`;
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return address.includes(":") ? "ipv6" : "ipv4";
}

function parseNetwork(text: string): { readonly address: string; readonly prefix: number } | undefined {
  const [, start = "", length] = /^([^/%]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const address = parseAddress(start);
  if (address === undefined) return undefined;
  const bits = familyOf(address) === "ipv4" ? 32 : 128;
  // Of a network of IPv4 addresses written as IPv6, 96 bits are the same for all.
  const shift = bits === 32 && isIP(start) === 6 ? 96 : 0;
  const prefix = length === undefined ? bits : Number(length) - shift;
  return prefix >= 0 && prefix <= bits ? { address, prefix } : undefined;
}

/** An address with or without a port, as proxies write it. */
function parseHop(hop: string | undefined): string | undefined {
  const [, bracketed, plain, withoutPort] =
    /^(?:\[([^\]]*)\](?::\d{1,5})?|(\d[\d.]*):\d{1,5}|(.*))$/.exec(hop?.trim() ?? "") ?? [];
  return parseAddress(bracketed ?? plain ?? withoutPort ?? "");
}

const MAPPED = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/;

/** One spelling for each address; an IPv4 address that comes as IPv6 (`::ffff:1.2.3.4`) is an IPv4 address. */
function parseAddress(text: string): string | undefined {
  const [plain = ""] = text.split("%");
  const version = isIP(plain);
  if (version === 4) return plain;
  if (version === 0) return undefined;
  const { hostname } = new URL(`http://[${plain}]/`);
  const address = hostname.slice(1, -1);
  const [, high, low] = MAPPED.exec(address) ?? [];
  if (high === undefined || low === undefined) return address;
  const number = Number.parseInt(high, 16) * 0x1_0000 + Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join(".");
}
