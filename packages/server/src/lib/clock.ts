/**
 * Time as a port. Everything that waits or asks the time is handed a `Clock`, so tests run on a virtual
 * one and never sleep.
 */

/** Cancels a timer. Calling it twice, or after the timer has fired, does nothing. */
export type CancelTimer = () => void;

export interface Clock {
  /** Milliseconds since 1970, as the machine's wall clock has it. Jumps when the clock is set. */
  wallMs(): number;
  /** Milliseconds since some fixed moment, with fractions. Never jumps and never goes back. */
  monotonicMs(): number;
  /** Runs `fire` once, `delayMs` from now at the earliest. Any delay is fine, also one of years. */
  setTimer(delayMs: number, fire: () => void): CancelTimer;
}

/** A timer set for longer than a 32-bit number of milliseconds would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, fire) {
    let timer: ReturnType<typeof setTimeout>;
    const arm = (remainingMs: number) => {
      const stepMs = Math.min(remainingMs, LONGEST_TIMER_MS);
      timer = setTimeout(() => (remainingMs > stepMs ? arm(remainingMs - stepMs) : fire()), stepMs);
    };
    arm(Math.max(0, delayMs));
    return () => clearTimeout(timer);
  },
};
