/** What happens in one simulation, drawn by chance, and what has to hold all the while and in the end. */
import { expect } from "bun:test";
import type { ScheduleFields } from "../stored.ts";
import { iso, type Op } from "./model.ts";
import type { Node, World } from "./simulation.ts";
import { CRONS } from "./slow-rules.ts";

/** After which a run has no excuse: a look a second, another after a failure, and slow answers. */
const EXCUSED_MS = 6_000;
const HOUR_MS = 3_600_000;

export class Life {
  readonly #world: World;
  readonly #pending = new Set<Promise<void>>();
  #made = 0;

  constructor(world: World) {
    this.#world = world;
  }

  async live(): Promise<void> {
    const world = this.#world;
    for (const node of world.nodes) this.#start(node);
    for (let event = 0; event < 45; event++) {
      const { random } = world;
      await world.pass(random() < 0.7 ? random() * 3_000 : random() * (random() < 0.8 ? 12_000 : 60_000));
      this.checkDone();
      const chance = random();
      if (chance < 0.2) this.#create();
      else if (chance < 0.62) this.#ask();
      else if (chance < 0.75) await this.#switchNodes();
      else if (chance < 0.87) this.#setClocks();
      else await this.#disturbStore();
    }
    this.#heal();
    await world.pass(EXCUSED_MS + 2_000);
    await Promise.race([Promise.all(this.#pending), world.pass(0)]);
    this.checkDone();
    // What is told is compared with what was done last.
    for (const node of world.nodes) await this.#within(node.stop());
    expect(world.model.problems).toEqual([]);
    await this.#checkTold();
  }

  /** Nothing that is due is left lying once nothing excuses it, and nothing has gone wrong. */
  checkDone(): void {
    const { model, nodes, quietMs } = this.#world;
    expect(model.problems).toEqual([]);
    const up = nodes.filter(({ isUp }) => isUp);
    if (quietMs < EXCUSED_MS || up.length === 0) return;
    // A schedule that was made by the later clock may just now be long due by the other.
    const sinceMs = Math.min(...up.map(({ clock }) => clock.wallMs())) - EXCUSED_MS / 2;
    for (const [id, expected] of model.alive) {
      const due = model.pending(expected, sinceMs).filter((ms) => model.latestStart(expected, ms) <= sinceMs);
      expect(due.map(iso), `${id} has nothing left over at ${iso(sinceMs)}`).toEqual([]);
    }
  }

  #start(node: Node): void {
    this.#world.disturb();
    node.start();
    if (this.#world.random() < 0.6) return;
    const every = this.#world.pick(["5s", "1m"]);
    const when = this.#world.pick([{ every }, { every, align: true }, { cron: "* * * * *" }]);
    const fields = { channel: "push", data: "{{run}} at {{dueAt}}", ...when } as const;
    this.#do(node, {
      kind: "manage",
      id: "managed",
      fields: { ...fields, timeZone: this.#world.place.zone },
    });
  }

  #create(): void {
    const node = this.#anyNode();
    if (node === undefined) return;
    const world = this.#world;
    // A name can be taken again, but not where its keys are remembered.
    const id = world.engine === undefined && world.random() < 0.4 ? "again" : `s${++this.#made}`;
    this.#do(node, { kind: "create", id, fields: this.#fields(node) });
  }

  #fields(node: Node): ScheduleFields {
    const { pick, between, random, place } = bound(this.#world);
    const wallMs = node.clock.wallMs();
    const every = pick(["1s", "2s", "7s", "30s", "1m", "5m", "1h"]);
    const when = pick<() => Partial<ScheduleFields>>([
      () => ({ every }),
      () => ({ every, align: true }),
      () => ({ cron: pick(CRONS).text }),
      () => ({ cron: pick(CRONS).text }),
      () => ({ at: iso(wallMs + between(1, pick([5_000, 60_000, 2 * HOUR_MS]))) }),
      () => ({ delay: `${between(1, pick([5_000, 60_000, 2 * HOUR_MS]))}ms` }),
    ])();
    return {
      channel: pick(["news", "rooms/1"]),
      data: pick(["{{run}} at {{dueAt}}", "run {{run}}"]),
      timeZone: place.zone,
      ...when,
      ...(random() < 0.25 && { jitter: pick(["500ms", "5s", "90s", "1h"]) }),
      ...(random() < 0.15 && { until: iso(wallMs + between(1_000, pick([60_000, 3 * HOUR_MS]))) }),
      ...(random() < 0.2 && { maxRuns: between(1, 6) }),
      ...(random() < 0.75 && { misfire: pick(["skip", "one", "all", "all", 3] as const) }),
    };
  }

  /** Somebody wants something of a schedule that is there. */
  #ask(): void {
    const { pick, random, model } = bound(this.#world);
    const node = this.#anyNode();
    const ids = [...model.alive.keys()];
    if (node === undefined || ids.length === 0) return;
    const id = pick(ids);
    const chance = random();
    const change = (changed: Partial<ScheduleFields>) =>
      this.#do(node, { kind: "change", id, change: changed });
    if (chance < 0.15) this.#do(node, { kind: "delete", id });
    else if (chance < 0.3) this.#do(node, { kind: "run", id });
    else if (chance < 0.5) change({ enabled: false });
    else if (chance < 0.7) change({ enabled: true });
    else if (chance < 0.8) change({ data: "changed, {{run}} at {{dueAt}}" });
    else if (chance < 0.9) {
      const until = iso(node.clock.wallMs() + HOUR_MS);
      change(pick([{ jitter: "2s" }, { misfire: "all" }, { maxRuns: 20 }, { until }] as const));
    } else {
      // Its way of saying when, with another value.
      const { every, cron } = model.alive.get(id)?.fields ?? {};
      if (every !== undefined) change({ every: pick(["1s", "10s", "2m"]) });
      else if (cron !== undefined) change({ cron: pick(CRONS).text });
    }
  }

  async #switchNodes(): Promise<void> {
    const { pick, between, random, nodes, clock } = bound(this.#world);
    const node = pick(nodes);
    this.#world.disturb();
    const chance = random();
    if (chance < 0.35) node.crash();
    else if (chance < 0.45) this.#note(node.stop());
    else if (chance < 0.7) for (const each of nodes) this.#start(each);
    else if (chance < 0.85) {
      // The process stands still: all its timers are late.
      clock.stall(between(1, pick([500, 5_000, 90_000])));
      this.#world.disturb();
    } else {
      for (const each of nodes) each.crash();
      await this.#world.pass(between(0, 500));
      this.#world.setClock(undefined, between(0, pick([90_000, 20 * 60_000, 3 * HOUR_MS])));
      this.#start(node);
    }
  }

  #setClocks(): void {
    const { pick, between, random, nodes } = bound(this.#world);
    const node = random() < 0.5 ? pick(nodes) : undefined;
    const most = pick([300, 5_000, 120_000, ...(node === undefined ? [HOUR_MS, 9 * HOUR_MS] : [])]);
    // Suspends are long; who sets a clock back does it by an hour at most.
    this.#world.setClock(node, random() < 0.6 ? between(0, most) : -between(0, Math.min(most, HOUR_MS)));
  }

  async #disturbStore(): Promise<void> {
    const world = this.#world;
    if (world.random() < 0.4) world.cannotWrite = true;
    if (world.random() < 0.3) world.cannotRead = true;
    if (world.random() < 0.5) world.lostAnswers = world.random();
    await world.pass(world.random() * 5_000);
    world.cannotWrite = world.cannotRead = false;
    world.lostAnswers = 0;
    world.disturb();
  }

