/** One of every frame and its exact bytes: clients in other languages were written against these. */
import type { Command } from "../frames.ts";

interface Golden<Frame> {
  readonly frame: Frame;
  readonly bytes: string;
}

/** Every type, as the compiler sees to. */
export type EveryType<Frame extends { readonly type: string }> = {
  readonly [Type in Frame["type"]]: readonly Golden<Extract<Frame, { type: Type }>>[];
};

export const COMMANDS: EveryType<Command> = {
  connect: [
    {
      frame: { type: "connect", id: 1, token: "secret", device: "phone-1", client: "my-app/1.0" },
      bytes: '{"type":"connect","id":1,"token":"secret","device":"phone-1","client":"my-app/1.0"}',
    },
    { frame: { type: "connect", id: 1 }, bytes: '{"type":"connect","id":1}' },
    {
      frame: { type: "connect", id: 1, token: "dk_a_b", urgentFirst: true },
      bytes: '{"type":"connect","id":1,"token":"dk_a_b","urgentFirst":true}',
    },
  ],
  refresh: [
    {
      frame: { type: "refresh", id: 10, token: "newer" },
      bytes: '{"type":"refresh","id":10,"token":"newer"}',
    },
  ],
  subscribe: [
    {
      frame: { type: "subscribe", id: 2, channel: "news", position: { epoch: "k3v9", offset: 42 } },
      bytes: '{"type":"subscribe","id":2,"channel":"news","position":{"epoch":"k3v9","offset":42}}',
    },
    {
      frame: { type: "subscribe", id: 2, channel: "news", position: { epoch: "k3v9", offset: [9, 8, 7] } },
      bytes: '{"type":"subscribe","id":2,"channel":"news","position":{"epoch":"k3v9","offset":[9,8,7]}}',
    },
    {
      frame: { type: "subscribe", id: 2, channel: "a/b.c:d@e~f" },
      bytes: '{"type":"subscribe","id":2,"channel":"a/b.c:d@e~f"}',
    },
    {
      frame: { type: "subscribe", id: 2, channel: "$user/ann" },
      bytes: '{"type":"subscribe","id":2,"channel":"$user/ann"}',
    },
  ],
  unsubscribe: [
    {
      frame: { type: "unsubscribe", id: 3, channel: "news" },
      bytes: '{"type":"unsubscribe","id":3,"channel":"news"}',
    },
  ],
  publish: [
    {
      frame: {
        type: "publish",
        id: 4,
        channel: "news",
        data: { n: [1, null, true] },
        ttl: 0,
        urgency: "very-low",
        collapseKey: "score_1",
        idempotencyKey: "tea 1",
        tags: ["a", "茶"],
      },
      bytes:
        '{"type":"publish","id":4,"channel":"news","data":{"n":[1,null,true]},"ttl":0,"urgency":"very-low","collapseKey":"score_1","idempotencyKey":"tea 1","tags":["a","茶"]}',
    },
    {
      frame: { type: "publish", id: 5, channel: "news", data: null },
      bytes: '{"type":"publish","id":5,"channel":"news","data":null}',
    },
  ],
  history: [
    {
      frame: { type: "history", id: 6, channel: "news", after: 0, limit: 1000 },
      bytes: '{"type":"history","id":6,"channel":"news","after":0,"limit":1000}',
    },
  ],
  presence: [
    {
      frame: { type: "presence", id: 7, channel: "news" },
      bytes: '{"type":"presence","id":7,"channel":"news"}',
    },
  ],
  ping: [
    {
      frame: { type: "ping", id: Number.MAX_SAFE_INTEGER },
      bytes: '{"type":"ping","id":9007199254740991}',
    },
  ],
  ack: [
    {
      frame: { type: "ack", channel: "news", position: { epoch: "k3v9", offset: 43 } },
      bytes: '{"type":"ack","channel":"news","position":{"epoch":"k3v9","offset":43}}',
    },
  ],
  switch: [
    {
      frame: {
        type: "switch",
        id: 11,
        channel: "news",
        push: true,
        quietHours: { from: "22:00", to: "07:00" },
      },
      bytes:
        '{"type":"switch","id":11,"channel":"news","push":true,"quietHours":{"from":"22:00","to":"07:00"}}',
    },
    {
      frame: { type: "switch", id: 11, channel: "$all", quietHours: null },
      bytes: '{"type":"switch","id":11,"channel":"$all","quietHours":null}',
    },
  ],
  read: [
    {
      frame: { type: "read", id: 12, channel: "$device/d_1", publications: ["0Tz1", "0Tz2"] },
      bytes: '{"type":"read","id":12,"channel":"$device/d_1","publications":["0Tz1","0Tz2"]}',
    },
  ],
};
