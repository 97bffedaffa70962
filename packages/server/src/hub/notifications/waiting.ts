/**
 * Publications that a device is told of later: after its quiet hours, or when its push service is up again. They are kept in
 * one record a device and reason, with their ids alone, so that what is kept grows with devices.
 */
import { type Engine, EngineError, type KeptRecord, type RecordChange } from "../../engine/engine.ts";

/** Records of what waits for the end of quiet hours, by device… */
export const QUIET = "notify-quiet";
/** …and of what could not be sent. */
export const AGAIN = "notify-again";
export type Reason = typeof QUIET | typeof AGAIN;

/** Of one device. Whoever has not looked at its phone for so many has no use for the first of them. */
export const MAX_WAITING = 50;

const MAX_CONFLICTS = 5;

export interface Waiting {
  /** Ids, in the order in which they came. */
  readonly publications: readonly string[];
  /** How often in a row sending has failed. */
  readonly tries: number;
}

/** What is to be waited for, besides what waits. */
export interface Added {
  readonly publications: readonly string[];
  readonly dueMs: number;
  /** Counts where it is what waited there that has failed again; else as it is, or 1 for a first. */
  readonly tries: number;
}

/** What has become of some publications for one device. */
export interface Settled {
  readonly device: string;
  /** Where they waited. */
  readonly from?: { readonly reason: Reason; readonly publications: readonly string[] };
  readonly add: Readonly<Partial<Record<Reason, Added>>>;
}

export function waitingIn(record: KeptRecord | undefined): Waiting {
  return record === undefined ? { publications: [], tries: 0 } : (JSON.parse(record.data) as Waiting);
}

/**
 * Keeps what has become of publications, and makes `changes` in the same commit. Resolves to how many were dropped, as too
 * many wait.
 * @throws {EngineError} by rejection, `conflict` if one of `changes` is not as expected.
 */
export async function keepSettled(
  engine: Pick<Engine, "record" | "saveRecords">,
  settled: readonly Settled[],
  changes: readonly RecordChange[],
  nowMs: number,
): Promise<number> {
  for (let conflicts = 0; ; conflicts++) {
    const all = [...changes];
    let dropped = 0;
    for (const each of settled) {
      for (const reason of [QUIET, AGAIN] as const) {
        const record = await engine.record(reason, each.device);
        const after = rewritten(reason, record, each, nowMs);
        if (after === undefined) continue;
        dropped += after.dropped;
        const { data, dueMs } = after;
        const expect = record?.data ?? null;
        all.push({ kind: reason, id: each.device, data, expect, ...(dueMs !== undefined && { dueMs }) });
      }
    }
    try {
      if (all.length > 0) await engine.saveRecords(all);
      return dropped;
    } catch (error) {
      const isConflict = error instanceof EngineError && error.code === "conflict";
      if (!isConflict || settled.length === 0 || conflicts >= MAX_CONFLICTS) throw error;
    }
  }
}

/** The record as it is to be; `undefined` if it stays as it is. */
function rewritten(
  reason: Reason,
  record: KeptRecord | undefined,
  { from, add: { [reason]: added } }: Settled,
  nowMs: number,
): { readonly data: string | undefined; readonly dueMs?: number; readonly dropped: number } | undefined {
  const before = waitingIn(record);
  const isFromHere = from?.reason === reason;
  const done = new Set(isFromHere ? from.publications : []);
  const others = before.publications.filter((id) => !done.has(id));
  if (added === undefined) {
    if (others.length === before.publications.length) return undefined;
    if (others.length === 0) return { data: undefined, dropped: 0 };
    // They have come while the others were dealt with: their turn is now.
    return { data: encode({ publications: others, tries: 0 }), dueMs: nowMs, dropped: 0 };
  }
  const publications = [...new Set([...others, ...added.publications])];
  const kept = publications.slice(-MAX_WAITING);
  const isFirst = record?.dueMs === undefined;
  return {
    data: encode({ publications: kept, tries: isFirst || isFromHere ? added.tries : before.tries }),
    dueMs: isFirst || isFromHere ? added.dueMs : earlier(reason, record.dueMs, added.dueMs),
    dropped: publications.length - kept.length,
  };
}

/** Of several quiet hours the first end counts. A pause is the service's: more that cannot be sent does not shorten it. */
function earlier(reason: Reason, dueMs: number, otherMs: number): number {
  return reason === QUIET ? Math.min(dueMs, otherMs) : dueMs;
}

function encode(waiting: Waiting): string {
  return JSON.stringify(waiting);
}
