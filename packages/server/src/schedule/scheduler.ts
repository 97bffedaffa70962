/**
 * The scheduler: waits until a run is due and publishes it, once, however many clients there are.
 *
 * It knows no clients, no sockets and no channels' insides: it is handed a `publish` function.
 */
import type { CancelTimer, Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { FormatTimestamp } from "../lib/timestamp.ts";
import { compileTemplate } from "./template.ts";
import { nextDue } from "./when.ts";

export interface ScheduleRule {
  readonly channel: string;
  /** A template; see `template.ts`. */
  readonly text: string;
  /** At least 1,000. */
  readonly everyMs: number;
}

export interface SchedulerPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly timestamp: FormatTimestamp;
  readonly publish: (channel: string, text: string) => void;
  /** Hears how late each run is. */
  readonly late: (ms: number) => void;
}

/**
 * Starts a schedule whose first run is due one interval from now. Runs that were missed because the process
 * stood still are not made up for: the one that is due is published once, and the grid goes on as before.
 * @returns a function that stops it.
 * @throws {RangeError} if the text is no valid template.
 */
export function startSchedule(rule: ScheduleRule, ports: SchedulerPorts): CancelTimer {
  const template = compileTemplate(rule.text);
  if (!template.ok) throw new RangeError(template.problem);
  const { clock, log } = ports;
  const anchorMs = clock.monotonicMs();
  let cancel: CancelTimer = () => {};

  const armFor = (dueMs: number) => {
    cancel = clock.setTimer(dueMs - clock.monotonicMs(), () => wake(dueMs));
  };
  const wake = (dueMs: number) => {
    const nowMs = clock.monotonicMs();
    // Timers count in whole milliseconds and may fire a fraction early; an early run would be one too many.
    if (nowMs < dueMs) return armFor(dueMs);
    armFor(nextDue(anchorMs, rule.everyMs, nowMs));
    ports.publish(rule.channel, template.render({ now: ports.timestamp(clock.wallMs()) }));
    ports.late(nowMs - dueMs);
    log.debug("Schedule run published", { channel: rule.channel, latenessMs: nowMs - dueMs });
  };

  armFor(anchorMs + rule.everyMs);
  return () => cancel();
}
