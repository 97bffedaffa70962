/**
 * A channel, seen from the app: publications in order, each once, whatever happens to the connection.
 *
 *     news.on("publication", async ({ data }) => await show(data));
 *     for await (const { data } of news) show(data);
 *
 * Listening subscribes. A publication counts as handled when all its listeners have returned, promises included; then
 * its position is kept and acknowledged. A listener that throws is reported by `error` and counts as handled.
 */
import type {
  Gap,
  Json,
  Member,
  Publication,
  Published,
  PublishOptions,
  Push,
  Reply,
} from "@carillon/protocol/frames";
import { decodePosition, encodePosition, type Position, START, together } from "@carillon/protocol/position";
import { backoffMs } from "./backoff.ts";
import type { Carillon } from "./client.ts";
import { Emitter } from "./emitter.ts";
import { CarillonError } from "./errors.ts";
import { Marks } from "./marks.ts";
import { oneByOne } from "./one-by-one.ts";
import type { CancelTimer } from "./platform.ts";
import { Progress, reaches } from "./progress.ts";

/** A publication as the app gets it. */
export interface Received extends Publication {
  /** With `acks: "manual"`: this one and all before it have been handled. */
  ack(): void;
}

/** What a channel is doing, for a user interface to show. */
export type ChannelState =
  /** Not wanted. */
  | "unsubscribed"
  /** Wanted; waits for a connection or the server's answer. */
  | "subscribing"
  | "catching-up"
  | "live"
  /** The server does not allow it; `error` said why. */
  | "refused";

export interface ChannelOptions {
  /** Who says that a publication has been handled: the return of its listeners (`auto`, unless given), or `ack()`. */
  readonly acks?: "auto" | "manual";
}

interface Events {
  publication: Received;
  state: ChannelState;
  /** Something cannot be had any more. */
  gap: Gap;
  join: Member;
  leave: Member;
  error: CarillonError;
}

type Subscribed = Extract<Reply, { type: "subscribed" }>;
type ChannelPush = Extract<Push, { channel: string }>;

/** A step of the queue: publications to hand to the app, and how far they bring it. */
interface Step {
  readonly publication?: Publication;
  readonly position: Position | undefined;
}

/**
 * Publications that wait for slow listeners. Beyond it frames are dropped, and once the queue is empty the channel is
 * caught up from its position: nothing is lost, and memory is bounded.
 */
const MAX_QUEUED = 10_000;

/** Errors that another attempt may not see. */
const PASSING = new Set<string>(["storage_unavailable", "timeout", "internal", "too_many_pending"]);

export class Channel extends Emitter<Events> {
  readonly name: string;
  readonly #client: Carillon;
  readonly #manual: boolean;
  readonly #progress = new Progress();
  readonly #marks: Marks;
  #state: ChannelState = "unsubscribed";
  #loaded: Promise<void> | undefined;
  /** Whether what arrives belongs to the present subscription and fits into the queue. */
  #receiving = false;
  /** What the server's log held when it was subscribed to. */
  #top = START;
  #queue: Step[] = [];
  #draining = false;
  #attempt = 0;
  #cancelRetry: CancelTimer = () => {};

  /** @internal */
  constructor(name: string, client: Carillon, { acks = "auto" }: ChannelOptions = {}) {
    super();
    this.name = name;
    this.#client = client;
    this.#manual = acks === "manual";
    const { store, platform } = client;
    this.#marks = new Marks(name, { store, platform, send: (command) => client.send(command) });
  }

  get state(): ChannelState {
    return this.#state;
  }

  /** Everything up to here has been received. */
  get position(): Position | undefined {
    return this.#progress.position;
  }

