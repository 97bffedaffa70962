/**
 * Who is let in: the admin key, API keys and JWTs, as the configuration and the files that it names say; read anew by
 * `reload`.
 */
import { readFileSync } from "node:fs";
import { type AdminKey, adminKey, type NewAdminKey } from "./admin-key.ts";
import { type Config, ConfigError } from "./config.ts";
import { type Authenticate, adminKeyKind, authenticator, type TokenKind } from "./hub/access.ts";
import { RemoteKeys, type RemoteKeysPorts } from "./hub/jwks.ts";
import { jwtKind } from "./hub/jwt.ts";
import { foundKeys, type JwtKey, keySet, publicKey, secretKey } from "./hub/jwt-keys.ts";

export interface AccessControlPorts extends RemoteKeysPorts {
  /** Where the admin key is kept; `undefined` where nothing is kept on disk. */
  readonly dir: string | undefined;
}

export class AccessControl {
  readonly #ports: AccessControlPorts;
  readonly #rules: { readonly defaultChannel: string; readonly anonymous: boolean };
  #jwts: Jwts;
  #admin: AdminKey;

  /**
   * @throws {ConfigError} if a file that the configuration names does not hold what it should.
   * @throws {Error} with a system `code` if the admin key cannot be read or written.
   */
  constructor(config: Config, ports: AccessControlPorts) {
    this.#ports = ports;
    this.#rules = { defaultChannel: config.defaultChannel, anonymous: config.anonymous === "listen" };
    // First what may be wrong: a key that is made now is shown only if the server starts.
    this.#jwts = jwts(config, ports);
    this.#admin = adminKey(config.adminKey, ports.dir);
  }

  /** The admin key, if it was made at this start. */
  get newAdminKey(): NewAdminKey | undefined {
    return this.#admin.made;
  }

  /** Says who the bearer of a token is; `others` are the kinds that are kept by the engine. */
  authenticator(others: readonly TokenKind[]): Authenticate {
    const jwts: TokenKind = (token) => this.#jwts.kind(token);
    return authenticator({ ...this.#rules, kinds: [adminKeyKind(() => this.#admin.key), ...others, jwts] });
  }

  /**
   * Reads keys and their files anew; where one is wrong, all stay as they were. Keys of an address are used until they have
   * been read: a provider that is down must not turn a reload into a lockout. Who is connected by a JWT stays until that
   * expires.
   * @returns whose tokens are not valid any more.
   * @throws {ConfigError} as the constructor does.
   */
  reload(config: Config): readonly string[] {
    const before = this.#admin;
    const changed = jwts(config, this.#ports, this.#jwts);
    // One that is in memory alone would be another each time.
    const isNowhere = config.adminKey === "" && this.#ports.dir === undefined;
    const admin = isNowhere ? before : adminKey(config.adminKey, this.#ports.dir);
    this.#jwts = changed;
    changed.remote?.keys.reread();
    this.#admin = admin;
    if (admin.key === before.key) return [];
    if (admin.made) this.#ports.log.warn(`A new admin key was made; it is kept in ${admin.made.keptIn}`);
    return ["admin"];
  }
}

/** How JWTs are looked at. */
interface Jwts {
  /** All that it was made from, what the files held included. */
  readonly settings: string;
  readonly remote: { readonly url: string; readonly keys: RemoteKeys } | undefined;
  readonly kind: TokenKind;
}

/** `before` if nothing has changed: what it has verified stays so. */
function jwts(config: Config, ports: RemoteKeysPorts, before?: Jwts): Jwts {
  const { jwtSecret, jwtPublicKey, jwtJwks, jwtAudience: audience, jwtIssuer: issuer } = config;
  const isAddress = /^https?:/i.test(jwtJwks);
  const url = isAddress ? keysAddress(jwtJwks) : "";
  const pem = jwtPublicKey === "" ? "" : textOf("--jwt-public-key", jwtPublicKey);
  const set = jwtJwks === "" || isAddress ? "" : textOf("--jwt-jwks", jwtJwks);
  const settings = JSON.stringify([jwtSecret, jwtPublicKey, pem, jwtJwks, set, audience, issuer]);
  if (settings === before?.settings) return before;

  const keys: JwtKey[] = [];
  if (jwtSecret !== "") keys.push(secretKey(jwtSecret));
  if (jwtPublicKey !== "") keys.push(named("--jwt-public-key", jwtPublicKey, () => publicKey(pem)));
  if (jwtJwks !== "" && !isAddress) keys.push(named("--jwt-jwks", jwtJwks, () => keySet(set)));
  // Last, as it begins to ask.
  const remote = isAddress ? remoteKeys(url, ports, before) : undefined;
  if (remote !== undefined) keys.push(foundKeys(remote.keys));
  const rules = { ...(audience !== "" && { audience }), ...(issuer !== "" && { issuer }) };
  const kind = keys.length === 0 ? () => undefined : jwtKind({ keys, log: ports.log, ...rules }, ports.clock);
  return { settings, remote, kind };
}

/** The keys at hand, if they are of the same address. */
function remoteKeys(url: string, ports: RemoteKeysPorts, before: Jwts | undefined): Jwts["remote"] {
  return before?.remote?.url === url ? before.remote : { url, keys: new RemoteKeys(url, ports) };
}

/** Whoever stands on the way of plain http could hand in keys of his own, and with them let himself in. */
function keysAddress(text: string): string {
  const url = URL.parse(text);
  const isLocal = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url?.hostname ?? "");
  if (url?.protocol === "https:" || (url?.protocol === "http:" && isLocal)) return url.href;
  // Not repeated: it may hold a password.
  throw new ConfigError("--jwt-jwks: expected an https address or a file");
}

function textOf(flag: string, path: string): string {
  return named(flag, path, () => readFileSync(path, "utf8"));
}

/** What `read` returns; what is wrong with it is said of the flag and the file. */
function named<Value>(flag: string, path: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    throw new ConfigError(`${flag} ${JSON.stringify(path)}: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  if (code === "ENOENT") return "there is no such file";
  return code === "EACCES" ? "it may not be read" : message;
}
