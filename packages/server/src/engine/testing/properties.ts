/** Random lives of an engine beside the model's. A failure prints fast-check's seed and the shortest life that fails. */
import { expect, test } from "bun:test";
import type { Offsets } from "@carillon/protocol/position";
import fc from "fast-check";
import type { Accepted, NewPublication, RecordChange, Retention } from "../engine.ts";
import {
  type Call,
  CHANNELS,
  type Change,
  IDS,
  type Item,
  KINDS,
  LABELS,
  retention,
  type Step,
  step,
} from "./arbitraries.ts";
import { type OpenEngine, type Rig, readAll, request, withEngine } from "./bed.ts";
import { checkKept, doDeeds, outcomes } from "./deeds.ts";
import { Model } from "./model.ts";

/** Half a second with a disk of one's own, ten times that on one that is busy: every commit waits for an fsync. */
const LIVES_TIMEOUT_MS = 60_000;

export function describeProperties(open: OpenEngine): void {
  test(
    "any life of an engine is the model's",
    async () => {
      const life = fc.asyncProperty(retention, fc.array(step, { maxLength: 30 }), (kept, steps) =>
        withEngine(open, kept, async (rig) => {
          const model = new Model(kept);
          for (const each of steps) await take(each, rig, model);
          await checkSettled(rig, kept);
        }),
      );
      await fc.assert(life, { numRuns: 60 });
    },
    LIVES_TIMEOUT_MS,
  );
}

async function take(each: Step, rig: Rig, model: Model): Promise<void> {
  if ("advanceMs" in each) rig.clock.advance(each.advanceMs);
  else if ("publish" in each) await publish(each.publish, rig, model);
  else if ("records" in each) await saveRecords(each.records, rig, model);
  else if ("deeds" in each) await doDeeds(each.deeds, rig, model);
  else await read(each, rig, model);
  if (!("advanceMs" in each || "read" in each)) await checkAll(rig, model);
}

async function checkAll(rig: Rig, model: Model): Promise<void> {
  for (const channel of CHANNELS) {
    const lanes = model.topOf(channel);
    expect((await rig.engine.top(channel)).lanes).toEqual(lanes);
    expect((await rig.engine.channel(channel))?.offset ?? 0).toBe(Math.max(...lanes));
  }
  await checkRecords(rig, model);
  await checkKept(rig, model);
}

