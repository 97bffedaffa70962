/** What the conformance suite needs of an implementation, and small helpers its tests share. */
import { START, together } from "@carillon/protocol/position";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import type {
  Accepted,
  CommitTaken,
  Engine,
  NewPublication,
  OnCommit,
  ReadRequest,
  Retention,
  RetentionOf,
} from "../engine.ts";

export interface Bed {
  readonly engine: Engine;
  /** Closes the engine, if the test has not, and removes its medium. */
  dispose(): Promise<void>;
}

export type OpenEngine = (options: {
  readonly clock: VirtualClock;
  readonly retentionOf: RetentionOf;
  readonly onCommit: OnCommit;
}) => Promise<Bed>;

/** An open engine with everything it has announced so far, one entry per commit. */
export interface Rig {
  readonly engine: Engine;
  readonly clock: VirtualClock;
  readonly commits: (readonly Accepted[])[];
  /** What those who measure were told. */
  readonly measured: CommitTaken[];
  item(fields?: Partial<NewPublication>): NewPublication;
  /** Moves the clock and lets the engine work until `reached`; fails after minutes of the clock's time. */
  settle(reached: () => Promise<boolean>): Promise<void>;
}

/** A test of the suite: what it is about, its body, and the retention of its engine. */
export type On = (about: string, body: (rig: Rig) => Promise<void>, retention?: Retention) => void;

/** Runs `test` on a fresh engine. */
export async function withEngine(
  open: OpenEngine,
  retention: Retention,
  test: (rig: Rig) => Promise<void>,
): Promise<void> {
  const clock = new VirtualClock();
  const measured: CommitTaken[] = [];
  const onCommit = (commit: CommitTaken) => measured.push(commit);
  const { engine, dispose } = await open({ clock, retentionOf: () => retention, onCommit });
  const commits: (readonly Accepted[])[] = [];
  engine.onPublication((commit) => commits.push(commit));
  let made = 0;
  const item = (fields: Partial<NewPublication> = {}): NewPublication => {
    const timeMs = clock.wallMs();
    const base = { id: `p${++made}`, channel: "news", timeMs, lane: 1, data: "1", meta: "", stored: true };
    return { ...base, ...fields } as NewPublication;
  };
  try {
    await test({
      engine,
      clock,
      commits,
      measured,
      item,
      settle: (reached) => settle(engine, clock, reached),
    });
  } finally {
    await dispose();
  }
}

async function settle(engine: Engine, clock: VirtualClock, reached: () => Promise<boolean>): Promise<void> {
  for (let round = 0; round < 300; round++) {
    if (await reached()) return;
    clock.advance(1_000);
    // Whatever the clock has started in the background is done, or a step further, when this comes back.
    await engine.probe();
  }
  throw new Error("the engine never got there");
}

/** A request for everything, with what the test cares about. */
export function request(clock: VirtualClock, fields: Partial<ReadRequest> = {}): ReadRequest {
  return { after: START, upTo: 1_000_000, limit: 1_000, maxBytes: 1e9, nowMs: clock.wallMs(), ...fields };
}

/** Reads page by page, as a session does, and checks what every page promises. */
export async function readAll(engine: Engine, channel: string, first: ReadRequest) {
  const publications: Accepted[] = [];
  const gaps: { readonly from: number; readonly to: number }[] = [];
  let after = first.after;
  for (;;) {
    const page = await engine.read(channel, { ...first, after });
    publications.push(...page.publications);
    if (page.gap !== undefined) gaps.push(page.gap);
    checkPage(page, { ...first, after });
    if (page.to >= first.upTo) return { publications, gaps, epoch: page.epoch };
    after = [Math.max(after[0], page.to), Math.max(after[1], page.to), Math.max(after[2], page.to)];
    if (publications.length > 1_000_000) throw new Error("no end of pages");
  }
}

function checkPage(page: Awaited<ReturnType<Engine["read"]>>, { after, upTo, limit, maxBytes }: ReadRequest) {
  const fail = (what: string) => {
    throw new Error(`a page ${what}: ${JSON.stringify({ page, after, upTo, limit, maxBytes })}`);
  };
  const { publications, to, gap } = page;
  const bytes = publications.reduce(
    (sum, { data, meta }) => sum + Buffer.byteLength(data) + Buffer.byteLength(meta),
    0,
  );
  if (publications.length > limit) fail("is longer than its limit");
  if (bytes > maxBytes && publications.length > 1) fail("is bigger than its limit");
  if (to > upTo) fail("goes further than asked");
  if (to < upTo && to <= Math.min(...after)) fail("gets nowhere");
  if (publications.some(({ offset }) => offset > to)) fail("holds what lies beyond it");
  if (publications.some(({ offset, lane }) => offset <= after[lane])) fail("holds what the reader has");
  if (gap !== undefined && (gap.from > gap.to || gap.to > upTo)) fail("has an impossible gap");
}

export { together };
