/**
 * The clients of the devices' bench, in a process of their own: it connects them as it is told, acknowledges what comes as the
 * SDK does, and counts publications. Told by lines of JSON on standard input, one answer each; see `clients.ts`.
 */
import type { Client, Deliveries, Order } from "./clients.ts";

/** Handshakes in flight at once: well under the server's listen backlog. */
const CONNECTING_AT_ONCE = 64;
/** As the SDK's: all that was handled within a second, with one ack. */
const ACK_AFTER_MS = 1_000;

interface State {
  readonly client: Client;
  readonly socket: WebSocket;
  /** What it waits for until it is there. */
  toSubscribe: number;
  isThere: () => void;
  /** By channel, the last offset that has not been acknowledged. */
  owed: Map<string, number> | undefined;
}

const PUBLICATION = '{"type":"publication","channel":"';
let epoch = "";
let isAcking = false;
const states: State[] = [];
let deliveries: Deliveries = { count: 0, firstMs: 0, lastMs: 0 };
let awaited: { readonly count: number; done(): void } | undefined;

function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

function open(base: string, client: Client): Promise<void> {
  const url = `ws://${base}/ws${client.query}`;
  const socket = client.connect === undefined ? new WebSocket(url) : new WebSocket(url, ["carillon.v1"]);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const state: State = { client, socket, toSubscribe: 0, isThere: resolve, owed: undefined };
  states.push(state);
  socket.onopen = () => {
    if (client.connect === undefined) resolve();
    else socket.send(JSON.stringify({ type: "connect", id: 1, ...client.connect }));
  };
  socket.onclose = ({ code }) => {
    reject(new Error(`a connection was closed with ${code}`));
    if (!isClosing) fail(`a connection was closed with ${code}`);
  };
  socket.onmessage = ({ data }) => take(state, String(data));
  return promise;
}

function take(state: State, frame: string): void {
  if (state.client.connect === undefined || frame.startsWith(PUBLICATION)) count(state, frame);
  else control(state, JSON.parse(frame));
}

function count(state: State, frame: string): void {
  const atMs = nowMs();
  if (deliveries.count === 0) deliveries.firstMs = atMs;
  deliveries.lastMs = atMs;
  deliveries.count += 1;
  if (deliveries.count === awaited?.count) awaited.done();
  if (isAcking) oweAck(state, frame);
}

function oweAck(state: State, frame: string): void {
  const channel = frame.slice(PUBLICATION.length, frame.indexOf('"', PUBLICATION.length));
  const at = frame.indexOf('"offset":');
  if (at === -1) return;
  if (state.owed === undefined) {
    state.owed = new Map();
    setTimeout(acknowledge, ACK_AFTER_MS, state);
  }
  state.owed.set(channel, Number.parseInt(frame.slice(at + '"offset":'.length), 10));
}

function acknowledge(state: State): void {
  for (const [channel, offset] of state.owed ?? []) {
    state.socket.send(JSON.stringify({ type: "ack", channel, position: { epoch, offset } }));
  }
  state.owed = undefined;
}

type Told =
  | { readonly type: "connected"; readonly inbox?: readonly string[] }
  | { readonly type: "subscribed"; readonly position: { readonly epoch: string } }
  | { readonly type: "page" }
  | { readonly type: "error" };

function control(state: State, frame: Told): void {
  switch (frame.type) {
    case "connected": {
      const channels = [...state.client.channels, ...(frame.inbox ?? [])];
      state.toSubscribe = channels.length;
      for (const [index, channel] of channels.entries()) {
        state.socket.send(JSON.stringify({ type: "subscribe", id: 2 + index, channel }));
      }
      return;
    }
    case "subscribed":
      epoch = frame.position.epoch;
      state.toSubscribe -= 1;
      if (state.toSubscribe === 0) state.isThere();
      return;
    case "page":
      return;
    default:
      fail(JSON.stringify(frame));
  }
}

let isClosing = false;

async function connectAll(base: string, clients: readonly Client[]): Promise<void> {
  let next = 0;
  const one = async () => {
    for (let client = clients[next++]; client !== undefined; client = clients[next++]) {
      await open(base, client);
    }
  };
  await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, one));
}

async function obey(order: Order): Promise<Deliveries | null> {
  switch (order.do) {
    case "connect":
      await connectAll(order.base, JSON.parse(await Bun.file(order.file).text()));
      return null;
    case "acks":
      isAcking = order.on;
      return null;
    case "begin":
      deliveries = { count: 0, firstMs: 0, lastMs: 0 };
      return null;
    case "await": {
      const { count, limitMs } = order;
      if (deliveries.count < count) {
        const { promise, resolve } = Promise.withResolvers<void>();
        awaited = { count, done: resolve };
        await Promise.race([promise, Bun.sleep(limitMs)]);
        awaited = undefined;
      }
      return deliveries;
    }
    case "close":
      isClosing = true;
      for (const { socket } of states) socket.close(1000);
      return null;
  }
}

function fail(why: string): never {
  console.error(`the clients: ${why}`);
  process.exit(1);
}

for await (const line of console) console.log(JSON.stringify(await obey(JSON.parse(line))));
