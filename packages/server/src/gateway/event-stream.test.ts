import { expect, test } from "bun:test";
import { EventSourceParser } from "../hub/testing/event-source.ts";
import { type Body, EventStream } from "./event-stream.ts";
import { nativeFanOut } from "./fan-out.ts";
import { BACKPRESSURE_LIMIT_BYTES } from "./websocket.ts";

/** A body whose client reads, or does not, as it is told. */
class FakeBody implements Body {
  readonly writes: string[] = [];
  reads = true;
  fate: "open" | "ended" | "reset" = "open";
  #waiting: (() => void) | undefined;

  write(bytes: Uint8Array): number | Promise<number> {
    this.writes.push(new TextDecoder().decode(bytes));
    if (this.reads) return bytes.length;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#waiting = () => resolve(bytes.length);
    return promise;
  }
  end(): void {
    this.fate = "ended";
  }
  close(): void {
    this.fate = "reset";
  }
  /** The client takes what is under way; what is written next is taken too if `reads`. */
  async take({ reads }: { reads: boolean }): Promise<void> {
    this.reads = reads;
    this.#waiting?.();
    await Promise.resolve();
  }
}

function open() {
  const body = new FakeBody();
  const fanOut = nativeFanOut();
  const told: string[] = [];
  const stream = new EventStream(body, fanOut, {
    alive: () => told.push("alive"),
    drained: () => told.push("drained"),
    slow: () => told.push("slow"),
    ending: () => told.push(`ending after ${body.writes.length} writes`),
    ended: (code, reason) => told.push(`ended ${code} ${reason}`.trim()),
  });
  return { body, fanOut, told, stream };
}

test("while the client reads, nothing waits and nothing is told", () => {
  const { body, told, stream } = open();
  stream.send("a");
  stream.send("b");
  expect(body.writes).toEqual(["a", "b"]);
  expect(stream.getBufferedAmount()).toBe(0);
  expect(told).toEqual([]);
});

test("what comes while it does not read is counted in bytes, and written in one piece when it has taken the one before", async () => {
  const { body, told, stream } = open();
  body.reads = false;
  for (const frame of ["one ", "two ", "drei und ü"]) stream.send(frame);
  expect(body.writes).toEqual(["one "]);
  expect(stream.getBufferedAmount()).toBe(4 + 4 + 11);

  await body.take({ reads: false });
  expect(body.writes).toEqual(["one ", "two drei und ü"]);
  expect(stream.getBufferedAmount()).toBe(15);
  stream.send("!");
  expect(told).toEqual(["alive"]);

  await body.take({ reads: true });
  expect(body.writes).toEqual(["one ", "two drei und ü", "!"]);
  expect(stream.getBufferedAmount()).toBe(0);
  expect(told).toEqual(["alive", "alive", "drained"]);
});

test("one that is over the limit is cut at the next piece, once", async () => {
  const { body, told, stream } = open();
  body.reads = false;
  const quarter = "x".repeat(BACKPRESSURE_LIMIT_BYTES / 4);
  for (let n = 0; n < 5; n++) stream.send(quarter);
  expect(body.fate).toBe("open");
  stream.send("x");
  stream.send("x");
  expect(body.fate).toBe("reset");
  expect(told).toEqual(["slow", "ended 1006 it does not read"]);
  await body.take({ reads: true });
  expect(body.writes).toHaveLength(1);
  expect(stream.getBufferedAmount()).toBe(0);
  expect(told).toHaveLength(2);
});

test("a page is one piece: it may go over the limit, and is written whole", () => {
  const { body, stream } = open();
  body.reads = false;
  stream.cork(() => {
    for (let n = 0; n < 40; n++) stream.send("x".repeat(60_000));
  });
  expect(body.writes.map(({ length }) => length)).toEqual([2_400_000]);
  expect(body.fate).toBe("open");
});

test("a page of nothing writes nothing", () => {
  const { body, stream } = open();
  stream.cork(() => {});
  expect(body.writes).toEqual([]);
});

test("a close says why, behind what was waiting, and gives the client time first", async () => {
  const { body, told, stream } = open();
  body.reads = false;
  for (const frame of ["data: 1\n\n", "data: 2\n\n"]) stream.send(frame);
  stream.close(1012, "server restarts");
  stream.close(4000, "again");
  stream.terminate();
  stream.gone();
  stream.send("more");
  expect(body.fate).toBe("ended");
  expect(told).toEqual(["ending after 1 writes", "ended 1012 server restarts"]);
  const parser = new EventSourceParser().take(body.writes.join(""));
  expect(parser.data()).toEqual(["1", "2"]);
  expect(parser.data("close")).toEqual(['{"code":1012,"reason":"server restarts"}']);
  await body.take({ reads: true });
  expect(body.writes).toHaveLength(2);
});

test("one that is terminated is reset", () => {
  const { body, told, stream } = open();
  stream.terminate();
  expect(body.fate).toBe("reset");
  expect(told).toEqual(["ended 1006"]);
});

test("a client that leaves is told of once", () => {
  const { body, told, stream } = open();
  stream.gone();
  stream.gone();
  stream.send("more");
  expect(told).toEqual(["ended 1001"]);
  expect(body.writes).toEqual([]);
});

test("it is kept alive by a comment, unless something is under way anyway", () => {
  const { body, stream } = open();
  stream.keepAlive();
  expect(new EventSourceParser().take(body.writes.join(""))).toMatchObject({ comments: 1, events: [] });
  body.reads = false;
  stream.send("data: 1\n\n");
  stream.keepAlive();
  expect(body.writes).toHaveLength(2);
  expect(stream.getBufferedAmount()).toBe(9);
});

test("it hears of its topics for as long as it is subscribed", () => {
  const { body, fanOut, stream } = open();
  fanOut.publish("sse:a", "1");
  stream.subscribe("sse:a");
  stream.subscribe("sse:a");
  fanOut.publish("sse:a", "2");
  fanOut.publish("sse:b", "other");
  stream.unsubscribe("sse:a");
  fanOut.publish("sse:a", "3");
  expect(body.writes).toEqual(["2"]);
});
