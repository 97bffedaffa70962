/** In random lives of an engine: what is neither published nor a record, beside the model's. */
import { expect } from "bun:test";
import type { EngineError, RecordChange } from "../engine.ts";
import { DEVICES, type Deed } from "./arbitraries.ts";
import type { Rig } from "./bed.ts";
import type { Model } from "./model.ts";

/** What each call resolves to, `undefined` where it is refused for a record. */
export function outcomes<Result>(calls: readonly Promise<Result>[]): Promise<(Result | undefined)[]> {
  const unlessConflict = (error: EngineError) => {
    if (error.code !== "conflict") throw error;
    return undefined;
  };
  return Promise.all(calls.map((each) => each.catch(unlessConflict)));
}

/** All at once, so that they share commits. */
export async function doDeeds(deeds: readonly Deed[], rig: Rig, model: Model): Promise<void> {
  const results = await outcomes(deeds.map((each) => begin(each, rig)));
  deeds.forEach((each, place) => {
    const expected = modelled(each, rig, model);
    if (expected === "any") expect(results[place]).toBeBoolean();
    else expect(results[place]).toBe(expected);
  });
}

function begin(each: Deed, { engine }: Rig): Promise<boolean> {
  if ("withdraw" in each) return engine.withdraw(each.withdraw, each.offset);
  const changes = each.changes as readonly RecordChange[] | undefined;
  const done = () => true;
  if ("remove" in each) return engine.removeDevice(each.remove, each.channels, changes ?? []).then(done);
  return engine.savePositions(each.positions.map(positionOf), changes).then(done);
}

function modelled(each: Deed, { clock }: Rig, model: Model): boolean | undefined | "any" {
  if ("withdraw" in each) return model.withdraw(each.withdraw, each.offset, clock.wallMs()) ?? "any";
  if (model.call([], (each.changes ?? []) as readonly RecordChange[]) === undefined) return undefined;
  if ("remove" in each) model.removeDevice(each.remove, each.channels);
  else for (const position of each.positions) model.savePosition(positionOf(position));
  return true;
}

function positionOf({
  epoch,
  offsets,
  sent,
  ...more
}: Extract<Deed, { positions: unknown }>["positions"][number]) {
  return { ...more, position: { epoch, offsets }, ...(sent !== undefined && { sent }) };
}

/** Where devices stand, and that each publication is found by its id that must be, and none that must not. */
export async function checkKept({ engine, clock }: Rig, model: Model): Promise<void> {
  for (const device of DEVICES) expect(await engine.positionsOf(device)).toEqual(model.positionsOf(device));
  for (const { publication, mustBe, mustNotBe } of model.published(clock.wallMs())) {
    const found = await engine.publication(publication.id);
    if (mustBe || found !== undefined) expect(found).toEqual(publication);
    if (mustNotBe) expect(found).toBeUndefined();
  }
}
