/** What a reader is told of publications that retention dropped before it came. */
import type { Offsets } from "@carillon/protocol/position";
import type { ReadPage, ReadRequest } from "./engine.ts";

/**
 * The stretch in which something may be missing, or `undefined` if nothing is. `dropped` is, per lane, the last offset
 * that retention dropped: it drops the oldest first, so everything up to there is gone.
 */
export function gapOf(
  dropped: Offsets,
  { after, upTo }: Pick<ReadRequest, "after" | "upTo">,
): ReadPage["gap"] {
  let from = Number.POSITIVE_INFINITY;
  let to = 0;
  dropped.forEach((last, lane) => {
    const has = after[lane] ?? 0;
    if (Math.min(last, upTo) <= has) return;
    from = Math.min(from, has + 1);
    to = Math.max(to, Math.min(last, upTo));
  });
  return to === 0 ? undefined : { from, to };
}
