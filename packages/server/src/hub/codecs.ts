/**
 * Codecs: publications into the frames of one protocol. A publication is encoded once per codec, however many
 * receive it; a codec whose receivers are none is not asked.
 */
import type { Gap } from "@carillon/protocol/frames";
import { encodePageFrame, encodePublication, encodePublicationFrame, textOf } from "@carillon/protocol/json";
import type { Accepted, ReadPage } from "../engine/engine.ts";
import type { Channel } from "./channels.ts";
import { EVERYONE } from "./devices/device.ts";

export interface Codec {
  /** The native topic on which a channel's live publications go out in this codec. */
  topic(channel: string): string;
  /** "" if this protocol has no word for it. */
  publication(channel: Channel, publication: Accepted): string;
  /**
   * The frames of a page, in order. `more` is whether the log held more beyond it; `isUrgentOnly`, whether it brings its
   * reader on in the lane `high` alone.
   */
  page(channel: string, page: ReadPage, more: boolean, isUrgentOnly: boolean): readonly string[];
}

/** What begins the rest of a publication that takes an earlier one back. */
const WITHDRAWS = '{"withdraws":';

/** Whether a publication takes another back, and is no message. */
export function isWithdrawal(meta: string): boolean {
  return meta.startsWith(WITHDRAWS);
}

/** Plain text: a frame is a publication's text, or its JSON. It cannot tell of gaps. */
export const textCodec: Codec = {
  topic: (channel) => `text:${channel}`,
  publication: (_, { data, meta }) => (isWithdrawal(meta) ? "" : textOf(data)),
  page: (_, { publications }) => publications.map(({ data }) => textOf(data)),
};

/** `carillon.v1`: a page is one frame. */
export const v1Codec: Codec = {
  topic: (channel) => `v1:${channel}`,
  publication: ({ name }, publication) => {
    // What lies between two publications there was not for all who get the second.
    const told = name === EVERYONE ? { ...publication, prev: 0 } : publication;
    return encodePublicationFrame(name, encodePublication(told));
  },
  page: (channel, page, more, isUrgentOnly) => {
    const { to, ...rest } = wirePage(page, more);
    return [encodePageFrame(channel, { ...rest, to: isUrgentOnly ? [to, 0, 0] : to })];
  },
};

/**
 * Server-Sent Events: an event is a publication's text, or its JSON; its id is the position after it. What cannot be had
 * any more is told by an event `gap`.
 */
export const sseCodec: Codec = {
  topic: (channel) => `${SSE_TOPIC}${channel}`,
  publication: ({ epoch }, publication) => encodeEvent(epoch, publication),
  page: (_, { epoch, publications, gap }) => {
    const events = publications.map((publication) => encodeEvent(epoch, publication));
    return gap === undefined ? events : [encodeGap(gap), ...events];
  },
};

/** What the topics of Server-Sent Events begin with: they are no sockets of Bun's. */
export const SSE_TOPIC = "sse:";

/** Publications of `ttl` 0 have no place, so the client's last id stays. */
function encodeEvent(epoch: string, { offset, data }: Accepted): string {
  const id = offset > 0 ? `${idField(epoch, offset)}\n` : "";
  return `${id}data: ${textOf(data).replaceAll(LINE_END, "\ndata: ")}\n\n`;
}

/** Moves the client's last id without an event: what has no data is not told to the page, but its id is kept. */
export function encodeId(epoch: string, offset: number): string {
  return `${idField(epoch, offset)}\n\n`;
}

function idField(epoch: string, offset: number): string {
  return `id: ${epoch}:${offset}`;
}

/** The three that end a line there (WHATWG HTML, section 9.2.6). */
const LINE_END = /\r\n|\r|\n/g;

export function encodeGap(gap: Gap): string {
  return `event: gap\ndata: ${JSON.stringify(gap)}\n\n`;
}

/** A page of the engine as the protocol's encoders take it. */
export function wirePage({ epoch, publications, to, gap }: ReadPage, more: boolean) {
  return {
    epoch,
    publications: publications.map(encodePublication),
    to,
    more,
    ...(gap !== undefined && { gap }),
  };
}

export const CODECS: readonly Codec[] = [textCodec, v1Codec, sseCodec];
