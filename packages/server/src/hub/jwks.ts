/**
 * The keys of an identity provider, read from its JWKS address and kept. jose's own reader keeps time by the machine's clock,
 * asks again for every token while the address cannot be reached, and then has no keys at all; this one goes on with those
 * it has: an outage of the provider must not lock everybody out.
 */
import { errors, type JWTVerifyGetKey } from "jose";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { readKeySet } from "./jwt-keys.ts";

/** After this time keys are read again, while those at hand are used. A key that was withdrawn is believed no longer. */
const KEPT_MS = 600_000;
/** A key that is not in the set is looked for anew at most so often, or anybody could make this server ask in a loop. */
const COOLDOWN_MS = 30_000;
/** A provider that starts together with this server is soon there. */
const COOLDOWN_AFTER_FAILURE_MS = 5_000;
const TIMEOUT_MS = 5_000;
const WARN_EVERY_MS = 60_000;

/** The part of the global `fetch` that is used. */
export type FetchText = (url: string, init: RequestInit) => Promise<Response>;

export interface RemoteKeysPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** The global one unless given. */
  readonly fetch?: FetchText;
}

/** There are no keys to look at a token with. */
export class KeysUnavailable extends Error {
  override readonly name = "KeysUnavailable";
}

export class RemoteKeys {
  readonly #url: string;
  readonly #ports: RemoteKeysPorts;
  #keys: JWTVerifyGetKey | undefined;
  /** The set that they are of, as it came. */
  #text: string | undefined;
  #generation = 0;
  #asking: Promise<void> | undefined;
  /** On the monotonic clock, as are the others. */
  #readAtMs = Number.NEGATIVE_INFINITY;
  #mayAskAtMs = Number.NEGATIVE_INFINITY;
  #mayWarnAtMs = Number.NEGATIVE_INFINITY;

  /** Starts to read them, so that the first token need not wait. */
  constructor(url: string, ports: RemoteKeysPorts) {
    this.#url = url;
    this.#ports = ports;
    void this.#ask();
  }

  /** The key for a token's header. Rejects if there is none, or none could be read yet. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const asked = this.#askIfOld();
    if (this.#keys === undefined) await asked;
    try {
      return await this.#known(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await this.#ask();
      return await this.#known(header, token);
    }
  };

  /**
   * Another number once the keys have changed. Has them read again if they are old: tokens that are known already are no
   * reason to find a key, and one that was withdrawn would be believed for ever.
   */
  readonly generation = (): number => {
    void this.#askIfOld();
    return this.#generation;
  };

  get #known(): JWTVerifyGetKey {
    if (this.#keys === undefined) throw new KeysUnavailable("the keys could not be read yet");
    return this.#keys;
  }

  /** Has them read again, in the background, however new they are: somebody knows that they have changed. */
  reread(): void {
    this.#mayAskAtMs = Number.NEGATIVE_INFINITY;
    void this.#ask();
  }

  #askIfOld(): Promise<void> | undefined {
    const isOld = this.#ports.clock.monotonicMs() - this.#readAtMs >= KEPT_MS;
    return isOld ? this.#ask() : undefined;
  }

  /** Reads them, unless that was tried just now. Never rejects. */
  #ask(): Promise<void> {
    const { clock } = this.#ports;
    if (this.#asking !== undefined) return this.#asking;
    if (clock.monotonicMs() < this.#mayAskAtMs) return Promise.resolve();
    this.#asking = this.#read().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #read(): Promise<void> {
    const { clock } = this.#ports;
    try {
      const text = await this.#download();
      if (text !== this.#text) {
        this.#keys = readKeySet(text);
        this.#text = text;
        this.#generation += 1;
      }
      this.#readAtMs = clock.monotonicMs();
      this.#mayAskAtMs = this.#readAtMs + COOLDOWN_MS;
    } catch (error) {
      this.#mayAskAtMs = clock.monotonicMs() + COOLDOWN_AFTER_FAILURE_MS;
      this.#warn(error);
    }
  }

  /** Follows no redirect: it could lead from https to http. */
  async #download(): Promise<string> {
    const { clock, fetch: get = fetch } = this.#ports;
    const timeout = new AbortController();
    const cancel = clock.setTimer(TIMEOUT_MS, () => timeout.abort(new Error("no answer in time")));
    try {
      const response = await get(this.#url, { redirect: "manual", signal: timeout.signal });
      if (response.status !== 200) throw new Error(`answered ${response.status}`);
      return await response.text();
    } finally {
      cancel();
    }
  }

  /** Says where without a password or a query. */
  #warn(error: unknown): void {
    const nowMs = this.#ports.clock.monotonicMs();
    if (nowMs < this.#mayWarnAtMs) return;
    this.#mayWarnAtMs = nowMs + WARN_EVERY_MS;
    const reason = error instanceof Error ? error.message : String(error);
    const consequence = this.#keys === undefined ? "JWTs cannot be looked at" : "the keys at hand are used";
    const { origin, pathname } = new URL(this.#url);
    this.#ports.log.warn(
      `The keys at ${origin}${pathname} cannot be read: ${reason}; ${consequence} until they can`,
    );
  }
}
