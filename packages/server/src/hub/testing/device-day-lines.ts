/** Compares what a connection was sent with what the rules say. */
import type { Link } from "./device-day-link.ts";
import type { Rules } from "./device-day-rules.ts";
import type { Line, Message } from "./device-day-terms.ts";

interface Frame {
  readonly type: string;
  readonly publication?: { readonly data: number; readonly withdraws?: string };
  readonly publications?: readonly { readonly data: number }[];
}

/** @throws {Error} where they differ. */
export function compare(link: Link, line: Line, rules: Rules): void {
  const { numbers, takenBack } = sentIn(link.fresh, line.kind);
  link.fresh = [];
  const who = `${line.device.id} (${line.kind})`;
  const { must, may, mustTakeBack, mayTakeBack } = line;
  const last = new Map<string, number>();
  for (const number of numbers) {
    const message = rules.messages[number - 1];
    if (message === undefined) throw new Error(`${who} was sent ${number}, which nobody has published`);
    if (!must.delete(message) && !may.has(message)) {
      const fate = rules.fateOf(line.device, message) ?? "not for it";
      throw new Error(`${who} was sent ${told(message)} in ${message.channel}, which is ${fate}`);
    }
    may.delete(message);
    const lane = `${message.channel} ${message.lane}`;
    if (message.offset > 0 && message.offset <= (last.get(lane) ?? 0)) {
      throw new Error(`${who} was sent ${told(message)} in ${message.channel} out of order`);
    }
    if (message.offset > 0) last.set(lane, message.offset);
    rules.wrote(line, message);
  }
  if (must.size > 0) {
    const lost = [...must].map((message) => `${told(message)} in ${message.channel}`);
    throw new Error(`${who} was not sent ${lost.join(", ")}`);
  }
  may.clear();
  for (const id of takenBack) {
    if (!mustTakeBack.delete(id) && !mayTakeBack.delete(id)) throw new Error(`${who}: ${id} was taken back`);
  }
  if (mustTakeBack.size > 0) throw new Error(`${who} was not told that ${[...mustTakeBack]} was taken back`);
  mayTakeBack.clear();
}

export function told({ number, offset, lane }: Message): string {
  return `${number} (at ${offset}, lane ${lane})`;
}

function sentIn(frames: readonly string[], kind: Line["kind"]): { numbers: number[]; takenBack: string[] } {
  if (kind === "text") {
    const numbers = frames.filter((frame) => !frame.startsWith("Server received: ")).map(Number);
    return { numbers, takenBack: [] };
  }
  const all = frames.map((frame) => JSON.parse(frame) as Frame);
  const numbers = all.flatMap(({ publication, publications = [] }) => {
    const live = publication === undefined || publication.withdraws !== undefined ? [] : [publication.data];
    return [...publications.map(({ data }) => data), ...live];
  });
  return { numbers, takenBack: all.flatMap(({ publication }) => publication?.withdraws ?? []) };
}
