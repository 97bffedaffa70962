/** What `carillon listen` writes: pushes to standard output, what happens to the connection to standard error. */
import type { ConnectionState, Gap } from "@carillon/client";
import { ABNORMAL_CLOSURE } from "@carillon/protocol/codes";
import type { Clock } from "../lib/clock.ts";
import { printable } from "../lib/printable.ts";
import type { FormatTimestamp } from "../lib/timestamp.ts";
import type { Io } from "./command.ts";

export interface ListenOutput {
  /** A push has arrived. */
  push(text: string): void;
  /** Something is to be told that is no push. */
  status(message: string): void;
}

/** Lines for people: `[2026-11-24 09:30:00] Server push message …`. */
export function prettyOutput(
  io: Pick<Io, "out" | "err">,
  clock: Clock,
  timestamp: FormatTimestamp,
): ListenOutput {
  const now = () => `[${timestamp(clock.wallMs())}] `;
  return {
    push: (text) => {
      const time = now();
      // Lines after the first are indented, so that none of them looks like a push of its own.
      io.out(
        time +
          text
            .split(/\r?\n/)
            .map(printable)
            .join(`\n${" ".repeat(time.length)}`),
      );
    },
    status: (message) => io.err(now() + printable(message)),
  };
}

/** Lines for programs: `{"time":"2026-11-24T09:30:00.000Z","text":"…"}`, and `status` in place of `text`. */
export function jsonOutput(io: Pick<Io, "out" | "err">, clock: Clock): ListenOutput {
  const line = (fields: object) =>
    JSON.stringify({ time: new Date(clock.wallMs()).toISOString(), ...fields });
  return {
    push: (text) => io.out(line({ text })),
    status: (status) => io.err(line({ status })),
  };
}

/** One line for people on what cannot be had any more. */
export function describeGap(gap: Gap): string {
  if ("reason" in gap) return "The server has another log than before; everything that it keeps follows";
  return `Missed for good: ${gap.from} to ${gap.to}; the server does not keep them any more`;
}

/** One line for people on what the connection is doing. */
export function describeState(state: ConnectionState, url: string): string {
  switch (state.status) {
    case "connecting":
      return `Connecting to ${url}`;
    case "open":
      return "Connected";
    case "waiting":
      return `Not connected (${cause(state)}); next attempt in ${(state.retryInMs / 1000).toFixed(1)} s`;
    case "closed":
      return state.code === undefined ? "Closed" : `Closed for good (${cause(state)})`;
  }
}

function cause({ code, reason }: { readonly code?: number; readonly reason?: string }): string {
  if (reason) return `${code}: ${reason}`;
  return code === ABNORMAL_CLOSURE ? "unreachable or cut off" : `${code}`;
}
