/** A reader of Server-Sent Events on a bare TCP connection, which reads only when it is told to. */
import { connect, type Socket } from "node:net";
import { EventSourceParser } from "../../packages/server/src/hub/testing/event-source.ts";

export class StreamSocket implements AsyncDisposable {
  readonly parser = new EventSourceParser();
  readonly #socket: Socket;
  readonly #decoder = new TextDecoder();
  #head = "";
  #rest: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (piece: Buffer) => {
      this.#take(Buffer.concat([this.#rest, piece]));
      this.#wake();
    });
    for (const event of ["end", "close", "error"]) {
      socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  /** Asks for a stream and waits for the head of the answer. */
  static async open(port: number, target: string, headers: readonly string[] = []): Promise<StreamSocket> {
    const socket = connect({ port, host: "127.0.0.1" });
    const stream = new StreamSocket(socket);
    socket.write([`GET ${target} HTTP/1.1`, "Host: 127.0.0.1", ...headers, "", ""].join("\r\n"));
    await stream.#until(() => stream.#head !== "");
    return stream;
  }

  /** The head of the answer, in small letters. */
  get head(): string {
    return this.#head;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Resolves when this many events are there, or the stream has ended. */
  events(count: number): Promise<void> {
    return this.#until(() => this.parser.events.length >= count);
  }

  ended(): Promise<void> {
    return this.#until(() => false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done() && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Takes the head, then chunks (RFC 9112 section 7.1), as far as they are there. */
  #take(bytes: Buffer): void {
    this.#rest = bytes;
    if (this.#head === "") this.#takeHead();
    while (this.#head !== "" && this.#takeChunk());
  }

  #takeHead(): void {
    const end = this.#rest.indexOf("\r\n\r\n");
    if (end < 0) return;
    this.#head = this.#rest.toString("latin1", 0, end).toLowerCase();
    this.#rest = this.#rest.subarray(end + 4);
  }

  #takeChunk(): boolean {
    const line = this.#rest.indexOf("\r\n");
    const size = Number.parseInt(this.#rest.toString("latin1", 0, line), 16);
    const end = line + 2 + size;
    if (line < 0 || this.#rest.length < end + 2) return false;
    this.parser.take(this.#decoder.decode(this.#rest.subarray(line + 2, end), { stream: true }));
    this.#rest = this.#rest.subarray(end + 2);
    if (size === 0) this.#ended = true;
    return true;
  }
}
