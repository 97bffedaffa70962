/**
 * Liveness: who is still there. One sweep over all sessions, not a timer per client.
 *
 * A client that was silent for the idle timeout is pinged, once; one that was silent for twice that is dropped,
 * even while the server keeps sending to it. An app that sends its own heartbeats is never pinged, so the
 * server does not wake a sleeping phone.
 */
import { CloseCode } from "@carillon/protocol/codes";
import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { Session } from "./session.ts";

/** A sweep comes this many times per idle timeout, so a ping or drop is late by 5 % of it at most… */
const SWEEPS_PER_TIMEOUT = 20;
/** …and at least this often, which costs nothing: looking at 15,000 sessions takes about 0.4 ms. */
const LONGEST_SWEEP_MS = 15_000;

/** A client of `carillon.v1` that has not said who it is by then is closed: a connection that does nothing costs memory. */
const IDENTIFY_WITHIN_MS = 10_000;

export interface Liveness {
  readonly sessions: Iterable<Session>;
  readonly clock: Clock;
  readonly idleTimeoutMs: number;
}

/** Starts sweeping; returns a function that stops it. */
export function startLiveness({ sessions, clock, idleTimeoutMs }: Liveness): CancelTimer {
  const periodMs = Math.min(idleTimeoutMs / SWEEPS_PER_TIMEOUT, LONGEST_SWEEP_MS);
  let cancel: CancelTimer = () => {};
  const arm = () => {
    cancel = clock.setTimer(periodMs, () => {
      sweep(sessions, clock.monotonicMs(), idleTimeoutMs);
      arm();
    });
  };
  arm();
  return () => cancel();
}

function sweep(sessions: Iterable<Session>, nowMs: number, idleTimeoutMs: number): void {
  for (const session of sessions) {
    // Those who are behind in many channels at once are seen here.
    session.noteUnread();
    const silentMs = nowMs - session.lastSeenMs;
    if (silentMs >= 2 * idleTimeoutMs) session.drop();
    else if (session.isUnidentified && silentMs >= IDENTIFY_WITHIN_MS)
      session.close(CloseCode.connectTimeout, "no connect command");
    else if (silentMs >= idleTimeoutMs && !session.pinged) session.ping();
  }
}
