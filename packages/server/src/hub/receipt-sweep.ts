/** Forgets receipts that are over: a slice at a time, so that nobody waits for it. */
import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Receipts } from "./receipts.ts";

const EVERY_MS = 3_600_000;
/** Records of a slice, and the time until the next: 10,000 a second, which is 5 % of what a disk takes. */
const SLICE = 500;
const PAUSE_MS = 50;

export interface ReceiptSweepPorts {
  readonly receipts: Pick<Receipts, "forgetOld">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Starts; returns a function that stops it. */
export function startReceiptSweep({ receipts, clock, log }: ReceiptSweepPorts): CancelTimer {
  let cancel: CancelTimer = () => {};
  let isStopped = false;
  const sweep = async () => {
    const isMore = await receipts.forgetOld(SLICE).catch((error) => {
      if (!isStopped) log.warn(`Old receipts could not be forgotten: ${error}`);
      return false;
    });
    if (!isStopped) arm(isMore ? PAUSE_MS : EVERY_MS);
  };
  const arm = (delayMs: number) => {
    cancel = clock.setTimer(delayMs, () => void sweep());
  };
  arm(EVERY_MS);
  return () => {
    isStopped = true;
    cancel();
  };
}
