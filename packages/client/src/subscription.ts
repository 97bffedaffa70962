/**
 * How a channel stays subscribed: it asks from where it stands, on every connection and wherever something is missing, and
 * sorts what arrives into what is new and what was seen. `PROTOCOL.md`, "What a client does", has the rules.
 */
import type { Publication, ServerFrame } from "@carillon/protocol/frames";
import { encodeFrame } from "@carillon/protocol/json";
import { decodePosition, encodePosition, type Position, START } from "@carillon/protocol/position";
import { backoffMs } from "./backoff.ts";
import { type ChannelEvents, type ChannelState, isWanted } from "./channel-events.ts";
import type { Carillon } from "./client.ts";
import { Delivery, type Step } from "./delivery.ts";
import { CarillonError, PASSING } from "./errors.ts";
import { Marks } from "./marks.ts";
import { nothing } from "./platform.ts";
import { further, Progress, reaches } from "./progress.ts";

type Subscribed = Extract<ServerFrame, { type: "subscribed" }>;

export interface SubscriptionPorts {
  readonly channel: string;
  readonly client: Carillon;
  /** Whether the app itself says what it has handled. */
  readonly manual: boolean;
  /** Tells the app; returns what its listeners returned. */
  tell<Name extends keyof ChannelEvents>(name: Name, value: ChannelEvents[Name]): unknown[];
  /** Whether anybody listens to publications. */
  isHeard(): boolean;
}

export class Subscription {
  readonly #ports: SubscriptionPorts;
  readonly #progress = new Progress();
  readonly #marks: Marks;
  readonly #delivery: Delivery;
  #state: ChannelState = "unsubscribed";
  #loading: Promise<void> | undefined;
  /** Whether what arrives belongs to the present subscription and fits into the queue. */
  #receiving = false;
  /** Switched off in this life of the app: what a server has kept since is not wanted. */
  #fromNow = false;
  /** What the server's log held when it was subscribed to. */
  #top = START;
  /** Counts the attempts to subscribe. What comes of an attempt that is not the last one is void. */
  #turn = 0;
  /** The id of the command whose answer counts. */
  #asked: number | undefined;
  #attempt = 0;
  #cancelRetry = nothing;

