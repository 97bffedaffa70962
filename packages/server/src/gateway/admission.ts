/**
 * Who may connect: so many at a time, in all and from one address, and so many handshakes a second from one address. It is
 * asked before anything is read of a handshake, so that a flood costs no check of a signature.
 */
import type { Limits } from "../hub/limits.ts";
import type { Clock } from "../lib/clock.ts";
import type { Metrics } from "../lib/metrics.ts";
import { Rates } from "../lib/rate.ts";
import { countedAs } from "./client-address.ts";
import type { Problem } from "./problem.ts";

export interface AdmissionPorts {
  readonly clock: Clock;
  /** Read each time, so they may change; those who are in stay. */
  readonly limits: Readonly<Limits>;
  readonly metrics: Metrics;
}

/** What somebody who may not come in is told. */
export interface NotAdmitted {
  readonly problem: Problem;
  readonly headers: { readonly "retry-after": string };
}

/**
 * When somebody leaves, nobody knows. Seldom enough that 100,000 who wait take a tenth of a core (a refusal costs 30 µs, its
 * TCP connection included), and soon enough for a place that has become free.
 */
const FULL_RETRY_S = 30;

export class Admission {
  readonly #limits: Readonly<Limits>;
  readonly #metrics: Metrics;
  readonly #handshakes: Rates;
  /** Connections by address; those that have none are not kept. */
  readonly #byAddress = new Map<string, number>();
  #connections = 0;
  #streams = 0;

  constructor({ clock, limits, metrics }: AdmissionPorts) {
    this.#limits = limits;
    this.#metrics = metrics;
    this.#handshakes = new Rates(clock, () => limits.maxHandshakesPerSecond);
  }

  /** Counts a connection from `address` in, until `leave`; or says why not, and then nothing was counted. */
  enter(address: string): NotAdmitted | undefined {
    const name = countedAs(address);
    const refusal = this.#tooFast(name) ?? this.#tooMany(name);
    if (refusal === undefined) this.#count(name, 1);
    return refusal;
  }

  /** Counts a connection out again: once for each that came in. */
  leave(address: string): void {
    this.#count(countedAs(address), -1);
  }

  /** The same for a stream of Server-Sent Events; what it answers counts it out, and does nothing when called again. */
  admitStream(address: string): NotAdmitted | (() => void) {
    const { maxStreams } = this.#limits;
    const name = countedAs(address);
    const refusal = this.#tooFast(name) ?? this.#tooManyStreams(maxStreams) ?? this.#tooMany(name);
    if (refusal !== undefined) return refusal;
    this.#streams += 1;
    this.#count(name, 1);
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      this.#streams -= 1;
      this.#count(name, -1);
    };
  }

  #tooFast(name: string): NotAdmitted | undefined {
    const waitMs = this.#handshakes.take(name);
    if (waitMs === 0) return undefined;
    const detail = `more than ${this.#limits.maxHandshakesPerSecond} connections a second from your address`;
    return this.#refuse("too_many_handshakes", detail, Math.ceil(waitMs / 1_000));
  }

  #tooMany(name: string): NotAdmitted | undefined {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    const code = "too_many_connections";
    if (this.#connections >= maxConnections) return this.#refuse(code, "the server is full", FULL_RETRY_S);
    if ((this.#byAddress.get(name) ?? 0) < maxConnectionsPerAddress) return undefined;
    const detail = `at most ${maxConnectionsPerAddress} connections from your address`;
    return this.#refuse(code, detail, FULL_RETRY_S);
  }

  #tooManyStreams(most: number): NotAdmitted | undefined {
    if (this.#streams < most) return undefined;
    return this.#refuse("too_many_streams", `at most ${most} streams at a time`, FULL_RETRY_S);
  }

  #refuse(code: string, detail: string, retryS: number): NotAdmitted {
    this.#metrics.refused.inc({ code });
    return { problem: { status: 429, code, detail }, headers: { "retry-after": String(retryS) } };
  }

  #count(name: string, change: 1 | -1): void {
    this.#connections += change;
    const count = (this.#byAddress.get(name) ?? 0) + change;
    if (count > 0) this.#byAddress.set(name, count);
    else this.#byAddress.delete(name);
  }
}
