/**
 * Codecs: publications into the frames of one protocol. A publication is encoded once per codec, however many
 * receive it; a codec whose receivers are none is not asked.
 */
import { encodePageFrame, encodePublication, encodePublicationFrame, textOf } from "@carillon/protocol/json";
import type { Accepted, ReadPage } from "../engine/engine.ts";

export interface Codec {
  /** The native topic on which a channel's live publications go out in this codec. */
  topic(channel: string): string;
  publication(channel: string, publication: Accepted): string;
  /** The frames of a page, in order. `more` is whether the log held more beyond it. */
  page(channel: string, page: ReadPage, more: boolean): readonly string[];
}

/** Plain text: a frame is a publication's text, or its JSON. It cannot tell of gaps. */
export const textCodec: Codec = {
  topic: (channel) => `text:${channel}`,
  publication: (_, { data }) => textOf(data),
  page: (_, { publications }) => publications.map(({ data }) => textOf(data)),
};

/** `carillon.v1`: a page is one frame. */
export const v1Codec: Codec = {
  topic: (channel) => `v1:${channel}`,
  publication: (channel, publication) => encodePublicationFrame(channel, encodePublication(publication)),
  page: (channel, page, more) => [encodePageFrame(channel, wirePage(page, more))],
};

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

export const CODECS: readonly Codec[] = [textCodec, v1Codec];
