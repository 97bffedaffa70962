/** Schedules on a virtual clock and a store in memory. */
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { timeOrderedIds } from "../../lib/ids.ts";
import { silentLog } from "../../lib/log.ts";
import { Scheduler } from "../scheduler.ts";
import { Schedules } from "../schedules.ts";
import type { ScheduleFields } from "../stored.ts";
import { FakeStore } from "./fake-store.ts";

/** Lets everything that waits for promises run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
}

export function setUp(store = new FakeStore(), clock = new VirtualClock()) {
  const late: number[] = [];
  const ports = {
    record: (kind: string, id: string) => store.record(kind, id),
    records: store.records,
    due: (kind: string, untilMs: number, limit: number) => store.due(kind, untilMs, limit),
    commit: store.commit,
    clock,
  };
  const scheduler = new Scheduler({ ...ports, log: silentLog, onRun: (ms) => late.push(ms) });
  const schedules = new Schedules({ ...ports, nextId: timeOrderedIds(clock), timeZone: "UTC", scheduler });
  return {
    store,
    clock,
    late,
    scheduler,
    schedules,
    async make(fields: Partial<ScheduleFields>) {
      const made = await schedules.create({ channel: "news", data: "x", ...fields });
      if (!made.ok) throw new Error(`${made.field}: ${made.problem}`);
      await settle();
      return made.schedule;
    },
    /** Time goes by, with every timer at its moment. */
    async pass(ms: number) {
      for (let left = ms; left > 0; ) {
        const before = clock.monotonicMs();
        clock.step(left);
        left -= clock.monotonicMs() - before;
        await settle();
      }
    },
    dues: () => store.published.map(({ dueAt }) => dueAt.slice(11, 19)),
  };
}
