/**
 * The version of the wire. It is part of the sub-protocol's name, so both ends know it before the first frame.
 *
 * Within a version only what old ends ignore may be added: new fields, new pushes, new error codes, new commands. What
 * changes the meaning of a frame or makes one that was valid invalid is a new version with a new name, spoken beside the
 * old one. `frames.test.ts` fails when the wire changes and this page does not.
 */

/** Offered and chosen in `Sec-WebSocket-Protocol` (RFC 6455 section 1.9). */
export const SUBPROTOCOL = "carillon.v1";

/**
 * The wire as it is, and how it came to be. When the test fails: decide by the rules above whether this is still the same
 * version, write a line, and put the new hash (the failure shows it as expected) into it.
 */
export const WIRE_HISTORY: readonly { readonly hash: string; readonly change: string }[] = [
  {
    hash: "fdcb80669d1c6fab",
    change: "carillon.v1: channels with positions, lanes, pages, history, presence and acks",
  },
  {
    hash: "0bd386274cf01adb",
    change: "refresh, expiresAt in connected, error codes token_expired and rate_limited",
  },
  {
    hash: "e96a93868a584fd3",
    change:
      "devices: an inbox, push switches with quiet hours, read and withdrawn publications, offsets per lane in page, urgentFirst, error code device_required",
  },
];
