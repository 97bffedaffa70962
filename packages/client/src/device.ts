/**
 * `@carillon/client/device`: an app that is a device. It has an inbox, which nobody else reads and which waits for it, and
 * push switches that stick.
 *
 *     import { Device, localStorageStore } from "@carillon/client/device";
 *
 *     const device = new Device("https://push.example.com", { store: localStorageStore(), platform: "web" });
 *     device.on("publication", ({ data }) => show(data));
 *     device.carillon.channel("news").on("publication", ({ data }) => show(data));
 *     await device.switch("news", { quietHours: { from: "22:00", to: "07:00" } });
 *
 * It registers by itself, once, when it first has a connection; the store keeps who it is.
 */
import type { Publication, PushSwitch, ServerFrame } from "@carillon/protocol/frames";
import { socketUrl } from "./address.ts";
import { Carillon } from "./client.ts";
import type { Answer } from "./commands.ts";
import type { DeviceEvents, InboxPublication, SwitchChanges } from "./device-events.ts";
import type { DeviceChanges, DeviceInfo, DeviceOptions, Identity } from "./device-options.ts";
import { Emitter } from "./emitter.ts";
import { Identities, isFinal } from "./identity.ts";
import { systemPlatform } from "./platform.ts";
import { Reads } from "./reads.ts";
import { RecentIds } from "./recent-ids.ts";
import { memoryStore } from "./stores.ts";

export type { PushSwitch, QuietHours } from "@carillon/protocol/frames";
export type * from "./device-events.ts";
export type * from "./device-options.ts";
export * from "./index.ts";

/** What the server closes with when it does not take the token. */
const UNAUTHORIZED = 4500;

/** Publications of a channel that wait for the app's `ack`, as far as is kept which these are. */
const MOST_OPEN = 1_000;

export class Device extends Emitter<DeviceEvents> {
  /** The connection, for channels and everything else. */
  readonly carillon: Carillon;
  readonly #options: DeviceOptions;
  readonly #identities: Identities;
  /** With what the present connection has come. */
  #identity: Identity | undefined;
  /** A token that the server did not take. */
  #refused: string | undefined;
  /** Whether the server has taken one in this life of the app, or given a new one: another is then not asked for by itself. */
  #isKnown = false;
  #inbox: readonly string[] = [];
  /** Ends listening, by channel of the inbox. */
  readonly #listening = new Map<string, () => void>();
  /** Publications that may wait here still, but are not to be handed out. */
  readonly #withdrawn = new RecentIds();
  /** Publications that this device has handled itself: that withdraws them from the others, not from here. */
  readonly #handled = new RecentIds();
  readonly #switches = new Map<string, PushSwitch>();
  readonly #reads: Reads;

