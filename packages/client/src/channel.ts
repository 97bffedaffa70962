/**
 * A channel, seen from the app: publications in order, each once, whatever happens to the connection.
 *
 *     news.on("publication", async ({ data }) => await show(data));
 *     for await (const { data } of news) show(data);
 *
 * Listening subscribes. A publication counts as handled when all its listeners have returned, promises included; then
 * its position is kept and acknowledged. A listener that throws is reported by `error` and counts as handled.
 */
import type { Json, Publication, Published, PublishOptions, Push, Reply } from "@carillon/protocol/frames";
import { decodePosition, encodePosition, type Position, START } from "@carillon/protocol/position";
import { backoffMs } from "./backoff.ts";
import {
  type ChannelEvents,
  type ChannelOptions,
  type ChannelState,
  isWanted,
  type Received,
} from "./channel-events.ts";
import type { Carillon } from "./client.ts";
import { Delivery, type Step } from "./delivery.ts";
import { Emitter } from "./emitter.ts";
import { CarillonError } from "./errors.ts";
import { Marks } from "./marks.ts";
import { oneByOne } from "./one-by-one.ts";
import type { CancelTimer } from "./platform.ts";
import { Progress, reaches } from "./progress.ts";

type Subscribed = Extract<Reply, { type: "subscribed" }>;
type ChannelPush = Extract<Push, { channel: string }>;

/** Errors that another attempt may not see. */
const PASSING = new Set<string>(["storage_unavailable", "timeout", "internal", "too_many_pending"]);

export class Channel extends Emitter<ChannelEvents> {
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
  readonly #delivery = new Delivery({
    isHeard: () => this.listeners("publication") > 0,
    handOver: (publication, position) => this.#handOver(publication, position),
    handled: (step, failures) => this.#handled(step, failures),
    emptied: () => this.#lookIfLacking(),
  });
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

  override on<Name extends keyof ChannelEvents>(
    name: Name,
    listener: (value: ChannelEvents[Name]) => unknown,
  ): () => void {
    if (name === "publication" && this.#state === "unsubscribed") this.subscribe();
    const stop = super.on(name, listener);
    void this.#delivery.run();
    return stop;
  }

  /** Wants the channel: from the position that was kept, else from now. */
  subscribe(): void {
    if (isWanted(this.#state)) return;
    this.#enter("subscribing");
    this.#client.connect();
    if (this.#client.state.status === "open") this.connected();
  }

  /** Does not want it any more: what comes from now on is not for this app, and `subscribe` starts from then. */
  unsubscribe(): void {
    if (this.#state === "unsubscribed") return;
    this.#stop("unsubscribed");
    this.#delivery.clear();
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

  /**
   * Publications one by one; the next one is handed out, and this one counts as handled, when it is asked for. Ends when
   * the channel is unsubscribed or refused.
   */
  [Symbol.asyncIterator](): AsyncGenerator<Received, void> {
    return oneByOne((listener, end) => {
      const stops = [
        this.on("publication", listener),
        this.on("state", (state) => {
          if (!isWanted(state)) end();
        }),
      ];
      return () => {
        for (const stop of stops) stop();
      };
    });
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
    if (!isWanted(this.#state)) return;
    this.#attempt = 0;
    void this.#ask();
  }

  /**
   * The connection is gone; `refused` if the server does not want it back.
   * @internal
   */
  disconnected(refused: boolean): void {
    if (isWanted(this.#state)) this.#stop(refused ? "refused" : "subscribing");
  }

  /**
   * The server has subscribed it.
   * @internal
   */
  subscribed({ position, from, gap }: Subscribed): void {
    if (this.#state !== "subscribing") return;
    this.#cancelRetry();
    this.#attempt = 0;
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
    void this.#delivery.run();
  }

  #takePage({ publications, to, gap }: Extract<Push, { type: "page" }>): void {
    if (gap !== undefined) this.emit("gap", gap);
    for (const publication of publications) this.#take(publication, true);
    if (!this.#receiving) return;
    this.#progress.cover(to);
    this.#delivery.push({ position: this.#progress.position });
    this.#lookIfLive();
  }

  #take(publication: Publication, inPage: boolean): void {
    if (!this.#receiving) return;
    // What is dropped here is caught up with once the queue is empty.
    if (this.#delivery.isFull) this.#receiving = false;
    else {
      const verdict = this.#progress.take(publication, inPage);
      if (verdict === "new") this.#delivery.push({ publication, position: this.#progress.position });
      else if (verdict === "missing") this.#receiving = false;
    }
  }

  #lookIfLive(): void {
    const { position } = this.#progress;
    if (this.#state === "catching-up" && position !== undefined && reaches(position.offsets, this.#top)) {
      this.#enter("live");
    }
  }

  #handOver(publication: Publication, position: Position | undefined): unknown[] {
    return this.emit("publication", { ...publication, ack: () => this.#mark(position) });
  }

  #handled({ position }: Step, failures: readonly unknown[]): void {
    for (const cause of failures) {
      this.emit("error", new CarillonError("internal", `a listener failed: ${cause}`, { cause }));
    }
    if (!this.#manual) this.#mark(position);
  }

  /** Everything up to `position` has been handled; unless it is a position of a log or a life that is over. */
  #mark(position: Position | undefined): void {
    const received = this.#progress.position;
    if (position === undefined || position.epoch !== received?.epoch) return;
    if (reaches(received.offsets, position.offsets)) this.#marks.move(position);
  }

  /** What was dropped, or did not come, is caught up with. */
  #lookIfLacking(): void {
    if (this.#receiving || (this.#state !== "live" && this.#state !== "catching-up")) return;
    this.#enter("subscribing");
    void this.#ask();
  }

  /** Subscribes from where it stands. On a connection where it is subscribed, this starts it anew. */
  async #ask(): Promise<void> {
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
    if (error.code === "future_position" && position?.offsets.some((offset) => offset > 0)) {
      this.#startOver(position.epoch);
    } else if (PASSING.has(error.code)) {
      const { platform } = this.#client;
      this.#cancelRetry = platform.setTimer(
        backoffMs(this.#attempt++, platform.random()),
        () => void this.#ask(),
      );
    } else this.#stop("refused");
  }

  /** A log that is shorter than what was seen of it has lost its end. Everything kept may be new. */
  #startOver(epoch: string): void {
    const start = { epoch, offsets: START };
    this.#progress.position = start;
    // Else what was handled before would be kept, and hide from the next life of the app what has been written since.
    this.#marks.forget();
    this.#marks.move(start);
    this.#marks.flush();
    this.emit("gap", { reason: "epoch" });
    void this.#ask();
  }

  #stop(state: ChannelState): void {
    this.#cancelRetry();
    this.#receiving = false;
    this.#enter(state);
  }

  #enter(state: ChannelState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("state", state);
  }
}
