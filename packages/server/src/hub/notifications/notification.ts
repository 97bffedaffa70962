/** What an app that is not connected is told of a publication. */
import { encodePublication } from "@carillon/protocol/json";
import type { Accepted } from "../../engine/engine.ts";
import { EVERYONE } from "../devices/device.ts";

/** Of one without a `ttl`: four weeks are the most that push services keep anything. */
const LONGEST_TTL_S = 28 * 86_400;

/** What a publication's `meta` says that is of use here. */
interface Meta {
  readonly ttl?: number;
  readonly urgency?: string;
  readonly collapseKey?: string;
}

export class Notification {
  readonly publication: Accepted;
  /** What is left of its time, in whole seconds. */
  readonly ttlSeconds: number;
  readonly urgency: "high" | "normal";
  /** Of its channel. */
  readonly collapseKey: string | undefined;
  readonly #meta: Meta;
  #full: string | undefined;
  #brief: string | undefined;

  constructor(publication: Accepted, nowMs: number) {
    const { expiresAtMs = Number.POSITIVE_INFINITY, lane, meta } = publication;
    this.publication = publication;
    this.#meta = meta === "" ? {} : (JSON.parse(meta) as Meta);
    this.ttlSeconds = Math.max(0, Math.min(LONGEST_TTL_S, Math.floor((expiresAtMs - nowMs) / 1_000)));
    this.urgency = lane === 0 ? "high" : "normal";
    this.collapseKey = this.#meta.collapseKey;
  }

  /** JSON: the publication as in `carillon.v1`, and its channel. */
  get full(): string {
    const { channel, prev } = this.publication;
    const told = { ...this.publication, prev: channel === EVERYONE ? 0 : prev };
    this.#full ??= `{"channel":"${channel}",${encodePublication(told).slice(1)}`;
    return this.#full;
  }

  /** The same without what may be long, at most 600 bytes: `truncated` tells the app to fetch the rest. */
  get brief(): string {
    const { id, channel, offset, timeMs } = this.publication;
    const { ttl, urgency, collapseKey } = this.#meta;
    const time = new Date(timeMs).toISOString();
    this.#brief ??= JSON.stringify({ channel, id, offset, time, ttl, urgency, collapseKey, truncated: true });
    return this.#brief;
  }

  /** The longer of the two that has no more than `maxBytes` in UTF-8. */
  fitting(maxBytes: number): string {
    return Buffer.byteLength(this.full, "utf8") <= maxBytes ? this.full : this.brief;
  }
}
