/**
 * A stream of Server-Sent Events on one HTTP answer: a session's `Outbound` whose unread bytes are counted and bounded.
 *
 * What Bun 1.4.5 does with a "direct" body, by experiment: `write` joins what one tick writes into one system call; it
 * answers with a promise once the client takes no more (after about 4 MB on loopback, which the kernel keeps) and resolves
 * it when all of it is with the kernel. What is written before that, Bun copies and keeps without a bound: 100 MB written
 * to a client that did not read were 97 MB of memory. So nothing is written while a promise is open; it waits here.
 */
import { ABNORMAL_CLOSURE, CloseCode } from "@carillon/protocol/codes";
import type { Outbound } from "../hub/ports.ts";
import type { Listener, NativeFanOut } from "./fan-out.ts";
import { BACKPRESSURE_LIMIT_BYTES } from "./websocket.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The body of an HTTP answer, as Bun's controller of a direct stream is. */
export interface Body {
  /** A promise: it has taken it, and can take no more until that resolves. */
  write(bytes: Bytes): number | Promise<number>;
  end(): unknown;
  /** Drops what is unread and resets the connection. */
  close(error: Error): unknown;
}

/** What a stream tells of itself. */
export interface StreamEvents {
  /** The client has taken something of what it was behind: it is there. */
  readonly alive: () => void;
  /** It has taken everything. */
  readonly drained: () => void;
  /** It was cut off because it did not read. */
  readonly slow: () => void;
  /** Called before the last word is written. */
  readonly ending: () => void;
  /** It is gone, whoever ended it. */
  readonly ended: (code: number, reason: string) => void;
}

const encoder = new TextEncoder();
const KEEP_ALIVE = encoder.encode(":\n\n");

export class EventStream implements Outbound, Listener {
  readonly #body: Body;
  readonly #fanOut: Pick<NativeFanOut, "join" | "leave">;
  readonly #events: StreamEvents;
  /** Bytes that Bun holds or that wait here; 0 while the client reads. */
  #unread = 0;
  /** Whether Bun can take no more. */
  #isFull = false;
  /** What Bun has not been given yet. */
  #waiting: Bytes[] = [];
  /** What is sent while it is corked. */
  #corked: string[] | undefined;
  #hasEnded = false;

  constructor(body: Body, fanOut: Pick<NativeFanOut, "join" | "leave">, events: StreamEvents) {
    this.#body = body;
    this.#fanOut = fanOut;
    this.#events = events;
  }

  send(frame: string): void {
    if (this.#corked === undefined) this.hear(encoder.encode(frame));
    else this.#corked.push(frame);
  }

  /** A page that was corked is one piece of bytes: a reader that is within the limit is never cut in the midst of it. */
  cork(write: () => void): void {
    this.#corked = [];
    write();
    const frames = this.#corked;
    this.#corked = undefined;
    if (frames.length > 0) this.send(frames.join(""));
  }

  hear(bytes: Bytes): void {
    if (this.#hasEnded) return;
    if (this.#unread > BACKPRESSURE_LIMIT_BYTES) {
      this.#events.slow();
      this.#reset("it does not read");
    } else if (this.#isFull) {
      this.#waiting.push(bytes);
      this.#unread += bytes.length;
    } else this.#write(bytes);
  }

  subscribe(topic: string): void {
    this.#fanOut.join(topic, this);
  }

  unsubscribe(topic: string): void {
    this.#fanOut.leave(topic, this);
  }

  /** There is none in HTTP; `keepAlive` comes all the time. */
  ping(): void {}

  /** A line that is ignored: the proxies on the way see that the connection is in use. */
  keepAlive(): void {
    if (this.#unread === 0) this.hear(KEEP_ALIVE);
  }

  getBufferedAmount(): number {
    return this.#unread;
  }

  /** The client is told why. What it has not read yet Bun sends on for as long as it reads. */
  close(code: CloseCode, reason: string): void {
    if (this.#hasEnded) return;
    this.#events.ending();
    const goodbye = encoder.encode(`event: close\ndata: ${JSON.stringify({ code, reason })}\n\n`);
    this.#body.write(concat([...this.#waiting, goodbye]));
    this.#body.end();
    this.#end(code, reason);
  }

  terminate(): void {
    this.#reset("");
  }

  /** The client has closed the connection, or it broke. */
  gone(): void {
    if (!this.#hasEnded) this.#end(CloseCode.goingAway, "");
  }

  #reset(reason: string): void {
    if (this.#hasEnded) return;
    // An error of another kind Bun would write on standard error.
    this.#body.close(new DOMException("the stream was cut off", "AbortError"));
    this.#end(ABNORMAL_CLOSURE, reason);
  }

  #end(code: number, reason: string): void {
    this.#hasEnded = true;
    this.#waiting = [];
    this.#unread = 0;
    this.#events.ended(code, reason);
  }

  #write(bytes: Bytes): void {
    const taken = this.#body.write(bytes);
    if (typeof taken === "number") return;
    this.#isFull = true;
    this.#unread += bytes.length;
    void taken.then(() => this.#taken(bytes.length));
  }

  #taken(bytes: number): void {
    if (this.#hasEnded) return;
    this.#isFull = false;
    this.#unread -= bytes;
    this.#events.alive();
    const waiting = concat(this.#waiting);
    this.#waiting = [];
    this.#unread -= waiting.length;
    if (waiting.length > 0) this.#write(waiting);
    if (this.#unread === 0) this.#events.drained();
  }
}

/** One piece is one system call. */
function concat(pieces: readonly Bytes[]): Bytes {
  return new Uint8Array(Bun.concatArrayBuffers(pieces as Bytes[]));
}
