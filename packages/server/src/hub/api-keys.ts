/**
 * API keys: tokens that the operator makes, for programs. A key is `ck_ID_SECRET`; it is shown once, and what is kept of it
 * cannot be used to log in.
 *
 *     const keys = await ApiKeys.open(engine, { clock, log });
 *     const { key, token } = await keys.create({ name: "backup", publish: ["backups"] });
 *     keys.kind(token); // Access, who: `key:${key.id}`
 */
import { timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Engine, KeptRecord } from "../engine/engine.ts";
import type { CancelTimer, Clock } from "../lib/clock.ts";
import { randomName, secret as randomSecret } from "../lib/ids.ts";
import type { Log } from "../lib/log.ts";
import { type Access, adminAccess, type TokenKind } from "./access.ts";
import { type Grants, grantedAccess, grantFields, shownText } from "./grants.ts";

export interface NewApiKey extends Grants {
  /** For people: 1 to 100 characters. */
  readonly name: string;
  /** Whether it may do everything. */
  readonly admin?: boolean | undefined;
  readonly expiresAtMs?: number | undefined;
}

/** What may be known of a key. Times are milliseconds since 1970. */
export interface ApiKey extends NewApiKey {
  readonly id: string;
  readonly createdAtMs: number;
  /** Absent if it was never used. */
  readonly lastUsedAtMs?: number | undefined;
}

export interface ApiKeysPorts {
  readonly clock: Clock;
  readonly log: Log;
}

export const keyName = shownText(100);

type Store = Pick<Engine, "records" | "saveRecords">;

/** All are in memory, at 1.4 KB of heap each, so that nobody has to wait for the disk: being let in takes 0.5 µs. */
const MAX_KEYS = 10_000;
const KIND = "key";
const TOKEN = /^ck_([A-Za-z0-9]{8})_([\w-]{32})$/;
/** A busy key is used thousands of times a second; when it was used last is written once in this time. */
const WRITE_AFTER_MS = 60_000;
const PAGE = 1_000;

/** What is kept of a key, by its id. What is not known here was written by a later version, and may restrict it. */
const kept = z.strictObject({
  ...grantFields,
  name: z.string(),
  admin: z.boolean().optional(),
  expiresAtMs: z.number().optional(),
  createdAtMs: z.number(),
  lastUsedAtMs: z.number().optional(),
  hash: z.string().regex(/^[\w-]{43}$/),
});

interface Entry {
  readonly key: Omit<ApiKey, "lastUsedAtMs">;
  readonly hash: Buffer;
  readonly access: Access;
  lastUsedAtMs: number | undefined;
}

/** Why a key was not made. */
export class KeyRefused extends Error {
  override readonly name = "KeyRefused";
  /** There are as many as there may be; or it would have ended already. */
  readonly code: "too_many" | "over";
  constructor(code: "too_many" | "over", message: string) {
    super(message);
    this.code = code;
  }
}

export class ApiKeys {
  readonly #store: Store;
  readonly #ports: ApiKeysPorts;
  readonly #entries = new Map<string, Entry>();
  readonly #unreadable = new Set<string>();
  /** Used since that was last written down. */
  #used = new Set<Entry>();
  #cancel: CancelTimer | undefined;
  /** The last write: a key that is being revoked must not be written down again by one that was made before. */
  #writing: Promise<void> = Promise.resolve();

  private constructor(store: Store, ports: ApiKeysPorts) {
    this.#store = store;
    this.#ports = ports;
  }

  /**
   * Reads all keys.
   * @throws {EngineError} by rejection.
   */
  static async open(store: Store, ports: ApiKeysPorts): Promise<ApiKeys> {
    const keys = new ApiKeys(store, ports);
    let page: readonly KeptRecord[];
    let after = "";
    do {
      page = await store.records(KIND, after, PAGE);
      for (const { id, data } of page) keys.#load(id, data);
      after = page.at(-1)?.id ?? "";
    } while (page.length === PAGE);
    return keys;
  }

