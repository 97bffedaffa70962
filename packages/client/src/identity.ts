/**
 * Who this device is: made once by the server, kept in the store, and the same for all that share the store.
 */
import type { DeviceOptions, Fetch, Identity } from "./device-options.ts";
import { CarillonError, type ClientErrorCode } from "./errors.ts";
import type { Store } from "./stores.ts";

/** No channel is called so. */
const KEY = "$identity";
const TOO_MANY_REQUESTS = 429;

/** An identity, and what the server has been told of the device, as JSON. */
interface Kept extends Identity {
  readonly said?: string;
}

/** What browsers have for several pages of one origin. */
interface Locks {
  request<Result>(name: string, run: () => Promise<Result>): Promise<Result>;
}

export class Identities {
  readonly #url: string;
  readonly #store: Store;
  readonly #options: DeviceOptions;
  readonly #made: (identity: Identity) => void;
  /** For a store that cannot keep it. */
  #known: Kept | undefined;
  #obtaining: Promise<Kept> | undefined;

  /**
   * @param url of the API's devices.
   * @param made hears of an identity that the server has just made.
   */
  constructor(url: string, store: Store, options: DeviceOptions, made: (identity: Identity) => void) {
    this.#url = url;
    this.#store = store;
    this.#options = options;
    this.#made = made;
  }

  /** What is kept; another page may have changed it. */
  async load(): Promise<Kept | undefined> {
    try {
      const kept = JSON.parse((await this.#store.load(KEY)) ?? "null");
      if (kept.id && kept.token) this.#known = kept;
    } catch {}
    return this.#known;
  }

  /** Keeps it; `undefined` forgets. */
  async save(identity: Kept | undefined): Promise<void> {
    this.#known = identity;
    try {
      await this.#store.save(KEY, identity && JSON.stringify(identity));
    } catch {}
  }

  /**
   * The identity, made if there is none or its token is `refused`.
   * @throws {CarillonError} by rejection; see `call`.
   */
  obtain(refused: string | undefined): Promise<Kept> {
    this.#obtaining ??= this.#obtain(refused).finally(() => {
      this.#obtaining = undefined;
    });
    return this.#obtaining;
  }

  async #obtain(refused: string | undefined): Promise<Kept> {
    const usable = async () => {
      const kept = await this.load();
      return kept?.token === refused ? undefined : kept;
    };
    const make = async () => {
      const kept = await usable();
      if (kept !== undefined) return kept;
      const said = this.#profile();
      const { authorization } = this.#options;
      const right = typeof authorization === "function" ? await authorization() : authorization;
      const made = { ...((await this.call("POST", "", right, said)) as Identity), said };
      // Without locks two pages may register at once. The one that was first is who both are.
      const faster = await usable();
      if (faster !== undefined) {
        this.call("DELETE", `/${made.id}`, made.token).catch(() => {});
        return faster;
      }
      await this.save(made);
      this.#made(made);
      return made;
    };
    const { locks } = (globalThis as { navigator?: { locks?: Locks } }).navigator ?? {};
    return (await usable()) ?? (locks ? locks.request(this.#url, make) : make());
  }

  /** Tells the server what the app says of the device, if that is not what it was told last: a journey to another time zone. */
  async tell(): Promise<void> {
    const kept = await this.load();
    const said = this.#profile();
    if (kept === undefined || kept.said === said) return;
    try {
      await this.call("PATCH", `/${kept.id}`, kept.token, said);
      await this.save({ ...kept, said });
    } catch {
      // At the next connection, then.
    }
  }

  /** What the app says of the device, as JSON. */
  #profile(): string {
    const { platform, appVersion, tags, ...rest } = this.#options;
    const { locale, timeZone } = { ...globalThis.Intl?.DateTimeFormat().resolvedOptions(), ...rest };
    return JSON.stringify({ platform, appVersion, locale, timeZone, tags });
  }

  /**
   * Asks the server's API; `token` is whose right it is.
   * @throws {CarillonError} by rejection: `connection_lost`, or what the server answered; then `cause` is the HTTP status.
   */
  async call(
    method: string,
    path: string,
    token: string | undefined,
    body: string | null = null,
  ): Promise<unknown> {
    const { fetch = globalThis.fetch as Fetch } = this.#options;
    const headers = {
      "content-type": "application/json",
      ...(token && { authorization: `Bearer ${token}` }),
    };
    const answer = await fetch(this.#url + path, { method, headers, body }).catch((cause) => {
      throw new CarillonError("connection_lost", String(cause));
    });
    const said = (await answer.json().catch(() => ({}))) as { code?: ClientErrorCode; detail?: string };
    if (answer.ok) return said;
    const { status } = answer;
    throw new CarillonError(said.code ?? "internal", `${status} ${said.detail}`, { cause: status });
  }
}

/** Whether asking again would be answered the same. */
export function isFinal(error: unknown): error is CarillonError {
  const { cause } = error instanceof CarillonError ? error : {};
  return typeof cause === "number" && cause < 500 && cause !== TOO_MANY_REQUESTS;
}