  #heal(): void {
    for (const node of this.#world.nodes) node.start();
    this.#world.disturb();
  }

  #anyNode(): Node | undefined {
    const up = this.#world.nodes.filter(({ isUp }) => isUp);
    return up.length === 0 ? undefined : this.#world.pick(up);
  }

  #note(work: Promise<void>): void {
    this.#pending.add(work);
    work.finally(() => this.#pending.delete(work));
  }

  #do(node: Node, op: Op): void {
    const { model } = this.#world;
    let commits = 0;
    const answer = ask(node, op, () => {
      commits += 1;
      if (commits > 1) model.problems.push(`${op.kind} of ${op.id} was done twice`);
    });
    const work = answer.then(
      (answered) => {
        const isSettled = answered === "done" ? commits === 1 : typeof answered === "object" || commits === 0;
        if (!isSettled) model.problems.push(`${op.kind} of ${op.id}: ${answered} after ${commits} commits`);
        if (typeof answered !== "object" || commits > 0) return;
        const { createdAt } = answered;
        if (!model.made.has(`${op.id} ${createdAt}`))
          model.problems.push(`${op.id} of ${createdAt} never was`);
      },
      // What is not answered with success may have been done or not.
      () => {},
    );
    this.#note(work);
  }

  /** What users are told agrees with what was done. */
  async #checkTold(): Promise<void> {
    const { model, nodes, engine, store } = this.#world;
    const alive = [...model.alive.values()];
    const seen = nodes.map((node) => node.schedules());
    for (const schedules of seen) {
      const listed = this.#within(schedules.list("", 1_000));
      expect((await listed).map(({ id }) => id)).toEqual([...model.alive.keys()].sort());
    }
    const [schedules = seen[0]] = seen;
    for (const [id, expected] of model.alive) {
      const view = await this.#within(schedules?.get(id) ?? Promise.resolve(undefined));
      const { fields, createdMs, runs, manual, log } = expected;
      const nextMs = model.nextDue(expected);
      expect(view, id).toMatchObject({
        ...fields,
        enabled: fields.enabled !== false,
        createdAt: iso(createdMs),
        runs: runs + manual,
        nextDueAt: nextMs === Number.POSITIVE_INFINITY ? null : iso(nextMs),
      });
      const told = await this.#within(schedules?.runs(id) ?? Promise.resolve(undefined));
      expect(told, `runs of ${id}`).toEqual(log.slice(-100).reverse());
    }
    const runs = await store.records("run", "", 100_000);
    const logged = alive.reduce((sum, { log }) => sum + Math.min(100, log.length), 0);
    expect(runs.length, "runs that are kept").toBe(logged);
    for (const expected of [...alive, ...model.ended]) {
      expect(model.holesIn(expected)).toBeUndefined();
      const dues = expected.log.filter(({ outcome }) => outcome !== "manual").map(({ dueAt }) => dueAt);
      expect(dues, "in order, and none twice").toEqual([...new Set(dues)].sort());
    }
    if (engine !== undefined) {
      const kept = await engine.channels("", 10);
      const published = [...alive, ...model.ended].reduce((sum, { runs, manual }) => sum + runs + manual, 0);
      expect(kept.reduce((sum, { offset }) => sum + offset, 0)).toBe(published);
    }
  }

  async #within<T>(answer: Promise<T>): Promise<T> {
    let done = false;
    answer.finally(() => {
      done = true;
    });
    while (!done) await this.#world.pass(10);
    return answer;
  }
}

/** With its methods usable on their own. */
function bound(world: World) {
  const { random, place, model, nodes, clock } = world;
  const pick = <T>(from: readonly T[]) => world.pick(from);
  const between = (least: number, most: number) => world.between(least, most);
  return { pick, between, random, place, model, nodes, clock };
}

/** What was answered: that it was done, how what was there already stands, or why nothing was. */
async function ask(
  node: Node,
  op: Op,
  onCommit: () => void,
): Promise<"done" | { readonly createdAt: string } | "nothing"> {
  const schedules = node.schedules(op, onCommit);
  switch (op.kind) {
    case "create": {
      const made = await schedules.create(op.fields, { id: op.id });
      return made.ok ? made.schedule : "nothing";
    }
    case "manage":
      await schedules.manage(op.id, op.fields);
      return Promise.reject(new Error("whether anything had to be done is not told"));
    case "change": {
      const changed = await schedules.change(op.id, op.change);
      return typeof changed === "object" && changed.ok ? "done" : "nothing";
    }
    case "delete":
      return (await schedules.delete(op.id)) === true ? "done" : "nothing";
    case "run":
      return (await schedules.run(op.id)) !== undefined ? "done" : "nothing";
  }
}