  #load(id: string, data: string): void {
    try {
      const { hash, lastUsedAtMs, ...key } = kept.parse(JSON.parse(data));
      this.#put({ ...key, id }, Buffer.from(hash, "base64url"), lastUsedAtMs);
    } catch {
      this.#unreadable.add(id);
      this.#ports.log.error(`The API key ${id} cannot be read and is not valid; revoke it and make another`);
    }
  }

  #put(key: Entry["key"], hash: Buffer, lastUsedAtMs?: number): Entry {
    const entry = { key, hash, access: accessOf(key), lastUsedAtMs };
    this.#entries.set(key.id, entry);
    return entry;
  }

  /** Tokens that are keys. */
  readonly kind: TokenKind = (token) => {
    const [, id, secret] = TOKEN.exec(token) ?? [];
    if (id === undefined || secret === undefined) return undefined;
    const entry = this.#entries.get(id);
    if (entry === undefined || !timingSafeEqual(hashOf(secret), entry.hash)) return "invalid";
    const nowMs = this.#ports.clock.wallMs();
    if ((entry.access.expiresAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) return "expired";
    entry.lastUsedAtMs = nowMs;
    this.#noteUse(entry);
    return entry.access;
  };

  /**
   * Makes a key; resolves when it is durable. `token` is what its bearer needs; it is kept nowhere.
   * @throws {KeyRefused} by rejection.
   * @throws {EngineError} by rejection; then there is no such key.
   */
  async create(wanted: NewApiKey): Promise<{ readonly key: ApiKey; readonly token: string }> {
    const createdAtMs = this.#ports.clock.wallMs();
    if (wanted.expiresAtMs !== undefined && wanted.expiresAtMs <= createdAtMs) {
      throw new KeyRefused("over", "the time is over already");
    }
    if (this.#entries.size >= MAX_KEYS) {
      throw new KeyRefused("too_many", `there are ${MAX_KEYS} already; revoke one that is not needed`);
    }
    const id = this.#newId();
    const secret = randomSecret();
    const entry = this.#put({ ...wanted, id, createdAtMs }, hashOf(secret));
    try {
      await this.#write([entry]);
    } catch (error) {
      this.#entries.delete(id);
      throw error;
    }
    return { key: publicPart(entry), token: `ck_${id}_${secret}` };
  }

  /** Letters and digits alone: one that began with a dash would be taken for a flag. */
  #newId(): string {
    for (;;) {
      const id = randomName();
      if (/^[A-Za-z0-9]{8}$/.test(id) && !this.#entries.has(id)) return id;
    }
  }

  /** At most `limit` keys whose ids come after `after`, by id. */
  list(after: string, limit: number): readonly ApiKey[] {
    const later = [...this.#entries.values()].filter(({ key: { id } }) => id > after);
    const sorted = later.sort((one, other) => (one.key.id < other.key.id ? -1 : 1));
    return sorted.slice(0, limit).map(publicPart);
  }

  /**
   * The key is not valid from now on; resolves when that is durable, to `false` if there is none of this id. Those who are
   * connected by it are the caller's to withdraw.
   * @throws {EngineError} by rejection; then it is valid again.
   */
  async revoke(id: string): Promise<boolean> {
    const entry = this.#entries.get(id);
    if (entry === undefined && !this.#unreadable.has(id)) return false;
    this.#entries.delete(id);
    try {
      await this.#inTurn(() => this.#store.saveRecords([{ kind: KIND, id, data: undefined }]));
    } catch (error) {
      if (entry !== undefined) this.#entries.set(id, entry);
      throw error;
    }
    this.#unreadable.delete(id);
    return true;
  }

  #noteUse(entry: Entry): void {
    this.#used.add(entry);
    this.#cancel ??= this.#ports.clock.setTimer(WRITE_AFTER_MS, () => void this.flush());
  }

  /** Writes when keys were last used. Never rejects: what could not be written is tried with the next batch. */
  async flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    const used = [...this.#used];
    this.#used = new Set();
    try {
      await this.#write(used);
    } catch (error) {
      this.#ports.log.warn(`When API keys were last used could not be written: ${error}`);
      for (const entry of used) this.#noteUse(entry);
    }
  }

  #write(entries: readonly Entry[]): Promise<void> {
    return this.#inTurn(async () => {
      const present = entries.filter((entry) => this.#entries.get(entry.key.id) === entry);
      if (present.length > 0) await this.#store.saveRecords(present.map(recordOf));
    });
  }

  #inTurn(write: () => Promise<void>): Promise<void> {
    const written = this.#writing.then(write);
    this.#writing = written.catch(() => {});
    return written;
  }
}

/**
 * What is kept of a secret. A slow hash, as passwords need, would buy nothing: nobody tries out 192 random bits, and every
 * request would pay for it.
 */
function hashOf(secret: string): Buffer {
  return new Bun.CryptoHasher("sha256").update(secret).digest();
}

function accessOf({ id, admin, expiresAtMs, ...grants }: Entry["key"]): Access {
  const who = `key:${id}`;
  if (!admin) return grantedAccess(who, grants, expiresAtMs);
  return { ...adminAccess(who), ...(expiresAtMs !== undefined && { expiresAtMs }) };
}

function publicPart({ key, lastUsedAtMs }: Entry): ApiKey {
  return { ...key, ...(lastUsedAtMs !== undefined && { lastUsedAtMs }) };
}

function recordOf(entry: Entry): KeptRecord {
  const { id, ...rest } = publicPart(entry);
  // JSON leaves out what is undefined.
  return { kind: KIND, id, data: JSON.stringify({ ...rest, hash: entry.hash.toString("base64url") }) };
}
