interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly fire: () => void;
}

/**
 * A clock that stands still until it is told to move. `advance` fires what falls due on the way, in order,
 * each at its own time. It stands here so that a simulation runs clients and server on one clock.
 */
export class VirtualClock {
  #wallOffsetMs: number;
  #nowMs = 0;
  #timers: Timer[] = [];
  #created = 0;

  constructor(wallStartMs = Date.UTC(2026, 10, 24, 9, 30, 0)) {
    this.#wallOffsetMs = wallStartMs;
  }

  wallMs(): number {
    return this.#wallOffsetMs + Math.floor(this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, fire: () => void): () => void {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#created++, fire };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Timers that have not fired yet. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Moves `deltaMs` on, firing every timer on its way at the moment it is due. */
  advance(deltaMs: number): void {
    const targetMs = this.#nowMs + deltaMs;
    for (let next = this.#earliest(); next !== undefined && next.dueMs <= targetMs; next = this.#earliest()) {
      this.#fire(next);
    }
    this.#nowMs = targetMs;
  }

  /** Moves on to the next timer that is due within `deltaMs` and fires it; `false`, and moved on by all of it, if none is. */
  step(deltaMs: number): boolean {
    const next = this.#earliest();
    if (next === undefined || next.dueMs > this.#nowMs + deltaMs) {
      this.#nowMs += deltaMs;
      return false;
    }
    this.#fire(next);
    return true;
  }

  /** Moves `deltaMs` on as a stalled process would see it: what fell due meanwhile fires late, at the end. */
  stall(deltaMs: number): void {
    this.#nowMs += deltaMs;
    this.advance(0);
  }

  /** Sets the wall clock forward or back; the monotonic one does not notice. */
  jumpWall(deltaMs: number): void {
    this.#wallOffsetMs += deltaMs;
  }

  #earliest(): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) {
      if (
        earliest === undefined ||
        timer.dueMs < earliest.dueMs ||
        (timer.dueMs === earliest.dueMs && timer.order < earliest.order)
      ) {
        earliest = timer;
      }
    }
    return earliest;
  }

  #fire(timer: Timer): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
    timer.fire();
  }
}
