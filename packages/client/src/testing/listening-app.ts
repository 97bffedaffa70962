/** An app that listens to `news` on a fake server, and what it was told. */
import type { Gap, Json } from "@carillon/protocol/frames";
import type { ChannelOptions, ChannelState } from "../channel-events.ts";
import { Carillon } from "../client.ts";
import type { CarillonError } from "../errors.ts";
import { memoryStore, type Store } from "../stores.ts";
import { FakeServer } from "./fake-server.ts";

interface SetUp extends ChannelOptions {
  readonly store?: Store;
  readonly server?: FakeServer;
  readonly listener?: (data: Json) => unknown;
}

export async function listen({
  store = memoryStore(),
  server = new FakeServer(),
  listener,
  ...options
}: SetUp = {}) {
  const client = new Carillon("ws://h", { platform: server.platform, store, heartbeatMs: undefined });
  const news = client.channel("news", options);
  const got: Json[] = [];
  const states: ChannelState[] = [];
  const gaps: Gap[] = [];
  const errors: CarillonError[] = [];
  news.on("state", (state) => states.push(state));
  news.on("gap", (gap) => gaps.push(gap));
  news.on("error", (error) => errors.push(error));
  news.on("publication", ({ data }) => {
    got.push(data);
    return listener?.(data);
  });
  await server.settle();
  return { server, client, news, got, states, gaps, errors, store };
}

/** What it has subscribed with. */
export const positions = (server: FakeServer) => server.asked("subscribe").map(({ position }) => position);
export const acks = (server: FakeServer) => server.asked("ack").map(({ position }) => position.offset);
