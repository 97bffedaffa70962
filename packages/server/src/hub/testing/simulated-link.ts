/**
 * One WebSocket connection on a virtual clock: a client's socket, a server's outbound, and what is under way between them.
 * It is slow and never reorders; when it is cut, what is under way is lost, and each end finds out in its own time.
 */
import type { Socket, SocketClosed } from "@carillon/client/platform";
import type { Clock } from "../../lib/clock.ts";
import type { Outbound } from "../ports.ts";
import type { Session } from "../session.ts";

/** What accepts connections. `undefined` while the server is down. */
export type Accept = (outbound: Outbound) => Session | undefined;
export type Hang = (session: Session, code: number) => void;

export interface LinkPorts {
  readonly clock: Clock;
  readonly random: () => number;
  readonly accept: Accept;
  /** The server has noticed that a connection is gone. */
  readonly hangUp: Hang;
}

type Listeners = Map<string, ((event: never) => void)[]>;

const LONGEST_DELAY_MS = 80;
const LONGEST_IGNORANCE_MS = 5_000;
const CUT_OFF = 1006;

export class SimulatedLink {
  readonly topics = new Set<string>();
  readonly client: Socket;
  readonly #outbound: Outbound;
  readonly #ports: LinkPorts;
  readonly #listeners: Listeners = new Map();
  #session: Session | undefined;
  #arrivesMs = { up: 0, down: 0 };
  #isCut = false;
  #clientIsDone = false;

  constructor(ports: LinkPorts) {
    this.#ports = ports;
    this.client = this.#clientEnd();
    this.#outbound = this.#serverEnd();
    this.#travel("up", () => {
      this.#session = ports.accept(this.#outbound);
      this.#travel("down", () => {
        if (this.#session === undefined) this.#tellClient(CUT_OFF);
        else this.#emit("open", undefined);
      });
    });
  }

  /** Whether a publish on `topic` goes to this client. */
  deliver(frame: string): void {
    this.#outbound.send(frame);
  }

  /** The network is gone. */
  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    const { clock, random } = this.#ports;
    clock.setTimer(random() * LONGEST_IGNORANCE_MS, () => this.#tellClient(CUT_OFF));
    clock.setTimer(random() * LONGEST_IGNORANCE_MS, () => this.#endSession(CUT_OFF));
  }

  /** The server's process is gone; it notices nothing any more. */
  serverDied(): void {
    this.#session = undefined;
    this.topics.clear();
    this.cut();
  }

  #clientEnd(): Socket {
    return {
      addEventListener: (type: string, listener: (event: never) => void) => {
        this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
      },
      send: (frame) => this.#travel("up", () => this.#session?.receive(frame)),
      close: () => {
        this.#clientIsDone = true;
        this.#travel("up", () => this.#endSession(1000));
      },
    };
  }

  #serverEnd(): Outbound {
    return {
      send: (frame) => this.#travel("down", () => this.#emit("message", { data: frame })),
      cork: (write) => write(),
      subscribe: (topic) => this.topics.add(topic),
      unsubscribe: (topic) => this.topics.delete(topic),
      ping: () => this.#travel("down", () => this.#travel("up", () => this.#session?.seen())),
      close: (code, reason) => {
        this.#travel("down", () => this.#tellClient(code, reason));
        this.#endSession(code);
      },
      terminate: () => {
        this.#endSession(CUT_OFF);
        this.cut();
      },
      getBufferedAmount: () => 0,
    };
  }

  #travel(way: "up" | "down", arrive: () => void): void {
    if (this.#isCut) return;
    const { clock, random } = this.#ports;
    const nowMs = clock.monotonicMs();
    const atMs = Math.max(this.#arrivesMs[way], nowMs + random() * LONGEST_DELAY_MS);
    this.#arrivesMs[way] = atMs;
    clock.setTimer(atMs - nowMs, () => {
      if (!this.#isCut) arrive();
    });
  }

  #endSession(code: number): void {
    const session = this.#session;
    this.#session = undefined;
    this.topics.clear();
    if (session !== undefined) this.#ports.hangUp(session, code);
  }

  #tellClient(code: number, reason = ""): void {
    if (this.#clientIsDone) return;
    this.#emit("close", { code, reason } satisfies SocketClosed);
    this.#clientIsDone = true;
  }

  #emit(type: string, event: unknown): void {
    if (this.#clientIsDone) return;
    for (const listener of this.#listeners.get(type) ?? []) listener(event as never);
  }
}