  override on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => unknown): () => void {
    if (name === "publication" && this.#state === "unsubscribed") this.subscribe();
    return super.on(name, listener);
  }

  /** Wants the channel: from the position that was kept, else from now. */
  subscribe(): void {
    if (this.#state !== "unsubscribed" && this.#state !== "refused") return;
    this.#enter("subscribing");
    this.#client.connect();
    if (this.#client.state.status === "open") this.connected();
  }

  /** Does not want it any more: what comes from now on is not for this app, and `subscribe` starts from then. */
  unsubscribe(): void {
    if (this.#state === "unsubscribed") return;
    this.#stop("unsubscribed");
    this.#progress.forget();
    this.#marks.forget();
    this.#loaded = Promise.resolve();
    if (this.#client.state.status !== "open") return;
    this.#client.ask({ type: "unsubscribe", channel: this.name }).catch(() => {});
  }

  /**
   * Publishes; resolves when it is durable. On `connection_lost` or `timeout` it is not known whether it was: repeat it
   * with the same `idempotencyKey`.
   * @throws {CarillonError} by rejection.
   */
  async publish(data: Json, options: PublishOptions = {}): Promise<Published> {
    const reply = await this.#client.ask({ type: "publish", channel: this.name, data, ...options });
    return reply as Extract<Reply, { type: "published" }>;
  }

  /**
   * What is kept after the offset `after` (0), at most `limit` (100, 1,000 at most); go on from `to` while `more`.
   * @throws {CarillonError} by rejection.
   */
  async history(
    range: { after?: number; limit?: number } = {},
  ): Promise<Extract<Reply, { type: "history" }>> {
    const reply = await this.#client.ask({ type: "history", channel: this.name, ...range });
    return reply as Extract<Reply, { type: "history" }>;
  }

  /**
   * Who is there.
   * @throws {CarillonError} by rejection.
   */
  async presence(): Promise<Extract<Reply, { type: "presence" }>> {
    const reply = await this.#client.ask({ type: "presence", channel: this.name });
    return reply as Extract<Reply, { type: "presence" }>;
  }

  /** Publications one by one; the next one is handed out, and this one counts as handled, when it is asked for. */
  [Symbol.asyncIterator](): AsyncGenerator<Received, void> {
    return oneByOne((listener) => this.on("publication", listener));
  }

  /** Keeps and acknowledges at once what has been handled. */
  flush(): void {
    this.#marks.flush();
  }

  /**
   * There is a connection.
   * @internal
   */
  connected(): void {
    if (this.#state === "unsubscribed" || this.#state === "refused") return;
    this.#attempt = 0;
    void this.#ask();
  }

  /**
   * The connection is gone.
   * @internal
   */
  disconnected(): void {
    if (this.#state !== "unsubscribed" && this.#state !== "refused") this.#stop("subscribing");
  }

  /**
   * The server has subscribed it.
   * @internal
   */
  subscribed({ position, from, gap }: Subscribed): void {
    if (this.#state !== "subscribing") return;
    const top = decodePosition(position);
    const before = this.#progress.position;
    const start = from === undefined ? top : decodePosition(from);
    if (before === undefined || before.epoch !== start.epoch || reaches(start.offsets, before.offsets)) {
      this.#progress.position = start;
      // Kept at once: an app that was started, heard nothing and was started again has missed what came between.
      if (from === undefined) {
        this.#marks.move(start);
        this.#marks.flush();
      }
    }
    if (gap !== undefined) this.emit("gap", gap);
    this.#top = top.offsets;
    this.#receiving = true;
    this.#enter("catching-up");
    this.#lookIfLive();
  }

  /** @internal */
  receive(push: ChannelPush): void {
    switch (push.type) {
      case "join":
      case "leave":
        this.emit(push.type, push.member);
        break;
      case "revoked":
        this.#stop("subscribing");
        this.#failed(new CarillonError(push.code, push.message));
        break;
      case "publication":
        if (this.#receiving) this.#take(push.publication, false);
        break;
      case "page":
        if (this.#receiving) this.#takePage(push);
    }
    void this.#drain();
  }

  #takePage({ publications, to, gap }: Extract<Push, { type: "page" }>): void {
    if (gap !== undefined) this.emit("gap", gap);
    for (const publication of publications) this.#take(publication, true);
    if (!this.#receiving) return;
    this.#progress.cover(to);
    this.#queue.push({ position: this.#progress.position });
    this.#lookIfLive();
  }

  #take(publication: Publication, inPage: boolean): void {
    if (!this.#receiving) return;
    // What is dropped here is caught up with once the queue is empty.
    if (this.#queue.length >= MAX_QUEUED) this.#receiving = false;
    else {
      const verdict = this.#progress.take(publication, inPage);
      if (verdict === "new") this.#queue.push({ publication, position: this.#progress.position });
      else if (verdict === "missing") this.#receiving = false;
    }
  }

  #lookIfLive(): void {
    const { position } = this.#progress;
    if (this.#state === "catching-up" && position !== undefined && reaches(position.offsets, this.#top)) {
      this.#enter("live");
    }
  }

  /** Hands over what waits, one after the other. */
  async #drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    for (let step = this.#queue.shift(); step !== undefined; step = this.#queue.shift()) {
      if (step.publication !== undefined) await this.#handle(step.publication, step.position);
      else if (step.position !== undefined && !this.#manual) this.#marks.move(step.position);
    }
    this.#draining = false;
    const lacking = !this.#receiving && (this.#state === "live" || this.#state === "catching-up");
    if (!lacking) return;
    this.#enter("subscribing");
    void this.#ask();
  }

  async #handle(publication: Publication, position: Position | undefined): Promise<void> {
    const handled = () => {
      if (position !== undefined && this.#progress.position !== undefined) this.#marks.move(position);
    };
    const received = { ...publication, ack: handled };
    try {
      for (const result of this.emit("publication", received)) if (result instanceof Promise) await result;
    } catch (error) {
      this.emit("error", new CarillonError("internal", `a listener failed: ${error}`));
    }
    if (!this.#manual) handled();
  }

  /** Subscribes from where it stands. On a connection where it is subscribed, this starts it anew. */
  async #ask(): Promise<void> {
    this.#receiving = false;
    this.#cancelRetry();
    this.#loaded ??= this.#load();
    await this.#loaded;
    if (this.#state !== "subscribing" || this.#client.state.status !== "open") return;
    const { position } = this.#progress;
    try {
      await this.#client.ask({
        type: "subscribe",
        channel: this.name,
        ...(position !== undefined && { position: encodePosition(position) }),
      });
    } catch (error) {
      this.#failed(error as CarillonError);
    }
  }

  async #load(): Promise<void> {
    this.#progress.position = await this.#marks.load();
  }

  #failed(error: CarillonError): void {
    if (this.#state !== "subscribing" || error.code === "connection_lost") return;
    this.emit("error", error);
    const { position } = this.#progress;
    if (error.code === "future_position" && position !== undefined) {
      // A log that is shorter than what was seen of it has lost its end. Everything kept may be new.
      this.#progress.position = { epoch: position.epoch, offsets: together(0) };
      this.emit("gap", { reason: "epoch" });
      void this.#ask();
    } else if (PASSING.has(error.code)) {
      const { platform } = this.#client;
      this.#cancelRetry = platform.setTimer(
        backoffMs(this.#attempt++, platform.random()),
        () => void this.#ask(),
      );
    } else this.#stop("refused");
  }

  #stop(state: ChannelState): void {
    this.#cancelRetry();
    this.#receiving = false;
    if (state !== "subscribing") this.#queue = [];
    this.#enter(state);
  }

  #enter(state: ChannelState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("state", state);
  }
}
