/**
 * A server of `carillon.v1` that answers by script, for a client on a virtual platform.
 *
 *     const server = new FakeServer({ presence: () => ({ type: "error", code: "forbidden", message: "no" }) });
 *     const client = new Carillon("ws://h", { platform: server.platform });
 *     await server.settle(); // everybody has said all that they have to say
 */
import type { Command, Publication, Push, Reply } from "@carillon/protocol/frames";
import { encodeFrame, parseCommand } from "@carillon/protocol/json";
import { type FakeSocket, VirtualPlatform } from "./virtual-platform.ts";

type WithoutId<T> = T extends unknown ? Omit<T, "id"> : never;
/** A reply, before it has the command's id; or none. */
type Answer = WithoutId<Reply> | undefined;
type Asked = Exclude<Command, { type: "ack" }>;
export type Script = {
  [Type in Asked["type"]]?: (command: Extract<Asked, { type: Type }>) => Answer;
};

export const TIME = "2026-11-24T09:30:00.000Z";
/** More turns than any chain of promises in the client has links. */
const TURNS = 30;

/** A stored publication: in its lane right after the one before it, unless `rest` says otherwise. */
export function publication(offset: number, rest: Partial<Publication> = {}): Publication {
  return { id: `p${offset}`, offset, prev: offset - 1, time: TIME, data: offset, ...rest };
}

export class FakeServer {
  readonly platform: VirtualPlatform;
  /** All that has been asked, oldest first. */
  readonly commands: Command[] = [];
  /** Answers that differ from those of a server where all goes well. */
  script: Script;
  /** Whether it lets anybody in. */
  accepts = true;
  epoch = "e";
  /** The top of every channel. */
  top = 0;
  readonly #served = new Map<FakeSocket, number>();

  constructor(script: Script = {}, platform = new VirtualPlatform()) {
    this.script = script;
    this.platform = platform;
  }

  /** The commands of one type. */
  asked<Type extends Command["type"]>(type: Type): Extract<Command, { type: Type }>[] {
    return this.commands.filter(
      (command): command is Extract<Command, { type: Type }> => command.type === type,
    );
  }

  /** Accepts and answers until nobody has anything more to say. */
  async settle(): Promise<void> {
    do {
      for (let turn = 0; turn < TURNS; turn++) await Promise.resolve();
    } while (this.#serve());
  }

  /** Lets time pass, with everything that is said meanwhile. */
  async pass(deltaMs: number): Promise<void> {
    const { clock } = this.platform;
    const untilMs = clock.monotonicMs() + deltaMs;
    do await this.settle();
    while (clock.step(untilMs - clock.monotonicMs()));
    await this.settle();
  }

  async push(...frames: readonly Push[]): Promise<void> {
    for (const frame of frames) this.platform.socket.push(encodeFrame(frame));
    await this.settle();
  }

  /** Live publications in `news`. */
  publish(...publications: readonly Publication[]): Promise<void> {
    return this.push(
      ...publications.map((each) => ({ type: "publication", channel: "news", publication: each }) as const),
    );
  }

  /** A page of `news`. */
  page(publications: readonly Publication[], to: number): Promise<void> {
    return this.push({
      type: "page",
      channel: "news",
      epoch: this.epoch,
      publications,
      to,
      more: to < this.top,
    });
  }

  async end(code = 1006, reason = ""): Promise<void> {
    this.platform.socket.end(code, reason);
    await this.settle();
  }

  #serve(): boolean {
    let busy = false;
    for (const socket of this.platform.sockets) {
      const served = this.#served.get(socket);
      if (served === undefined) {
        if (!this.accepts || socket.closedByClient) continue;
        this.#served.set(socket, 0);
        socket.accept();
        busy = true;
      } else if (served < socket.sent.length) {
        this.#served.set(socket, socket.sent.length);
        for (const frame of socket.sent.slice(served)) this.#answer(socket, frame);
        busy = true;
      }
    }
    return busy;
  }

  #answer(socket: FakeSocket, frame: string): void {
    const parsed = parseCommand(frame);
    if (!parsed.ok) throw new Error(`the client has sent ${frame}: ${parsed.error.message}`);
    const { command } = parsed;
    this.commands.push(command);
    if (command.type === "ack") return;
    const scripted = this.script[command.type] as ((command: Asked) => Answer) | undefined;
    const answer = scripted === undefined ? this.usual(command) : scripted(command);
    if (answer !== undefined) socket.push(encodeFrame({ ...answer, id: command.id } as Reply));
  }

  /** What a server answers where all goes well. */
  usual(command: Asked): Answer {
    const { epoch, top } = this;
    switch (command.type) {
      case "refresh":
        return { type: "refreshed" };
      case "connect": {
        const bounds = { idleTimeoutMs: 1_200_000, maxFrameBytes: 65_536 };
        return { type: "connected", session: "s", time: TIME, ...bounds, defaultChannel: "push" };
      }
      case "subscribe": {
        const { channel, position } = command;
        return {
          type: "subscribed",
          channel,
          position: { epoch, offset: top },
          ...(position !== undefined && { from: position }),
        };
      }
      case "unsubscribe":
        return { type: "unsubscribed", channel: command.channel };
      case "publish":
        return {
          type: "published",
          channel: command.channel,
          publication: "p",
          epoch,
          offset: 1,
          time: TIME,
        };
      case "history":
        return { type: "history", channel: command.channel, epoch, publications: [], to: 0, more: false };
      case "presence":
        return { type: "presence", channel: command.channel, count: 0, members: [] };
      case "ping":
        return { type: "pong" };
      case "switch": {
        const { channel, push = true, quietHours } = command;
        return { type: "switched", channel, push, ...(quietHours && { quietHours }) };
      }
      case "read":
        return { type: "read" };
    }
  }
}
