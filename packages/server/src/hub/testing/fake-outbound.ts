import type { FanOut, Outbound } from "../ports.ts";

/** A client that is no socket: it notes what it was sent and is told by `FakeFanOut` what was fanned out. */
export class FakeOutbound implements Outbound {
  readonly frames: string[] = [];
  readonly topics = new Set<string>();
  pings = 0;
  /** How the connection ended, if it has: a close code, or that it was dropped without one. */
  ended: number | "terminated" | undefined;
  buffered = 0;
  /** Called when the connection ends, as a socket's close event would be. */
  onEnd: (code: number, reason: string) => void = () => {};

  send(frame: string): void {
    this.frames.push(frame);
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
    this.pings += 1;
  }
  close(code: number, reason: string): void {
    if (this.ended !== undefined) return;
    this.ended = code;
    this.onEnd(code, reason);
  }
  terminate(): void {
    if (this.ended !== undefined) return;
    this.ended = "terminated";
    this.onEnd(1006, "");
  }
  getBufferedAmount(): number {
    return this.buffered;
  }
}

/** Native topics without sockets. Counts publishes, so a test sees that a push was encoded and sent once. */
export class FakeFanOut implements FanOut {
  readonly clients = new Set<FakeOutbound>();
  publishes = 0;

  publish(topic: string, frame: string): void {
    this.publishes += 1;
    for (const client of this.clients) if (client.topics.has(topic)) client.send(frame);
  }
}
