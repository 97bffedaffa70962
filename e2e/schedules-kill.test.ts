/**
 * `kill -9` around due times, on one data directory: every due time is published exactly once, and the list of runs says
 * the same as the channel.
 */
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Caller, type Kept } from "./support/api.ts";
import { Server } from "./support/carillon.ts";
import { clockShows, nowMs } from "./support/moment.ts";

const KEY = "a-key-for-these-tests";
const KILLS = 50;
const RUNS_KEPT = 100;
/** It takes 55 s where nothing else runs. */
const TIMEOUT_MS = 150_000;

const RECURRING = {
  counted: { every: "1s" },
  aligned: { every: "1s", align: true },
  cron: { cron: "* * * * * *", timeZone: "Asia/Kolkata" },
  spread: { every: "1s", jitter: "500ms" },
} as const;
type Name = keyof typeof RECURRING;
const NAMES = Object.keys(RECURRING) as readonly Name[];

const random = (least: number, most: number) => least + Math.floor(Math.random() * (most - least + 1));
const pick = <Item>(items: readonly Item[]) => items[random(0, items.length - 1)] as Item;

interface Schedule {
  readonly id: string;
  readonly createdAt: string;
  readonly runs: number;
}

/** What has been asked for so far; it outlives the servers. */
class Witness {
  readonly schedules = new Map<Name, Schedule>();
  /** One-off publications by their texts: the schedule that was answered, or nothing yet. */
  readonly oneOffs = new Map<string, string | undefined>();

  async makeRecurring(caller: Caller): Promise<void> {
    for (const name of NAMES) {
      const fields = { channel: name, data: "{{run}}", misfire: "all", ...RECURRING[name] };
      const { status, body } = await caller.call("POST", "/v1/schedules", fields);
      expect(status).toBe(201);
      this.schedules.set(name, body);
    }
  }

  /** When the commit of a run of one of them begins, the next time. */
  nextDueMs(): number {
    const anchorMs = pick([0, Date.parse(this.schedules.get("counted")?.createdAt ?? "")]);
    return nowMs() + 1_000 - ((nowMs() - anchorMs) % 1_000);
  }

  /** Asks for a publication later. Whether the answer comes is left to what happens. */
  async publishLater(caller: Caller, text: string, delayMs: number): Promise<void> {
    if (!this.oneOffs.has(text)) this.oneOffs.set(text, undefined);
    const body = { data: text, delay: `${delayMs}ms`, idempotencyKey: text };
    const answer = await caller.call("POST", "/v1/channels/once/messages", body);
    expect(answer.status).toBe(202);
    this.oneOffs.set(text, answer.body.schedule);
  }

  /** As an app does that got no answer. */
  async askAgain(caller: Caller): Promise<void> {
    for (const [text, schedule] of this.oneOffs) {
      if (schedule === undefined) await this.publishLater(caller, text, random(1, 1_000));
    }
  }
}

const argsFor = (dir: string) => ["--data", dir, "--push-every", "off", "--admin-key", KEY];

/** Kills what serves, not the launcher, which ends by itself then. */
async function kill(server: Server): Promise<void> {
  const pid = await server.serverPid();
  // 0 would be the test and all that it has started.
  if (!(pid > 0)) throw new Error("the launcher has not started the server");
  process.kill(pid, "SIGKILL");
  await server.exited;
}

/** One life, which ends within milliseconds of a due time, or somewhere else, in the middle of what it is asked for. */
async function live(dir: string, life: number, witness: Witness): Promise<void> {
  await using server = await Server.start(argsFor(dir));
  const caller = new Caller(server, KEY);
  await witness.askAgain(caller);
  const dueMs = witness.nextDueMs();
  const killMs = dueMs + (life % 4 === 0 ? random(-400, 400) : random(-3, 12));
  for (const each of [1, 2, 3]) {
    // Due while it lives, while it is down, and at the moment of the kill.
    const delayMs = pick([random(1, 3_000), Math.max(1, killMs - nowMs() + random(-10, 10))]);
    await witness.publishLater(caller, `${life}.${each}`, delayMs);
  }
  await clockShows(killMs);
  const unanswered = witness.publishLater(caller, `${life}.last`, random(1, 50)).catch(() => {});
  await kill(server);
  await unanswered;
}