  constructor(ports: SubscriptionPorts) {
    this.#ports = ports;
    const { channel, client } = ports;
    this.#marks = new Marks(
      channel,
      client,
      (command) => this.#isSubscribed && client.connection.send(encodeFrame(command)),
    );
    this.#delivery = new Delivery({
      // An app that has closed its client is not called any more; what waits is handed over after the next `connect`.
      isHeard: () => ports.isHeard() && !client.isClosedByApp,
      handOver: (step) => this.#handOver(step),
      handled: (step, failures) => this.#handled(step, failures),
      emptied: () => this.#lookIfLacking(),
    });
  }

  get state(): ChannelState {
    return this.#state;
  }
  get position(): Position | undefined {
    return this.#progress.position;
  }

  start(): void {
    if (isWanted(this.#state)) return;
    const { client } = this.#ports;
    this.#enter("subscribing");
    client.connect();
    if (client.state.status === "open") this.connected();
  }

  stop(): void {
    if (this.#state === "unsubscribed") return;
    const { client, channel } = this.#ports;
    this.#delivery.clear();
    this.#progress.forget();
    this.#marks.forget();
    this.#loading = Promise.resolve();
    this.#fromNow = true;
    if (client.state.status === "open") client.ask({ type: "unsubscribe", channel }).catch(nothing);
    this.#leave("unsubscribed");
  }

  /** Keeps and acknowledges at once what has been handled. */
  flush(): void {
    this.#marks.flush();
  }

  /** A listener was added. */
  heard(): void {
    // Not before the caller has returned: it is not called while it is still being added.
    void Promise.resolve().then(() => this.#delivery.run());
  }

  connected(): void {
    if (!isWanted(this.#state)) return;
    this.#attempt = 0;
    void this.#ask();
  }

  /** There is no connection; `refused` if the server does not want this client back. */
  disconnected(refused: boolean): void {
    if (isWanted(this.#state)) this.#leave(refused ? "refused" : "subscribing");
    this.heard();
  }

  /** What has come of its channel. */
  receive(frame: ServerFrame): void {
    if (frame.type === "subscribed") this.#subscribed(frame);
    if (!this.#isSubscribed) return;
    switch (frame.type) {
      case "join":
      case "leave":
        this.#ports.tell(frame.type, frame.member);
        break;
      case "revoked":
        this.#leave("subscribing");
        this.#failed(new CarillonError(frame.code, frame.message));
        break;
      case "publication":
        this.#take(frame.publication, false);
        break;
      case "page":
        this.#takePage(frame);
    }
    void this.#delivery.run();
  }

  /** The server has subscribed it. */
  #subscribed({ id, position, from, gap }: Subscribed): void {
    if (id !== this.#asked) return;
    this.#asked = undefined;
    this.#cancelRetry();
    const top = decodePosition(position);
    const isKept = from !== undefined && !this.#fromNow;
    this.#fromNow = false;
    this.#receiving = true;
    this.#top = top.offsets;
    const isNew = this.#begin(isKept ? decodePosition(from) : top);
    if (gap !== undefined && isKept) this.#delivery.push({ gap });
    this.#enter("catching-up");
    this.#lookIfLive();
    // Kept at once: an app that was started, heard nothing and was started again has missed what came between.
    if (isNew) this.#marks.flush();
    else this.#marks.resume();
  }

  get #isSubscribed(): boolean {
    return this.#state === "catching-up" || this.#state === "live";
  }

  /** Stands where the server starts; `true` if that is in another log than before, or the first time. */
  #begin(start: Position): boolean {
    const { position } = this.#progress;
    const isNew = position?.epoch !== start.epoch;
    this.#progress.position = further(position, start);
    if (isNew) this.#marks.move(start);
    return isNew;
  }

  #takePage({ publications, to, gap }: Extract<ServerFrame, { type: "page" }>): void {
    if (!this.#receiving) return;
    if (gap !== undefined) this.#delivery.push({ gap });
    for (const publication of publications) this.#take(publication, true);
    if (!this.#receiving) return;
    this.#progress.cover(to);
    this.#delivery.push({ position: this.#progress.position });
    this.#lookIfLive();
  }

  #take(publication: Publication, inPage: boolean): void {
    if (!this.#receiving) return;
    // What is dropped here is caught up with once the queue is empty.
    const verdict = this.#delivery.isFull ? "missing" : this.#progress.take(publication, inPage);
    if (verdict === "new") this.#delivery.push({ publication, position: this.#progress.position });
    else if (verdict === "missing") this.#receiving = false;
  }

  #lookIfLive(): void {
    const { position } = this.#progress;
    if (this.#state !== "catching-up" || position === undefined || !reaches(position.offsets, this.#top))
      return;
    this.#attempt = 0;
    this.#enter("live");
  }

  #handOver({ publication, gap, position }: Step): unknown[] {
    if (gap !== undefined) return this.#ports.tell("gap", gap);
    if (publication === undefined) return [];
    return this.#ports.tell("publication", { ...publication, ack: () => this.#mark(position) });
  }

  #handled({ position }: Step, failures: readonly unknown[]): void {
    for (const cause of failures) {
      this.#ports.tell("error", new CarillonError("internal", `a listener failed: ${cause}`, { cause }));
    }
    if (!this.#ports.manual) this.#mark(position);
  }

  /** Everything up to `position` has been handled; unless it is a position of a log or a life that is over. */
  #mark(position: Position | undefined): void {
    const received = this.#progress.position;
    if (position === undefined || position.epoch !== received?.epoch) return;
    if (reaches(received.offsets, position.offsets)) this.#marks.move(position);
    // The app may exit now: nobody would be there in a second.
    if (this.#ports.client.isClosedByApp) this.#marks.flush();
  }

  /** What was dropped, or did not come, is caught up with. */
  #lookIfLacking(): void {
    if (this.#receiving || !this.#isSubscribed) return;
    this.#enter("subscribing");
    void this.#ask();
  }

  /** Subscribes from where it stands. On a connection where it is subscribed, this starts it anew. */
  async #ask(): Promise<void> {
    const { client, channel } = this.#ports;
    const turn = ++this.#turn;
    this.#cancelRetry();
    this.#loading ??= this.#load();
    await this.#loading;
    if (turn !== this.#turn || client.state.status !== "open") return;
    const { position } = this.#progress;
    try {
      const from = position && { position: encodePosition(position) };
      await client.ask({ type: "subscribe", channel, ...from }, (id) => {
        this.#asked = id;
      });
    } catch (error) {
      if (turn === this.#turn) this.#failed(error as CarillonError);
    }
  }

  #load(): Promise<void> {
    const loading: Promise<void> = this.#marks.load().then((position) => {
      // Unless it was switched off meanwhile.
      if (this.#loading === loading) this.#progress.position = position;
    });
    return loading;
  }

  #failed(error: CarillonError): void {
    const { client, tell } = this.#ports;
    const { position } = this.#progress;
    if (error.code === "connection_lost") return;
    // It has not heard that answer, and cannot know from where it is subscribed.
    if (error.code === "already_subscribed") client.connection.abandon(error.message);
    else if (error.code === "future_position" && position?.offsets.some((offset) => offset > 0)) {
      this.#startOver(position.epoch);
    } else {
      if (PASSING.has(error.code)) {
        const waitMs = backoffMs(this.#attempt++, client.platform.random());
        this.#cancelRetry = client.platform.setTimer(waitMs, () => void this.#ask());
      } else this.#leave("refused");
      tell("error", error);
    }
  }

  /** A log that is shorter than what was seen of it has lost its end. Everything kept may be new. */
  #startOver(epoch: string): void {
    const start = { epoch, offsets: START };
    this.#progress.position = start;
    // Else what was handled before would be kept, and hide from the next life of the app what has been written since.
    this.#marks.forget();
    this.#marks.move(start);
    this.#marks.flush();
    this.#delivery.push({ gap: { reason: "epoch" } });
    void this.#delivery.run();
    void this.#ask();
  }

  #leave(state: ChannelState): void {
    this.#cancelRetry();
    this.#turn += 1;
    this.#asked = undefined;
    this.#receiving = false;
    this.#enter(state);
  }

  #enter(state: ChannelState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#ports.tell("state", state);
  }
}
