/**
 * How long publications are kept, as operators write it:
 *
 *     news/* 7d 1000 10MB, audit/*, * 30d 100000
 *
 * Rules are separated by commas: a pattern (`*` stands for any characters), then any of an age, a count and a size.
 * The first rule that fits a channel counts. A rule without bounds, and a channel that no rule fits, keep everything.
 */
import { parseDuration } from "../lib/duration.ts";
import { type Fits, pattern } from "../lib/pattern.ts";
import type { Retention, RetentionOf } from "./engine.ts";

export type ParsedRetention =
  | { readonly ok: true; readonly retentionOf: RetentionOf }
  | { readonly ok: false; readonly problem: string };

interface Rule {
  readonly fits: Fits;
  readonly retention: Retention;
}

const UNBOUNDED: Retention = {};

export function parseRetention(text: string): ParsedRetention {
  const rules: Rule[] = [];
  for (const part of text.split(",")) {
    const [name, ...bounds] = part.split(/\s+/).filter((word) => word !== "");
    if (name === undefined) continue;
    const retention = parseBounds(bounds);
    if (typeof retention === "string") return { ok: false, problem: `${part.trim()}: ${retention}` };
    rules.push({ fits: pattern(name), retention });
  }
  const retentionOf = (channel: string) => rules.find(({ fits }) => fits(channel))?.retention ?? UNBOUNDED;
  return { ok: true, retentionOf };
}

/** Whether anything is ever dropped. */
export function isBounded({ maxAgeMs, maxCount, maxBytes }: Retention): boolean {
  return maxAgeMs !== undefined || maxCount !== undefined || maxBytes !== undefined;
}

/** The bounds, or what is wrong with them. */
function parseBounds(words: readonly string[]): Retention | string {
  const bounds: { maxAgeMs?: number; maxCount?: number; maxBytes?: number } = {};
  for (const word of words) {
    const bound = parseBound(word);
    if (bound === undefined) return `${JSON.stringify(word)} is no age (7d), count (1000) or size (10MB)`;
    if (bound.name in bounds) return `${JSON.stringify(word)} bounds the same once more`;
    if (bound.value === 0) return `${JSON.stringify(word)} would keep nothing`;
    bounds[bound.name] = bound.value;
  }
  return bounds;
}

/** Powers of 1,000, as disks are sold and as `du --si` counts. */
const SIZE_UNITS = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 } as const;

function parseBound(word: string): { readonly name: keyof Retention; readonly value: number } | undefined {
  if (/^\d{1,12}$/.test(word)) return { name: "maxCount", value: Number(word) };
  const size = /^(\d{1,12})(B|KB|MB|GB|TB)$/i.exec(word);
  if (size !== null) {
    const unit = (size[2] ?? "").toUpperCase() as keyof typeof SIZE_UNITS;
    return { name: "maxBytes", value: Number(size[1]) * SIZE_UNITS[unit] };
  }
  const ageMs = parseDuration(word);
  return ageMs === undefined ? undefined : { name: "maxAgeMs", value: ageMs };
}