  /**
   * @param url the server's address, as `Carillon` takes it.
   * @throws {TypeError} if it is no such address, or there is no `WebSocket`.
   */
  constructor(url: string, { machine, ...options }: DeviceOptions = {}) {
    super();
    this.#options = options;
    const store = options.store ?? memoryStore();
    const api = socketUrl(url).replace(/^ws(.*)\/ws.*/, "http$1/v1/devices");
    this.#identities = new Identities(api, store, options, ({ id, token }) => {
      this.#isKnown = true;
      this.emit("registered", { id, token });
    });
    this.carillon = new Carillon(url, {
      ...options,
      platform: machine ?? systemPlatform(options.WebSocket),
      store,
      token: () => this.#token(),
      onFrame: (frame) => this.#seen(frame),
    });
    this.#reads = new Reads(this.carillon);
    this.carillon.on("state", (state) => {
      if (state.status === "closed" && state.code === UNAUTHORIZED) void this.#turnedAway();
    });
  }

  /** Known once it has been connected. */
  get id(): string | undefined {
    return this.#identity?.id;
  }

  /** The same with the token, for what acts in its name: a service worker. */
  get identity(): Identity | undefined {
    return this.#identity;
  }

  /** The channels of its inbox; known once it has been connected. */
  get inbox(): readonly string[] {
    return this.#inbox;
  }

  /** How the push switch of a channel stands, as far as is known: the server tells it with the subscription. */
  switchOf(channel: string): PushSwitch | undefined {
    return this.#switches.get(channel);
  }

  override on<Name extends keyof DeviceEvents>(
    name: Name,
    listener: (value: DeviceEvents[Name]) => unknown,
  ): () => void {
    const stop = super.on(name, listener);
    if (name === "publication") {
      this.carillon.connect();
      this.#listen();
    }
    return () => {
      stop();
      this.#listen();
    };
  }

  /**
   * Sets the push switch of a channel, and tells how it stands then. It is in force at once, and everywhere remembered.
   * @throws {CarillonError} by rejection.
   */
  switch(channel: string, changes: SwitchChanges): Promise<PushSwitch> {
    return this.carillon.ask({ ...changes, type: "switch", channel }) as Promise<Answer<"switched">>;
  }

  /**
   * Says that the user has read a publication; resolves once the server knows, after a lost connection when there is another.
   * @throws {CarillonError} by rejection: what the server answered, or `too_many_pending` when 1,000 wait.
   */
  read({ channel, id }: Pick<InboxPublication, "channel" | "id">): Promise<void> {
    this.#handled.add(id);
    return this.#reads.add(channel, id);
  }

  /**
   * What the server knows of the device.
   * @throws {CarillonError} by rejection.
   */
  info(): Promise<DeviceInfo> {
    return this.#call("GET") as Promise<DeviceInfo>;
  }

  /**
   * Changes what the server knows of the device, and tells what that is now.
   * @throws {CarillonError} by rejection.
   */
  update(changes: DeviceChanges): Promise<DeviceInfo> {
    return this.#call("PATCH", changes) as Promise<DeviceInfo>;
  }

  /**
   * Deletes the device with all that the server keeps of it, and closes the connection. It is another device when it connects
   * the next time.
   * @throws {CarillonError} by rejection; then it is still there.
   */
  async remove(): Promise<void> {
    const kept = await this.#identities.load();
    // First: the server would say that the token is not valid any more.
    this.carillon.close();
    if (kept !== undefined) await this.#identities.call("DELETE", `/${kept.id}`, kept.token);
    this.#change([]);
    await this.#identities.save(undefined);
  }

  async #call(method: string, body: object | null = null): Promise<unknown> {
    const { id, token } = await this.#identities.obtain(this.#refused);
    return this.#identities.call(method, `/${id}`, token, body === null ? null : JSON.stringify(body));
  }

  /** Is another device from now on, which the server makes. */
  async register(): Promise<void> {
    this.#refused = (await this.#identities.load())?.token;
    this.#comeAgain();
  }

  /** Is this device from now on: one that a backend has registered, or with the token that it has been given anew. */
  async use(identity: Identity): Promise<void> {
    await this.#identities.save(identity);
    this.#comeAgain();
  }

  #comeAgain(): void {
    const { carillon } = this;
    carillon.connection.abandon("another identity");
    // Those of before were turned away with the token of before.
    for (const channel of carillon.channels.values()) if (channel.state === "refused") channel.subscribe();
    carillon.connect();
  }

  async #token(): Promise<string> {
    try {
      const { id, token } = await this.#identities.obtain(this.#refused);
      this.#identity = { id, token };
      return token;
    } catch (error) {
      if (isFinal(error)) {
        // Else it would come back to be told the same.
        this.carillon.close();
        this.emit("error", error);
      }
      throw error;
    }
  }

  async #turnedAway(): Promise<void> {
    const identity = this.#identity;
    if (identity === undefined) return;
    const kept = await this.#identities.load();
    // Another page may have another by now.
    if (kept?.token !== identity.token) this.#comeAgain();
    else if (this.#isKnown || this.#options.reregister === false) this.emit("revoked", identity);
    else await this.register();
  }

  #seen(frame: ServerFrame): boolean {
    switch (frame.type) {
      case "connected":
        this.#isKnown = true;
        this.#change(frame.inbox ?? []);
        void this.#identities.tell();
        break;
      case "subscribed":
      case "switched":
      case "switch":
        this.#note(frame);
        break;
      case "publication": {
        const { withdraws } = frame.publication;
        if (withdraws === undefined) break;
        this.#withdrawn.add(withdraws);
        if (!this.#handled.has(withdraws)) this.emit("withdrawn", withdraws);
        return true;
      }
    }
    return false;
  }

  /** What it reads is this from now on. */
  #change(inbox: readonly string[]): void {
    // It has another user now, or none.
    for (const name of this.#inbox) if (!inbox.includes(name)) this.carillon.channel(name).unsubscribe();
    this.#inbox = inbox;
    this.#listen();
  }

  #note({ channel, push = true, quietHours }: { readonly channel: string } & Partial<PushSwitch>): void {
    const now = { push, ...(quietHours && { quietHours }) };
    if (JSON.stringify(this.#switches.get(channel)) === JSON.stringify(now)) return;
    this.#switches.set(channel, now);
    this.emit("switch", { channel, ...now });
  }

  /** Listens to the inbox while somebody listens here; what comes otherwise waits. */
  #listen(): void {
    const wanted = this.listeners("publication") > 0 ? this.#inbox : [];
    for (const [name, stop] of this.#listening) {
      if (wanted.includes(name)) continue;
      this.#listening.delete(name);
      stop();
    }
    for (const name of wanted) {
      if (!this.#listening.has(name)) this.#listening.set(name, this.#listenTo(name));
    }
  }

  #listenTo(name: string): () => void {
    const { acks } = this.#options;
    const channel = this.carillon.channel(name, { ...(acks && { acks }) });
    /** Handed out and not acknowledged. */
    const open: Publication[] = [];
    const handled = (last: Publication) => {
      for (const { id, withdrawOn } of open.splice(0, open.indexOf(last) + 1)) {
        if (withdrawOn === "ack") this.#handled.add(id);
      }
    };
    const stops = [
      channel.on("publication", async (publication) => {
        if (this.#withdrawn.has(publication.id)) return;
        if (open.push(publication) > MOST_OPEN) open.shift();
        const ack = () => {
          handled(publication);
          publication.ack();
        };
        await Promise.all(this.emit("publication", { ...publication, ack, channel: name }));
        if (acks !== "manual") handled(publication);
      }),
      channel.on("gap", (gap) => this.emit("gap", { channel: name, gap })),
      channel.on("error", (error) => this.emit("error", error)),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }
}