function publicationOf(
  { size, ttlMs, channel, lane, collapseKey, idempotencyKey, target }: Item,
  rig: Rig,
): NewPublication {
  return rig.item({
    ...{ channel, lane, data: JSON.stringify("ü".repeat(size)), meta: "{}" },
    ...{ stored: ttlMs !== 0 },
    ...(ttlMs === undefined ? {} : { expiresAtMs: rig.clock.wallMs() + ttlMs }),
    ...(collapseKey === undefined ? {} : { collapseKey }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(target === undefined ? {} : { target }),
  });
}

async function publish(given: readonly Call[], rig: Rig, model: Model): Promise<void> {
  const calls = given.map(({ items, changes }) => ({
    items: items.map((each) => publicationOf(each, rig)),
    changes: changes as readonly RecordChange[] | undefined,
  }));
  const before = rig.commits.length;
  const results = await outcomes(calls.map(({ items, changes }) => rig.engine.publish(items, changes)));
  const announced = rig.commits.slice(before).flat();
  const expected = calls.map(({ items, changes = [] }) => model.call(items, changes));
  expect(results.map((each) => each?.map(({ epoch: _, ...result }) => result))).toEqual(
    expected.map((each) => each?.map(({ result }) => result)),
  );
  const told = expected.flat().flatMap((each) => each?.announced ?? []);
  for (const channel of CHANNELS) {
    const of = (all: readonly Accepted[]) => all.filter((each) => each.channel === channel);
    expect(of(announced).filter(isStored)).toEqual(of(told).filter(isStored));
    // What is not stored has no place between the others, and may overtake them.
    expect(of(announced).filter(isNotStored).toSorted(byId)).toEqual(of(told).filter(isNotStored));
  }
}

const isStored = ({ offset }: Accepted) => offset > 0;
const isNotStored = (publication: Accepted) => !isStored(publication);
const byId = ({ id: one }: Accepted, { id: other }: Accepted) =>
  Number(one.slice(1)) - Number(other.slice(1));

async function saveRecords(calls: readonly (readonly Change[])[], rig: Rig, model: Model): Promise<void> {
  const all = calls as readonly (readonly RecordChange[])[];
  const expected = all.map((changes) => model.call([], changes) !== undefined);
  // Those that come together share a commit, or two.
  const saved = await outcomes(all.map((changes) => rig.engine.saveRecords(changes).then(() => true)));
  expect(saved.map((each) => each ?? false)).toEqual(expected);
}

async function checkRecords({ engine }: Rig, model: Model): Promise<void> {
  for (const kind of KINDS) {
    const kept = model.recordsOf(kind);
    expect(await engine.records(kind, "", 10)).toEqual(kept as never);
    const [first, ...rest] = kept;
    if (first !== undefined) expect(await engine.records(kind, first.id, 2)).toEqual(rest.slice(0, 2));
    for (const id of IDS) expect(await engine.record(kind, id)).toEqual(model.record(kind, id));
    for (const label of LABELS) {
      const labelled = model.labelled(kind, label);
      expect(await engine.labelled(kind, label, "", 10)).toEqual(labelled as never);
      expect(await engine.labelled(kind, label, "B", 1)).toEqual(
        labelled.filter(({ id }) => id > "B").slice(0, 1),
      );
      expect(await engine.countLabelled(kind, label)).toBe(labelled.length);
    }
    for (const untilMs of [6, 7, Number.MAX_SAFE_INTEGER]) {
      const due = model.due(kind, untilMs);
      expect(await engine.due(kind, untilMs, 10)).toEqual(due as never);
      expect(await engine.due(kind, untilMs, 2)).toEqual(due.slice(0, 2));
    }
  }
}

async function read(each: Extract<Step, { read: string }>, rig: Rig, model: Model): Promise<void> {
  const { read: channel, limit, maxBytes } = each;
  const top = await rig.engine.top(channel);
  // Nobody has more of a lane than there is.
  const after = each.after.map((offset) => Math.min(offset, top.offset)) as unknown as Offsets;
  const first = request(rig.clock, { after, upTo: top.offset, limit, maxBytes });
  const { publications, gaps } = await readAll(rig.engine, channel, first);
  const { publications: visible, beyond } = model.visible(channel, rig.clock.wallMs());
  const wanted = visible.filter(({ offset, lane }) => offset > after[lane]);
  const got = new Set(publications.map(({ offset }) => offset));
  expect(publications).toEqual(wanted.filter(({ offset }) => got.has(offset)));
  const inGap = (offset: number) => gaps.some(({ from, to }) => from <= offset && offset <= to);
  for (const { offset } of wanted.filter((one) => !got.has(one.offset))) {
    expect(offset).toBeLessThanOrEqual(beyond);
    expect(inGap(offset)).toBe(true);
  }
  for (const gap of gaps) expect(gap.to).toBeLessThanOrEqual(beyond);
}

/** In the end everything that is beyond the retention or expired is gone from the medium. */
async function checkSettled({ engine, clock, settle }: Rig, kept: Retention): Promise<void> {
  const { maxAgeMs = Infinity, maxCount = Infinity, maxBytes = Infinity } = kept;
  await settle(async () => {
    const infos = await engine.channels("", 10);
    const pages = await Promise.all(infos.map(({ channel }) => engine.read(channel, request(clock))));
    return infos.every(({ count, bytes }, index) => {
      const publications = pages[index]?.publications ?? [];
      const fresh = publications.every(({ timeMs }) => clock.wallMs() - timeMs < maxAgeMs);
      return fresh && count === publications.length && count <= maxCount && bytes <= maxBytes;
    });
  });
}
