/** A TCP connection on which a test says whatever it likes, byte by byte: what no well-behaved client would send. */
import { connect, type Socket } from "node:net";

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

export const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const;

export class RawSocket implements AsyncDisposable {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #ended = false;
  #waiters: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    for (const event of ["end", "close", "error"]) {
      socket.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  /** Connects from an address of this machine: all of 127.0.0.0/8 are. */
  static async connect(port: number, localAddress = "127.0.0.1"): Promise<RawSocket> {
    const socket = connect({ port, host: "127.0.0.1", localAddress });
    const raw = new RawSocket(socket);
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return raw;
  }

  /** Connects and makes the WebSocket handshake. */
  static async webSocket(port: number, localAddress?: string): Promise<RawSocket> {
    const raw = await RawSocket.connect(port, localAddress);
    raw.write(handshake());
    const head = await raw.head();
    if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(`no handshake: ${head}`);
    return raw;
  }

  write(data: string | Uint8Array): void {
    this.#socket.write(data);
  }
  /** Reads nothing any more; what is sent to it piles up. */
  pause(): void {
    this.#socket.pause();
  }

  /** Resolves to the head of an HTTP answer, and takes it off what was received. */
  async head(): Promise<string> {
    await this.#until(() => this.#received.includes("\r\n\r\n"));
    const end = this.#received.indexOf("\r\n\r\n") + 4;
    const head = this.#received.subarray(0, end).toString("latin1");
    this.#received = this.#received.subarray(end);
    return head;
  }

  /** Resolves to an HTTP answer, whose body has a length; takes it off what was received. */
  async answer(): Promise<{ readonly status: number; readonly headers: Headers; readonly body: string }> {
    const [first = "", ...lines] = (await this.head()).trimEnd().split("\r\n");
    const headers = new Headers(lines.map((line) => line.split(/: */, 2) as [string, string]));
    const length = Number(headers.get("content-length"));
    await this.#until(() => this.#received.length >= length);
    const body = this.#received.subarray(0, length).toString();
    this.#received = this.#received.subarray(length);
    return { status: Number(first.split(" ")[1]), headers, body };
  }

  /** Resolves to the next frame, or `undefined` when the connection ends first. */
  async frame(): Promise<Frame | undefined> {
    await this.#until(() => this.#frameEnd() !== undefined);
    const end = this.#frameEnd();
    if (end === undefined) return undefined;
    const [start, whole] = end;
    const frame = { opcode: this.#byte(0) & 0x0f, payload: this.#received.subarray(start, whole) };
    this.#received = this.#received.subarray(whole);
    return frame;
  }

  /** Resolves to the close code that the server sent, or `undefined` if it cut the connection without one. */
  async closeCode(): Promise<number | undefined> {
    for (let frame = await this.frame(); frame !== undefined; frame = await this.frame()) {
      if (frame.opcode === OPCODE.close) return frame.payload.readUInt16BE(0);
    }
    return undefined;
  }

  /** Resolves when the other end is gone. */
  ended(): Promise<void> {
    return this.#until(() => false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
  }

  async #until(done: () => boolean): Promise<void> {
    while (!done() && !this.#ended) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  /** Where the payload of the first frame starts and ends, once all of it is there. Servers do not mask. */
  #frameEnd(): readonly [start: number, end: number] | undefined {
    if (this.#received.length < 2) return undefined;
    const short = this.#byte(1) & 0x7f;
    const start = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (this.#received.length < start) return undefined;
    const length =
      short < 126
        ? short
        : short === 126
          ? this.#received.readUInt16BE(2)
          : Number(this.#received.readBigUInt64BE(2));
    return this.#received.length >= start + length ? [start, start + length] : undefined;
  }

  #byte(index: number): number {
    return this.#received[index] ?? 0;
  }
}

/** A WebSocket handshake; `headers` replace or add to the usual ones, an empty value leaves one out. */
export function handshake(headers: Readonly<Record<string, string>> = {}, target = "/ws"): string {
  const all = {
    Host: "127.0.0.1",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== "");
  return [`GET ${target} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`), "", ""].join(
    "\r\n",
  );
}

/** A client's frame (RFC 6455 section 5.2), masked with zeros. `flags` holds FIN and the RSV bits. */
export function frameOf(opcode: number, payload: Uint8Array | string, flags = 0x80): Buffer {
  const body = Buffer.from(payload);
  const length = Buffer.alloc(body.length < 126 ? 1 : body.length < 65_536 ? 3 : 9);
  if (body.length < 126) length.writeUInt8(0x80 | body.length);
  else if (body.length < 65_536) {
    length.writeUInt8(0x80 | 126);
    length.writeUInt16BE(body.length, 1);
  } else {
    length.writeUInt8(0x80 | 127);
    length.writeBigUInt64BE(BigInt(body.length), 1);
  }
  return Buffer.concat([Buffer.from([flags | opcode]), length, Buffer.alloc(4), body]);
}
