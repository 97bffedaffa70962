/** What a server says, and its exact bytes. */
import type { Publication, Push, Reply } from "../frames.ts";
import type { EveryType } from "./golden.ts";

const time = "2026-11-24T09:30:00.000Z";
const publication: Publication = { id: "0Tz1", offset: 43, prev: 42, time, data: "Tea" };
const publicationBytes = `{"id":"0Tz1","offset":43,"prev":42,"time":"${time}","data":"Tea"}`;

export const SERVER_FRAMES: EveryType<Reply | Push> = {
  connected: [
    {
      frame: {
        type: "connected",
        id: 1,
        session: "s1",
        time,
        idleTimeoutMs: 1_200_000,
        maxFrameBytes: 65_536,
        defaultChannel: "push",
      },
      bytes: `{"type":"connected","id":1,"session":"s1","time":"${time}","idleTimeoutMs":1200000,"maxFrameBytes":65536,"defaultChannel":"push"}`,
    },
    {
      frame: {
        type: "connected",
        id: 1,
        session: "s1",
        time,
        idleTimeoutMs: 1_200_000,
        maxFrameBytes: 65_536,
        defaultChannel: "push",
        expiresAt: time,
      },
      bytes: `{"type":"connected","id":1,"session":"s1","time":"${time}","idleTimeoutMs":1200000,"maxFrameBytes":65536,"defaultChannel":"push","expiresAt":"${time}"}`,
    },
    {
      frame: {
        type: "connected",
        id: 1,
        session: "s1",
        time,
        idleTimeoutMs: 1_200_000,
        maxFrameBytes: 65_536,
        defaultChannel: "push",
        device: "d_1",
        inbox: ["$device/d_1", "$user/ann", "$all"],
      },
      bytes: `{"type":"connected","id":1,"session":"s1","time":"${time}","idleTimeoutMs":1200000,"maxFrameBytes":65536,"defaultChannel":"push","device":"d_1","inbox":["$device/d_1","$user/ann","$all"]}`,
    },
  ],
  refreshed: [
    { frame: { type: "refreshed", id: 10 }, bytes: '{"type":"refreshed","id":10}' },
    {
      frame: { type: "refreshed", id: 10, expiresAt: time },
      bytes: `{"type":"refreshed","id":10,"expiresAt":"${time}"}`,
    },
  ],
  subscribed: [
    {
      frame: { type: "subscribed", id: 2, channel: "news", position: { epoch: "k3v9", offset: 45 } },
      bytes: '{"type":"subscribed","id":2,"channel":"news","position":{"epoch":"k3v9","offset":45}}',
    },
    {
      frame: {
        type: "subscribed",
        id: 2,
        channel: "news",
        position: { epoch: "k3v9", offset: 45 },
        from: { epoch: "k3v9", offset: 0 },
        gap: { reason: "epoch" },
      },
      bytes:
        '{"type":"subscribed","id":2,"channel":"news","position":{"epoch":"k3v9","offset":45},"from":{"epoch":"k3v9","offset":0},"gap":{"reason":"epoch"}}',
    },
    {
      frame: {
        type: "subscribed",
        id: 2,
        channel: "news",
        position: { epoch: "k3v9", offset: [45, 40, 40] },
        from: { epoch: "k3v9", offset: 40 },
        quietHours: { from: "22:00", to: "07:00" },
      },
      bytes:
        '{"type":"subscribed","id":2,"channel":"news","position":{"epoch":"k3v9","offset":[45,40,40]},"from":{"epoch":"k3v9","offset":40},"quietHours":{"from":"22:00","to":"07:00"}}',
    },
    {
      frame: {
        type: "subscribed",
        id: 2,
        channel: "news",
        position: { epoch: "k3v9", offset: 45 },
        push: false,
      },
      bytes:
        '{"type":"subscribed","id":2,"channel":"news","position":{"epoch":"k3v9","offset":45},"push":false}',
    },
  ],
  unsubscribed: [
    {
      frame: { type: "unsubscribed", id: 3, channel: "news" },
      bytes: '{"type":"unsubscribed","id":3,"channel":"news"}',
    },
  ],
  published: [
    {
      frame: {
        type: "published",
        id: 4,
        channel: "news",
        publication: "0Tz1",
        epoch: "k3v9",
        offset: 43,
        time,
        duplicate: true,
      },
      bytes: `{"type":"published","id":4,"channel":"news","publication":"0Tz1","epoch":"k3v9","offset":43,"time":"${time}","duplicate":true}`,
    },
    {
      frame: { type: "published", id: 4, channel: "news", publication: "0Tz1", epoch: "k3v9", time },
      bytes: `{"type":"published","id":4,"channel":"news","publication":"0Tz1","epoch":"k3v9","time":"${time}"}`,
    },
  ],
  history: [
    {
      frame: {
        type: "history",
        id: 6,
        channel: "news",
        epoch: "k3v9",
        publications: [publication],
        to: 43,
        more: false,
      },
      bytes: `{"type":"history","id":6,"channel":"news","epoch":"k3v9","publications":[${publicationBytes}],"to":43,"more":false}`,
    },
  ],
  presence: [
    {
      frame: {
        type: "presence",
        id: 7,
        channel: "news",
        count: 2,
        members: [{ session: "s1" }, { session: "s2", device: "phone-1", user: "ann" }],
      },
      bytes:
        '{"type":"presence","id":7,"channel":"news","count":2,"members":[{"session":"s1"},{"session":"s2","device":"phone-1","user":"ann"}]}',
    },
  ],
  pong: [{ frame: { type: "pong", id: 8 }, bytes: '{"type":"pong","id":8}' }],
  switched: [
    {
      frame: {
        type: "switched",
        id: 11,
        channel: "news",
        push: false,
        quietHours: { from: "22:00", to: "07:00" },
      },
      bytes:
        '{"type":"switched","id":11,"channel":"news","push":false,"quietHours":{"from":"22:00","to":"07:00"}}',
    },
    {
      frame: { type: "switched", id: 11, channel: "$all", push: true },
      bytes: '{"type":"switched","id":11,"channel":"$all","push":true}',
    },
  ],
  read: [{ frame: { type: "read", id: 12 }, bytes: '{"type":"read","id":12}' }],
  error: [
    {
      frame: { type: "error", id: 9, code: "forbidden", message: "no" },
      bytes: '{"type":"error","id":9,"code":"forbidden","message":"no"}',
    },
    {
      frame: { type: "error", code: "bad_frame", message: "no" },
      bytes: '{"type":"error","code":"bad_frame","message":"no"}',
    },
  ],
  publication: [
    {
      frame: { type: "publication", channel: "news", publication },
      bytes: `{"type":"publication","channel":"news","publication":${publicationBytes}}`,
    },
    {
      frame: {
        type: "publication",
        channel: "$user/ann",
        publication: { ...publication, withdrawOn: "read" },
      },
      bytes: `{"type":"publication","channel":"$user/ann","publication":${publicationBytes.slice(0, -1)},"withdrawOn":"read"}}`,
    },
    {
      frame: {
        type: "publication",
        channel: "$user/ann",
        publication: { id: "0Tz3", time, data: null, withdraws: "0Tz1" },
      },
      bytes: `{"type":"publication","channel":"$user/ann","publication":{"id":"0Tz3","time":"${time}","data":null,"withdraws":"0Tz1"}}`,
    },
  ],
  page: [
    {
      frame: {
        type: "page",
        channel: "news",
        epoch: "k3v9",
        publications: [publication],
        to: 45,
        more: true,
        gap: { from: 1, to: 42 },
      },
      bytes: `{"type":"page","channel":"news","epoch":"k3v9","publications":[${publicationBytes}],"to":45,"more":true,"gap":{"from":1,"to":42}}`,
    },
    {
      frame: {
        type: "page",
        channel: "news",
        epoch: "k3v9",
        publications: [],
        to: [45, 0, 0],
        more: false,
      },
      bytes: '{"type":"page","channel":"news","epoch":"k3v9","publications":[],"to":[45,0,0],"more":false}',
    },
  ],
  join: [
    {
      frame: { type: "join", channel: "news", member: { session: "s1" } },
      bytes: '{"type":"join","channel":"news","member":{"session":"s1"}}',
    },
  ],
  leave: [
    {
      frame: { type: "leave", channel: "news", member: { session: "s1" } },
      bytes: '{"type":"leave","channel":"news","member":{"session":"s1"}}',
    },
  ],
  revoked: [
    {
      frame: { type: "revoked", channel: "news", code: "forbidden", message: "no" },
      bytes: '{"type":"revoked","channel":"news","code":"forbidden","message":"no"}',
    },
  ],
  switch: [
    {
      frame: { type: "switch", channel: "news", push: false },
      bytes: '{"type":"switch","channel":"news","push":false}',
    },
    {
      frame: {
        type: "switch",
        channel: "$device/d_1",
        push: true,
        quietHours: { from: "22:00", to: "07:00" },
      },
      bytes:
        '{"type":"switch","channel":"$device/d_1","push":true,"quietHours":{"from":"22:00","to":"07:00"}}',
    },
  ],
};
