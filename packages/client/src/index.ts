/**
 * `@carillon/client`: one connection that stays, and channels that lose nothing.
 *
 *     import { Carillon, localStorageStore } from "@carillon/client";
 *
 *     const carillon = new Carillon("https://push.example.com", { token, store: localStorageStore() });
 *     const news = carillon.channel("news");
 *     news.on("publication", ({ data }) => show(data));
 *     news.on("gap", () => reloadEverything());
 */
export type { Gap, Json, Member, Publication, Published, PublishOptions } from "@carillon/protocol/frames";
export type { Position } from "@carillon/protocol/position";
export { Channel } from "./channel.ts";
export type { ChannelEvents, ChannelOptions, ChannelState, Received } from "./channel-events.ts";
export { Carillon } from "./client.ts";
export type { ConnectionState } from "./connection.ts";
export { CarillonError, type ClientErrorCode } from "./errors.ts";
export type { CarillonOptions } from "./options.ts";
export { localStorageStore, memoryStore, type Store } from "./stores.ts";
