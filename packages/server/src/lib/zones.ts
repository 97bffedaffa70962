/// <reference lib="esnext.temporal" />
/**
 * Time zones: from a moment to what the clock on the wall shows, and back.
 *
 *     const berlin = timeZone("Europe/Berlin");
 *     berlin?.localMs(Date.UTC(2026, 6, 1, 12)); // Date.UTC(2026, 6, 1, 14)
 *
 * A local time is written as the milliseconds that a clock in UTC would have when it shows the same.
 */

/** A stretch of time, from `fromMs` to before `toMs`, over which local time is UTC plus `offsetMs`. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  readonly offsetMs: number;
}

/** No zone was ever further from UTC; the local time of a day back lies before that of now wherever one is. */
const FURTHEST_OFFSET_MS = 26 * 3_600_000;

/**
 * Spans kept of one zone: a thousand years with two changes each. Who asks further is answered, and the cache starts
 * anew.
 */
const MAX_SPANS = 2_000;

/** A time zone whose changes are looked up once: asking ICU takes 10 µs and more, finding a span that is known 20 ns. */
export class TimeZone {
  /** The zone's name, in the spelling of the IANA database. */
  readonly name: string;
  #spans: Span[] = [];
  #latest: Span = { fromMs: 0, toMs: 0, offsetMs: 0 };

  /** @throws {RangeError} if there is no such zone. */
  constructor(name: string) {
    this.name = new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone;
  }

  /** The stretch of even time that `atMs` lies in. */
  spanAt(atMs: number): Span {
    const latest = this.#latest;
    if (atMs >= latest.fromMs && atMs < latest.toMs) return latest;
    const after = this.#countStartedBy(atMs);
    let span = this.#spans[after - 1];
    if (span === undefined || atMs >= span.toMs) {
      span = this.#lookUp(atMs);
      if (this.#spans.length >= MAX_SPANS) this.#spans = [span];
      else this.#spans.splice(after, 0, span);
    }
    this.#latest = span;
    return span;
  }

  /** What the clock shows at `atMs`. */
  localMs(atMs: number): number {
    return atMs + this.spanAt(atMs).offsetMs;
  }

  /**
   * The span in which the clock shows `localMs` for the first time. Where the clock jumps over that time, the span that
   * begins with the jump.
   */
  spanOfLocal(localMs: number): Span {
    let span = this.spanAt(localMs - FURTHEST_OFFSET_MS);
    while (localMs - span.offsetMs >= span.toMs) span = this.spanAt(span.toMs);
    return span;
  }

  /** How many of the known spans, which are in order, begin at `atMs` or before. */
  #countStartedBy(atMs: number): number {
    let low = 0;
    let high = this.#spans.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#spans[middle]?.fromMs ?? 0) <= atMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #lookUp(atMs: number): Span {
    const at = (ms: number) => Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(this.name);
    // "previous" means before; a change at this very moment counts.
    const from = at(atMs + 1).getTimeZoneTransition("previous");
    const to = at(atMs).getTimeZoneTransition("next");
    return {
      fromMs: from?.epochMilliseconds ?? Number.NEGATIVE_INFINITY,
      toMs: to?.epochMilliseconds ?? Number.POSITIVE_INFINITY,
      offsetMs: at(atMs).offsetNanoseconds / 1_000_000,
    };
  }
}

/** Names that are remembered: all that exist, and some in odd letters. */
const MAX_ZONES = 2_000;
const zones = new Map<string, TimeZone>();

/** The zone called `name` (an IANA name in any letters, or an offset such as `+02:00`); `undefined` if there is none. */
export function timeZone(name: string): TimeZone | undefined {
  const known = zones.get(name);
  if (known !== undefined) return known;
  try {
    const zone = new TimeZone(name);
    if (zones.size >= MAX_ZONES) zones.clear();
    zones.set(name, zone);
    return zone;
  } catch {
    return undefined;
  }
}
