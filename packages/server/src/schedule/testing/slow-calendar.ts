/**
 * The oracle for `when`: what a cron rule is due, found by looking at the clock of a zone minute by minute. Slow, and it
 * shares nothing with the code it checks: not the parser, not the search, not the source of the zones' changes.
 */
import fc from "fast-check";
import { slowLocalMs } from "../../lib/testing/slow-clock.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** What a clock shows. `month` and `day` count from 1, `weekday` from Sunday, which is 0. */
interface Shown {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** A part of a cron expression, as text and as a test of what a clock shows. */
interface Part {
  readonly text: string;
  readonly fits: (shown: Shown) => boolean;
}

export interface SlowCron {
  readonly text: string;
  readonly everyHour: boolean;
  readonly fits: (shown: Shown) => boolean;
  readonly fitsDay: (shown: Shown) => boolean;
}

type Unit = "second" | "minute" | "hour" | "day" | "month";

/** A field of numbers: `*`, one, a list, a range, steps. */
function numbers(unit: Unit, least: number, most: number): fc.Arbitrary<Part & { readonly all: boolean }> {
  const number = fc.integer({ min: least, max: most });
  const part = (text: string, all: (value: number) => boolean) => {
    const values = Array.from({ length: most - least + 1 }, (_, at) => least + at).filter(all);
    return {
      text,
      fits: (shown: Shown) => values.includes(shown[unit]),
      all: values.length === most - least + 1,
    };
  };
  const pair = fc.tuple(number, number).map(([one, other]) => [Math.min(one, other), Math.max(one, other)]);
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant(part("*", () => true)) },
    { weight: 3, arbitrary: number.map((only) => part(`${only}`, (value) => value === only)) },
    fc
      .array(number, { minLength: 1, maxLength: 4 })
      .map((list) => part(list.join(","), (value) => list.includes(value))),
    pair.map(([from = 0, to = 0]) => part(`${from}-${to}`, (value) => value >= from && value <= to)),
    fc
      .integer({ min: 1, max: most })
      .map((step) => part(`*/${step}`, (value) => (value - least) % step === 0)),
    fc
      .tuple(pair, fc.integer({ min: 1, max: 9 }))
      .map(([[from = 0, to = 0], step]) =>
        part(`${from}-${to}/${step}`, (value) => value >= from && value <= to && (value - from) % step === 0),
      ),
  );
}

const NAMES = ["SUN", "mon", "Tue", "WED", "thu", "FRI", "sat"];
const daysIn = ({ year, month }: Shown) => new Date(Date.UTC(year, month, 0)).getUTCDate();

const weekdays: fc.Arbitrary<Part> = fc
  .tuple(fc.integer({ min: 0, max: 6 }), fc.boolean(), fc.integer({ min: 0, max: 7 }))
  .map(([day, named, which]) => {
    const name = named ? (NAMES[day] ?? "") : `${day}`;
    if (which === 0) return { text: name, fits: ({ weekday }) => weekday === day };
    if (which === 6) {
      return {
        text: `${name}#L`,
        fits: (shown) => shown.weekday === day && shown.day > daysIn(shown) - 7,
      };
    }
    if (which === 7) return { text: "1-5", fits: ({ weekday }) => weekday !== 0 && weekday !== 6 };
    return {
      text: `${name}#${which}`,
      fits: (shown) => shown.weekday === day && Math.ceil(shown.day / 7) === which,
    };
  });

const dates = fc.oneof(numbers("day", 1, 31), fc.constant({ text: "L", fits: lastDay, all: false }));

function lastDay(shown: Shown): boolean {
  return shown.day === daysIn(shown);
}

/** The two fields that choose days; mostly every day, or a window of a few would hold no run. */
const days: fc.Arbitrary<Part> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Part>({ text: "* * *", fits: () => true }) },
  fc
    .tuple(dates, numbers("month", 1, 12))
    .map(([date, month]) => both(`${date.text} ${month.text} *`, date, month)),
  weekdays.map((weekday) => ({ text: `* * ${weekday.text}`, fits: weekday.fits })),
  fc
    .tuple(dates, weekdays, fc.boolean())
    .filter(([date]) => date.text !== "*")
    .map(
      ([date, weekday, and]): Part => ({
        text: `${date.text} * ${and ? "+" : ""}${weekday.text}`,
        fits: (shown) =>
          and ? date.fits(shown) && weekday.fits(shown) : date.fits(shown) || weekday.fits(shown),
      }),
    ),
);

function both(text: string, one: Part, other: Part): Part {
  return { text, fits: (shown) => one.fits(shown) && other.fits(shown) };
}

const hours = fc.oneof(
  numbers("hour", 0, 23),
  // Where the clocks change.
  fc.constantFrom(0, 1, 2, 3).map((hour) => ({
    text: `${hour}`,
    fits: (shown: Shown) => shown.hour === hour,
    all: false,
  })),
);

/** Expressions of 5 fields. */
export const slowCrons: fc.Arbitrary<SlowCron> = fc
  .tuple(numbers("minute", 0, 59), hours, days)
  .map(([minute, hour, day]) => ({
    text: `${minute.text} ${hour.text} ${day.text}`,
    everyHour: hour.all,
    fits: (shown) => minute.fits(shown) && hour.fits(shown) && day.fits(shown),
    fitsDay: day.fits,
  }));

/** Expressions of 6 fields. */
export const slowSecondCrons: fc.Arbitrary<SlowCron> = fc
  .tuple(numbers("second", 0, 59), slowCrons)
  .map(([second, rest]) => ({
    ...rest,
    text: `${second.text} ${rest.text}`,
    fits: (shown) => second.fits(shown) && rest.fits(shown),
  }));

function shownAt(localMs: number): Shown {
  const date = new Date(localMs);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    weekday: date.getUTCDay(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
  };
}

/** Whether any day of the 400 years after which the calendar is the same again is named. */
export function everFits({ fitsDay }: SlowCron): boolean {
  const start = Date.UTC(2000, 0, 1);
  for (let day = 0; day < 146_097; day++) if (fitsDay(shownAt(start + day * DAY_MS))) return true;
  return false;
}

/**
 * When `cron` is due after `fromMs` and up to `toMs`, by the rule in when.ts, looking at the clock every `stepMs`: a minute,
 * or a second for 6 fields. All changes of clocks since 1970 in `ZONES` fall on whole minutes.
 */
export function slowTimes(
  cron: SlowCron,
  zone: string,
  fromMs: number,
  toMs: number,
  stepMs: number,
): number[] {
  const times: number[] = [];
  // The latest that the clock has shown so far; a day and more before, so that no repeated hour is under way unseen.
  const startMs = Math.floor(fromMs / MINUTE_MS) * MINUTE_MS;
  let highest = 0;
  for (let atMs = startMs - 2 * DAY_MS; atMs < startMs; atMs += MINUTE_MS) {
    highest = Math.max(highest, slowLocalMs(zone, atMs) + MINUTE_MS - stepMs);
  }
  highest = Math.max(highest, slowLocalMs(zone, startMs));
  for (let atMs = startMs + stepMs; atMs <= toMs; atMs += stepMs) {
    const shown = slowLocalMs(zone, atMs);
    let due = cron.fits(shownAt(shown)) && (cron.everyHour || shown > highest);
    if (!cron.everyHour) {
      for (let skipped = highest + stepMs; skipped < shown; skipped += stepMs)
        due ||= cron.fits(shownAt(skipped));
    }
    highest = Math.max(highest, shown);
    if (due && atMs > fromMs) times.push(atMs);
  }
  return times;
}
