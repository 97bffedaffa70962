/** Bounds on what one client, address or key may take; `hub/limits.ts` says what each means. */
import { MAX_FRAME_BYTES } from "@carillon/protocol/limits";
import { bytes, integer, option } from "./option.ts";

const COUNT = "a whole number from 1 to 10000000";
const count = (about: string, initial: string) =>
  option({ schema: integer(1, 10_000_000), expects: COUNT, placeholder: "N", about, initial });

export const limitOptions = {
  "max-connections": count("connections at a time", "100000"),
  "max-connections-per-address": count("connections at a time from one address", "20000"),
  "max-streams": count("streams of Server-Sent Events at a time", "10000"),
  "max-handshakes-per-second": count("new connections a second from one address", "500"),
  "max-frames-per-second": count("frames a second from one connection", "1000"),
  "max-bytes-per-second": option({
    schema: bytes(1_024, 1_024 ** 3),
    expects: "a size from 1KB to 1GB, such as 4MB",
    placeholder: "SIZE",
    about: "bytes a second from one connection",
    initial: "16MB",
  }),
  "max-publishes-per-second": count("publications a second by one key", "1000000"),
  "max-subscriptions": option({
    schema: integer(1, 10_000),
    expects: "a whole number from 1 to 10000",
    placeholder: "N",
    about: "subscriptions of one connection",
    initial: "1000",
  }),
  "max-registrations-per-minute": count("devices that apps register, a minute from one address", "60"),
  "max-frame": option({
    schema: bytes(1_024, MAX_FRAME_BYTES),
    expects: "a size from 1KB to 64KB",
    placeholder: "SIZE",
    about: "the largest frame of a client",
    initial: "64KB",
  }),
  "max-body": option({
    schema: bytes(64 * 1_024, 64 * 1_024 ** 2),
    expects: "a size from 64KB to 64MB, such as 8MB",
    placeholder: "SIZE",
    about: "the largest body of a request",
    initial: "8MB",
  }),
};
