/** What a schedule has done: the last runs, kept beside it. */
import type { KeptRecord, RecordChange } from "./ports.ts";

/** `missed`: nothing was published, as its time had passed when it was found. `manual`: somebody asked for it. */
export type Outcome = "published" | "missed" | "manual";

export interface Run {
  /** RFC 3339. */
  readonly dueAt: string;
  readonly startedAt: string;
  readonly latenessMs: number;
  readonly outcome: Outcome;
}

const RUN = "run";
/** Kept of each schedule. With a million schedules they are a hundred million small rows at most. */
export const RUNS_KEPT = 100;
const DIGITS = 12;

/** In the order they were made, also as texts. */
function runId(schedule: string, entry: number): string {
  return `${schedule}/${String(entry).padStart(DIGITS, "0")}`;
}

/** Adds runs as the entries from `entry` on, and forgets as many of the oldest. */
export function addRuns(schedule: string, entry: number, runs: readonly Run[]): RecordChange[] {
  const kept = runs.slice(-RUNS_KEPT);
  const first = entry + runs.length - kept.length;
  const added = kept.map((run, index) => ({
    kind: RUN,
    id: runId(schedule, first + index),
    data: JSON.stringify(run),
  }));
  return [...added, ...forgetRuns(schedule, entry, entry + runs.length - RUNS_KEPT)];
}

/** Forgets the entries before `until` that are still kept where there are `entries`. */
export function forgetRuns(schedule: string, entries: number, until = entries): RecordChange[] {
  const changes: RecordChange[] = [];
  for (let entry = Math.max(0, entries - RUNS_KEPT); entry < Math.min(until, entries); entry++) {
    changes.push({ kind: RUN, id: runId(schedule, entry), data: undefined });
  }
  return changes;
}

/** The kept runs of a schedule that has had `entries`, the latest first. */
export async function readRuns(
  schedule: string,
  entries: number,
  records: (kind: string, after: string, limit: number) => Promise<readonly KeptRecord[]>,
): Promise<readonly Run[]> {
  const after = runId(schedule, Math.max(0, entries - RUNS_KEPT)).slice(0, -1);
  const found = await records(RUN, after, RUNS_KEPT + 10);
  return found
    .filter(({ id }) => id.startsWith(`${schedule}/`))
    .map(({ data }) => JSON.parse(data) as Run)
    .reverse();
}
