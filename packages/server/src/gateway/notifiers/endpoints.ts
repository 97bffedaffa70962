/**
 * Which endpoints are posted to. They come from apps, and an app may be hostile: this server must not become its way into
 * the network that the server stands in. So only `https` to public addresses, unless the operator has named the host.
 *
 *     const endpoints = new Endpoints(["push.lab:8080"], lookUp);
 *     endpoints.problem("https://10.0.0.1/x"); // "expected a public address"
 *     await endpoints.resolve("https://push.example/x"); // { url: "https://203.0.113.9/x", hostname: "push.example", … }
 *
 * A name is looked up and checked at every message, and the request goes to the very address that was checked, with the
 * name in `Host` and in TLS: whoever changes their DNS in between gains nothing.
 */
import { BlockList, isIP } from "node:net";

export const MAX_ENDPOINT_LENGTH = 2_000;

/** The addresses of a name. Rejects if there are none. */
export type LookUp = (hostname: string) => Promise<readonly string[]>;

/** Where a request goes. */
export interface Route {
  /** With an address in place of the name. */
  readonly url: string;
  /** The header `Host`. */
  readonly host: string;
  /** Whose certificate is expected; `undefined` if the endpoint names an address itself, or without TLS. */
  readonly serverName: string | undefined;
}

export class Endpoints {
  readonly #allowed: readonly string[];
  readonly #lookUp: LookUp;

  /** `allowed` are patterns as `isHostPattern` knows them. */
  constructor(allowed: readonly string[], lookUp: LookUp) {
    this.#allowed = allowed.map((pattern) => pattern.toLowerCase());
    this.#lookUp = lookUp;
  }

  /** Why nothing is posted to `endpoint`, in one line for people; `undefined` if it is, unless its name leads elsewhere. */
  problem(endpoint: string): string | undefined {
    if (endpoint.length > MAX_ENDPOINT_LENGTH) {
      return `expected an address of at most ${MAX_ENDPOINT_LENGTH} characters`;
    }
    const url = URL.parse(endpoint);
    if (url?.protocol !== "https:" && url?.protocol !== "http:") return "expected an https address";
    if (url.username !== "" || url.password !== "") return "expected an address without a password";
    if (this.#isAllowed(url)) return undefined;
    if (url.protocol !== "https:") return "expected an https address";
    // What listens on the others was not made to be posted to by anybody.
    if (url.port !== "" && Number(url.port) < 1_024) return "expected port 443, or one from 1024 on";
    const { hostname } = url;
    const address = addressIn(hostname);
    if (address === undefined ? isLocalName(hostname) : !isPublic(address))
      return "expected a public address";
    return undefined;
  }

  /**
   * Where a request to `endpoint` goes, which is one that `problem` has nothing against; or why it goes nowhere.
   * @throws {Error} by rejection if its name cannot be looked up now.
   */
  async resolve(endpoint: string): Promise<Route | { readonly problem: string }> {
    const url = new URL(endpoint);
    const { host, hostname } = url;
    if (addressIn(hostname) !== undefined) return { url: url.href, host, serverName: undefined };
    const addresses = await this.#lookUp(hostname);
    const [first] = addresses;
    if (first === undefined) throw new Error("no address");
    // One that leads to both has nothing good in mind.
    if (!this.#isAllowed(url) && !addresses.every(isPublic))
      return { problem: "its name leads to a private address" };
    url.hostname = isIP(first) === 6 ? `[${first}]` : first;
    return { url: url.href, host, serverName: url.protocol === "https:" ? hostname : undefined };
  }

  #isAllowed({ hostname, port, protocol }: URL): boolean {
    const portOf = port !== "" ? port : protocol === "https:" ? "443" : "80";
    return this.#allowed.some((pattern) => {
      const { name, port: wanted } = splitPattern(pattern);
      if (wanted !== undefined && wanted !== portOf) return false;
      return name.startsWith("*.") ? hostname.endsWith(name.slice(1)) : hostname === name;
    });
  }
}

const PATTERN = /^(?<name>\*\.[a-z0-9.-]+|[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?<port>[1-9]\d{0,4}))?$/i;

/** Whether it is `host`, `host:port`, or either with `*.` for all names below one. An IPv6 address stands in brackets. */
export function isHostPattern(text: string): boolean {
  const { name, port } = splitPattern(text);
  return name !== "" && (port === undefined || Number(port) <= 65_535);
}

function splitPattern(pattern: string): { readonly name: string; readonly port: string | undefined } {
  const { name = "", port } = PATTERN.exec(pattern)?.groups ?? {};
  return { name, port };
}

/** The address that stands in the place of a name; a URL has them all in one spelling, `0x7f.1` as 127.0.0.1. */
function addressIn(hostname: string): string | undefined {
  const address = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  return isIP(address) === 0 ? undefined : address;
}

/** Names that only this machine or this network knows, said to the app at once and not at every message. */
function isLocalName(hostname: string): boolean {
  const name = hostname.endsWith(".") ? hostname.slice(0, -1) : hostname;
  return !name.includes(".") || /\.(?:localhost|local|internal|home\.arpa)$/.test(name);
}

/** The registries of RFC 6890, and multicast. */
const PRIVATE_IPV4 = blockList("ipv4", [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
]);
/** What is routed, but for tunnels to IPv4 addresses and documentation. */
const GLOBAL_IPV6 = blockList("ipv6", ["2000::/3"]);
const SPECIAL_IPV6 = blockList("ipv6", ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]);
/** IPv4 addresses in IPv6: as a socket has them, and behind a NAT64 (RFC 6052). */
const EMBEDDED = blockList("ipv6", ["::ffff:0:0/96", "64:ff9b::/96"]);

function blockList(family: "ipv4" | "ipv6", networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix] = network.split("/");
    list.addSubnet(address, Number(prefix), family);
  }
  return list;
}

/** Whether an address is somebody's on the internet. */
export function isPublic(address: string): boolean {
  const version = isIP(address);
  if (version === 4) return !PRIVATE_IPV4.check(address, "ipv4");
  // A zone is one of this machine's.
  if (version === 0 || address.includes("%")) return false;
  const spelled = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  if (EMBEDDED.check(spelled, "ipv6")) return isPublic(lastFourBytes(spelled));
  return GLOBAL_IPV6.check(spelled, "ipv6") && !SPECIAL_IPV6.check(spelled, "ipv6");
}

/** Of an IPv6 address in the spelling of a URL, as an IPv4 address. */
function lastFourBytes(address: string): string {
  const [, high = "", low = ""] = /([\da-f]*):([\da-f]*)$/.exec(address) ?? [];
  const number = Number.parseInt(high || "0", 16) * 0x1_0000 + Number.parseInt(low || "0", 16);
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join(".");
}
