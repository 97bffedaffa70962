/**
 * A channel, seen from the app: publications in order, each once, whatever happens to the connection.
 *
 *     news.on("publication", async ({ data }) => await show(data));
 *     for await (const { data } of news) show(data);
 *
 * Listening subscribes. A publication counts as handled when all its listeners have returned, promises included; then
 * its position is kept and acknowledged. A listener that throws is reported by `error` and counts as handled.
 */
import type { Json, Published, PublishOptions } from "@carillon/protocol/frames";
import type { Position } from "@carillon/protocol/position";
import {
  type ChannelEvents,
  type ChannelOptions,
  type ChannelState,
  isWanted,
  type Received,
} from "./channel-events.ts";
import type { Carillon } from "./client.ts";
import type { Answer } from "./commands.ts";
import { Emitter } from "./emitter.ts";
import { oneByOne } from "./one-by-one.ts";
import { Subscription } from "./subscription.ts";

export class Channel extends Emitter<ChannelEvents> {
  readonly name: string;
  /** @internal */
  readonly subscription: Subscription;
  readonly #client: Carillon;

  /** @internal */
  constructor(name: string, client: Carillon, { acks = "auto" }: ChannelOptions = {}) {
    super();
    this.name = name;
    this.#client = client;
    this.subscription = new Subscription({
      channel: name,
      client,
      manual: acks === "manual",
      tell: (event, value) => this.emit(event, value),
      isHeard: () => this.listeners("publication") > 0,
    });
  }

  get state(): ChannelState {
    return this.subscription.state;
  }

  /** Everything up to here has been received. */
  get position(): Position | undefined {
    return this.subscription.position;
  }

  override on<Name extends keyof ChannelEvents>(
    name: Name,
    listener: (value: ChannelEvents[Name]) => unknown,
  ): () => void {
    if (name === "publication" && this.state === "unsubscribed") this.subscribe();
    const stop = super.on(name, listener);
    this.subscription.heard();
    return stop;
  }

  /** Wants the channel: from the position that was kept, else from now. */
  subscribe(): void {
    this.subscription.start();
  }

  /** Does not want it any more: what comes from now on is not for this app, and `subscribe` starts from then. */
  unsubscribe(): void {
    this.subscription.stop();
  }

  /**
   * Publishes; resolves when it is durable. On `connection_lost` or `timeout` it is not known whether it was: repeat it
   * with the same `idempotencyKey`.
   * @throws {CarillonError} by rejection.
   */
  publish(data: Json, options: PublishOptions = {}): Promise<Published> {
    const question = { ...options, type: "publish", channel: this.name, data } as const;
    return this.#client.ask(question) as Promise<Answer<"published">>;
  }

  /**
   * What is kept after the offset `after` (0), at most `limit` (100, 1,000 at most); go on from `to` while `more`.
   * @throws {CarillonError} by rejection.
   */
  history(range: { after?: number; limit?: number } = {}): Promise<Answer<"history">> {
    const question = { ...range, type: "history", channel: this.name } as const;
    return this.#client.ask(question) as Promise<Answer<"history">>;
  }

  /**
   * Who is there.
   * @throws {CarillonError} by rejection.
   */
  presence(): Promise<Answer<"presence">> {
    return this.#client.ask({ type: "presence", channel: this.name }) as Promise<Answer<"presence">>;
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
    this.subscription.flush();
  }
}
