/** Prometheus' text format 0.0.4, read strictly: it takes nothing that is not in the format. */

export interface Family {
  readonly type: string;
  readonly help: string;
  /** By the sample's name with its labels in the order they stand in: `a_total{code="x"}`. */
  readonly samples: ReadonlyMap<string, number>;
}

const HELP = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/;
const TYPE = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/;
const LABEL = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const SAMPLE = new RegExp(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\\{${LABEL}(?:,${LABEL})*\\})? (\\S+)$`);
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]Inf|NaN)$/;

/** @throws {Error} naming the line that is not as it should be. */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const families = new Map<string, { type: string; help: string; samples: Map<string, number> }>();
  let help: RegExpExecArray | null = null;
  let current = "";
  for (const line of text.split("\n")) {
    const type = TYPE.exec(line);
    const sample = SAMPLE.exec(line);
    if (line === "") continue;
    if (HELP.test(line)) help = HELP.exec(line);
    else if (type !== null) {
      const [, name = "", kind = ""] = type;
      if (help?.[1] !== name) throw new Error(`no help before ${line}`);
      if (families.has(name)) throw new Error(`twice: ${line}`);
      families.set(name, { type: kind, help: help[2] ?? "", samples: new Map() });
      current = name;
    } else if (sample !== null) {
      const [, name = "", labels = "", value = ""] = sample;
      const family = families.get(current);
      const base = family?.type === "histogram" ? name.replace(/_(bucket|sum|count)$/, "") : name;
      if (family === undefined || base !== current) throw new Error(`not in its family: ${line}`);
      if (!NUMBER.test(value)) throw new Error(`no number: ${line}`);
      if (family.samples.has(name + labels)) throw new Error(`twice: ${line}`);
      family.samples.set(name + labels, Number(value.replace("Inf", "Infinity")));
    } else throw new Error(`not of the format: ${line}`);
  }
  for (const [name, family] of families) if (family.type === "histogram") checkHistogram(name, family);
  return families;
}

/** Buckets hold what those before them hold, and the last one all. */
function checkHistogram(name: string, { samples }: Family): void {
  const buckets = [...samples].filter(([sample]) => sample.startsWith(`${name}_bucket`));
  const counts = buckets.map(([, count]) => count);
  const isGrowing = counts.every((count, index) => count >= (counts[index - 1] ?? 0));
  const all = samples.get(`${name}_bucket{le="+Inf"}`);
  if (!isGrowing || all === undefined || all !== samples.get(`${name}_count`)) {
    throw new Error(`the histogram ${name} does not add up`);
  }
}

/** The value of a sample, 0 if there is none. */
export function sampleOf(families: ReadonlyMap<string, Family>, sample: string): number {
  for (const { samples } of families.values()) {
    const value = samples.get(sample);
    if (value !== undefined) return value;
  }
  return 0;
}
