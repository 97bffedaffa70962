/** A connection of a simulated day: what the server writes to it lies there until its app takes it, or is lost with it. */
import type { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import type { Outbound } from "../ports.ts";
import type { Session } from "../session.ts";

/** `stalled`: nothing gets through for a while. `dead`: nobody is there any more, and the server does not know. */
export type LinkState = "up" | "stalled" | "dead" | "closed";

export class Link implements Outbound {
  state: LinkState = "up";
  session: Session | undefined;
  readonly topics = new Set<string>();
  /** Written since it was last compared with the rules… */
  fresh: string[] = [];
  /** …and not taken by the app yet. */
  unread: string[] = [];
  heardMs: number;
  readonly #clock: VirtualClock;
  readonly #ended: (link: Link, code: number) => void;
  /** Told of each frame. */
  readonly #wrote: () => void;

  constructor(clock: VirtualClock, ended: (link: Link, code: number) => void, wrote: () => void) {
    this.#clock = clock;
    this.#ended = ended;
    this.#wrote = wrote;
    this.heardMs = clock.monotonicMs();
  }

  /** The client says something. */
  say(frame: string): void {
    this.heardMs = this.#clock.monotonicMs();
    this.session?.receive(frame);
  }

  send(frame: string): void {
    this.#wrote();
    this.fresh.push(frame);
    this.unread.push(frame);
  }
  cork(write: () => void): void {
    write();
  }
  subscribe(topic: string): void {
    this.topics.add(topic);
  }
  unsubscribe(topic: string): void {
    this.topics.delete(topic);
  }
  ping(): void {
    if (this.state !== "up") return;
    this.heardMs = this.#clock.monotonicMs();
    this.session?.seen();
  }
  close(code: number): void {
    this.end(code);
  }
  terminate(): void {
    this.end(1006);
  }
  getBufferedAmount(): number {
    return 0;
  }

  /** Whoever ends it, with the code that the server sees. */
  end(code: number): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.topics.clear();
    this.#ended(this, code);
  }
}