/** One that dies while it starts: before it has opened the file, while it makes up for what was missed, or after. */
async function die(dir: string): Promise<void> {
  await using server = new Server(["serve", "--host", "127.0.0.1", "--port", "0", ...argsFor(dir)]);
  while (!((await server.serverPid()) > 0)) await clockShows(nowMs() + 5);
  await clockShows(nowMs() + random(50, 250));
  await kill(server);
}

/** Lives until everything that was due so far, and a second more, has been published. */
async function caughtUp(caller: Caller): Promise<void> {
  const untilMs = nowMs() + 4_000;
  for (const name of NAMES) {
    while (Date.parse((await caller.history(name)).at(-1)?.dueAt ?? "") < untilMs)
      await clockShows(nowMs() + 100);
  }
}

/** All due times from the making of a schedule to the last publication, as its rule has them. */
function expectedDues({ createdAt }: Schedule, name: Name, history: readonly Kept[]): readonly string[] {
  const createdMs = Date.parse(createdAt);
  const isCounted = name === "counted" || name === "spread";
  const firstMs = isCounted ? createdMs + 1_000 : (Math.floor(createdMs / 1_000) + 1) * 1_000;
  const lastMs = Date.parse(history.at(-1)?.dueAt ?? "");
  const count = (lastMs - firstMs) / 1_000 + 1;
  return Array.from({ length: count }, (_, index) => new Date(firstMs + index * 1_000).toISOString());
}

test(
  `${KILLS} kills around due times: none is lost, none comes twice`,
  async () => {
    const dir = await mkdtemp(join(tmpdir(), "carillon-"));
    const witness = new Witness();
    {
      await using server = await Server.start(argsFor(dir));
      await witness.makeRecurring(new Caller(server, KEY));
      await kill(server);
    }
    for (let life = 1; life <= KILLS; life++) {
      if (life % 5 === 0) await die(dir);
      else await live(dir, life, witness);
      if (life % 3 === 0) await clockShows(nowMs() + random(0, 1_500));
    }

    await using server = await Server.start(argsFor(dir));
    const caller = new Caller(server, KEY);
    await witness.askAgain(caller);
    await caughtUp(caller);
    let late = 0;
    for (const [name, { id, ...made }] of witness.schedules) {
      const { status, body } = await caller.call("PATCH", `/v1/schedules/${id}`, { enabled: false });
      expect(status).toBe(200);
      const history = await caller.history(name);
      expect(history.map(({ dueAt }) => dueAt ?? "")).toEqual([
        ...expectedDues({ id, ...made }, name, history),
      ]);
      expect(history.map(({ schedule }) => schedule)).toEqual(history.map(() => id));
      expect(history.map(({ data }) => data)).toEqual(history.map((_, index) => `${index + 1}`));
      expect(body.runs).toBe(history.length);
      const { runs } = (await caller.call("GET", `/v1/schedules/${id}/runs`)).body as {
        runs: readonly Run[];
      };
      const published = history.map(({ dueAt = "" }) => ({ dueAt, outcome: "published" })).slice(-RUNS_KEPT);
      expect(runs.map(({ dueAt, outcome }) => ({ dueAt, outcome }))).toEqual(published.reverse());
      late += runs.filter(({ latenessMs }) => latenessMs > 50).length;
    }
    // Else no kill has met a due time, and nothing was shown.
    expect(late).toBeGreaterThan(KILLS);

    const once = await caller.history("once");
    expect(once.map(({ data }) => data).sort()).toEqual([...witness.oneOffs.keys()].sort());
    for (const { data, schedule = "" } of once) {
      expect(schedule).toBe(witness.oneOffs.get(String(data)) ?? "");
      const { runs } = (await caller.call("GET", `/v1/schedules/${schedule}/runs`)).body;
      expect(runs).toHaveLength(1);
    }
    await rm(dir, { recursive: true });
  },
  TIMEOUT_MS,
);

interface Run {
  readonly dueAt: string;
  readonly latenessMs: number;
  readonly outcome: string;
}
