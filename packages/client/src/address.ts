/** Addresses of servers. */

/**
 * Where the server at an address takes WebSockets: `https://host/base` is `wss://host/base/ws`. By hand: React Native's
 * `URL` can be read but not changed.
 * @throws {TypeError} if it is no such address.
 */
export function socketUrl(text: string): string {
  if (!/^(http|ws)s?:\/\/[^/?#]/i.test(text)) throw new TypeError(`not an address of a server: ${text}`);
  return text
    .replace(/^\w+/, (scheme) => scheme.toLowerCase().replace("http", "ws"))
    .replace(/(?:\/|\/ws)?(\?[^#]*)?(?:#.*)?$/, "/ws$1");
}
