/**
 * Notifications: apps that are not connected are told of publications by push services.
 *
 *     const notifications = new Notifications({ engine, clock, log, notifiers: [webPush(…)], … });
 *     await notifications.start();
 *     publisher.commit(items, notifications.changesFor(items)); // one commit: a crash loses none
 *     notifications.wake();
 *
 * A publication that may have to be told leaves a record with its commit. Whom it is for is looked up page by page, and how
 * far that has come is kept in the record, so that after a crash it goes on there: some may be told twice, nobody is left
 * out. What waits for the end of quiet hours, or for a push service, is kept by device (`waiting.ts`). One process works on
 * an engine's records.
 */
import type { Accepted, Engine, KeptRecord, NewPublication, RecordChange } from "../../engine/engine.ts";
import { EngineError } from "../../engine/engine.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Device } from "../devices/device.ts";
import { hasEndpoint, turnOfOthers } from "../devices/recipients.ts";
import type { DeviceChange } from "../devices/store.ts";
import { Delivery, type DeliveryPorts, isOver, type Reached } from "./delivery.ts";
import { Queue } from "./queue.ts";
import { Reachable } from "./reachable.ts";
import { Slots } from "./slots.ts";
import { AGAIN, keepSettled, QUIET, type Settled, waitingIn } from "./waiting.ts";

export interface NotificationsPorts extends DeliveryPorts {
  readonly engine: Pick<Engine, "countLabelled" | "due" | "publication" | "record" | "saveRecords" | "top">;
  readonly clock: Clock;
  readonly log: Log;
  /** Those of the next `limit` devices after an id that a publication is for and that have an endpoint. */
  audience(
    channel: string,
    target: string | undefined,
    after: string,
    limit: number,
  ): Promise<{ readonly devices: readonly Device[]; readonly next: string | null }>;
  device(id: string): Promise<Device | undefined>;
  /** From 0 up to 1. */
  chance(): number;
}

/** Records of publications that have to be told of, by their ids. */
export const NOTIFY = "notify";

/** Publications whose audience is gone through at the same time; a large one does not keep small ones waiting. */
const JOBS = 16;
/** Requests at the same time. */
const REQUESTS = 32;
/** Devices looked at in one go, which takes 1 to 2 ms… */
const PAGE = 50;
/** …after which others have their turn, however many publications are gone through. */
const TURN_MS = 2;
/** Devices whose quiet hours have ended, or to which something could not be sent, dealt with at the same time. */
const AFTER_QUIET = 32;
const SECOND_TRIES = 8;
/** The pauses grow threefold from 15 s; the last try comes three hours after the first, on average. */
const MAX_TRIES = 8;
const FIRST_PAUSE_MS = 15_000;
const FACTOR = 3;
/** After a commit that failed. */
const RETRY_MS = 1_000;
/** Requests under way at the end are given so long. */
const DRAIN_MS = 2_000;

export class Notifications {
  readonly #ports: NotificationsPorts;
  readonly #delivery: Delivery;
  readonly #requests = new Slots(REQUESTS);
  readonly #lookups = new Slots(1);
  #turnBeganMs = Number.NEGATIVE_INFINITY;
  readonly #queues: readonly Queue[];
  readonly #stopping = new AbortController();
  readonly #reachable: Reachable;
  #isStopped = false;

  constructor(ports: NotificationsPorts) {
    this.#ports = ports;
    this.#delivery = new Delivery(ports);
    this.#reachable = new Reachable(ports);
    const resume = (record: KeptRecord) => this.#resume(record);
    this.#queues = [
      new Queue({ ...ports, kind: NOTIFY, atOnce: JOBS, act: (record) => this.#job(record) }),
      new Queue({ ...ports, kind: QUIET, atOnce: AFTER_QUIET, act: resume }),
      new Queue({ ...ports, kind: AGAIN, atOnce: SECOND_TRIES, act: resume }),
    ];
  }

  /** What is to be done in the commit of these publications, so that they are told of. */
  changesFor(publications: readonly NewPublication[]): readonly RecordChange[] {
    return publications
      .filter(({ stored, lane, channel, target }) => {
        // What is not urgent waits until the app comes by itself.
        return stored && lane !== 2 && this.#reachable.mayHave(channel, target);
      })
      .map(({ id, timeMs }) => ({ kind: NOTIFY, id, data: jobData(""), dueMs: timeMs }));
  }

  /** Begins. */
  start(): void {
    this.#reachable.start();
    this.wake();
  }

  /** Something has been committed. */
  wake(): void {
    for (const queue of this.#queues) queue.wake();
  }

  /** Ends; what is under way has two seconds, and what could not be sent by then is kept for the next start. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#reachable.stop();
    const cancel = this.#ports.clock.setTimer(DRAIN_MS, () => this.#stopping.abort());
    await Promise.all(this.#queues.map((queue) => queue.stop()));
    cancel();
  }

  /** What is kept of a device has changed. */
  deviceChanged({ id, device }: DeviceChange): void {
    if (device !== undefined && !hasEndpoint(device)) return;
    if (device !== undefined) this.#reachable.changed();
    void this.#follow(id, device);
  }

  /** Its quiet hours may be others now; of one that was removed nothing is kept. */
  async #follow(id: string, device: Device | undefined): Promise<void> {
    const { engine, clock, log } = this.#ports;
    try {
      for (const kind of [QUIET, AGAIN]) {
        const record = await engine.record(kind, id);
        if (record === undefined) continue;
        const { data } = record;
        if (device === undefined) await engine.saveRecords([{ kind, id, data: undefined }]);
        else if (kind === QUIET) {
          await engine.saveRecords([{ kind, id, data, dueMs: clock.wallMs(), expect: data }]);
        }
      }
      this.wake();
    } catch (error) {
      const isConflict = error instanceof EngineError && error.code === "conflict";
      if (!isConflict) log.warn(`A device's notifications could not be followed: ${error}`, { device: id });
    }
  }

  /** Goes through the audience of a publication. */
  async #job({ id, data }: KeptRecord): Promise<void> {
    const { engine, clock, audience } = this.#ports;
    const { generation } = this.#reachable;
    let { after } = JSON.parse(data) as { after: string };
    let isEmpty = after === "";
    for (let text = data; ; ) {
      const publication = await engine.publication(id);
      const end: RecordChange = { kind: NOTIFY, id, data: undefined, expect: text };
      if (publication === undefined || isOver(publication, clock.wallMs())) return this.#keep([], [end]);
      const { channel, target, timeMs } = publication;
      const page = await this.#lookups.run(async () => {
        await this.#turn();
        return audience(channel, target, after, PAGE);
      });
      const settled = await this.#reachAll(page.devices, publication);
      isEmpty &&= page.devices.length === 0;
      if (page.next === null) {
        if (isEmpty && target === undefined) this.#reachable.noteNone(channel, generation);
        return this.#keep(settled, [end]);
      }
      after = page.next;
      const next = jobData(after);
      await this.#keep(settled, [{ kind: NOTIFY, id, data: next, dueMs: timeMs, expect: text }]);
      if (this.#isStopped) return;
      text = next;
    }
  }

  /** Lets others have their turn, if this one has been long. */
  async #turn(): Promise<void> {
    const { clock } = this.#ports;
    if (clock.monotonicMs() - this.#turnBeganMs < TURN_MS) return;
    await turnOfOthers(clock);
    this.#turnBeganMs = clock.monotonicMs();
  }

  async #reachAll(devices: readonly Device[], publication: Accepted): Promise<readonly Settled[]> {
    const { epoch } = await this.#ports.engine.top(publication.channel);
    const reached = await Promise.all(
      devices.map(async (device) => {
        const each = await this.#reach(device, publication, epoch);
        return { device: device.id, add: this.#added([[publication.id, each]], 0) };
      }),
    );
    return reached.filter(({ add }) => Object.keys(add).length > 0);
  }

  #reach(device: Device, publication: Accepted, epoch: string): Promise<Reached> {
    // Those that need no request wait for no slot of one.
    if (!hasEndpoint(device) || this.#ports.isConnected(device.id)) return Promise.resolve("over");
    return this.#requests.run(async () => {
      // Kept for the next start.
      if (this.#isStopped) return { againAfterMs: 0 };
      return this.#delivery.reach(device, publication, epoch, this.#stopping.signal);
    });
  }

  /** Deals with what waits for a device: its quiet hours have ended, or its pause. */
  async #resume(record: KeptRecord): Promise<void> {
    const { engine } = this.#ports;
    const { id } = record;
    const reason = record.kind === QUIET ? QUIET : AGAIN;
    const { publications, tries } = waitingIn(record);
    const device = await this.#ports.device(id);
    const results: [string, Reached][] = [];
    let failed: Reached | undefined;
    for (const name of device === undefined ? [] : publications) {
      // The others would fare no better.
      const reached = failed ?? (await this.#reachAgain(device, await engine.publication(name)));
      if (typeof reached === "object" && "againAfterMs" in reached) failed = reached;
      results.push([name, reached]);
    }
    const isWell = results.some(([, reached]) => reached === "told");
    const add = this.#added(results, reason === AGAIN && !isWell ? tries : 0);
    await this.#keep([{ device: id, from: { reason, publications }, add }], []);
  }

  async #reachAgain(device: Device | undefined, publication: Accepted | undefined): Promise<Reached> {
    if (device === undefined || publication === undefined) return "over";
    const { epoch } = await this.#ports.engine.top(publication.channel);
    return this.#reach(device, publication, epoch);
  }

  /** What is to be waited for, after `tries` have failed before. */
  #added(results: readonly (readonly [id: string, reached: Reached])[], tries: number): Settled["add"] {
    const { clock, chance } = this.#ports;
    const nowMs = clock.wallMs();
    const quiet: string[] = [];
    const again: string[] = [];
    let quietUntilMs = Number.POSITIVE_INFINITY;
    let againAfterMs = 0;
    for (const [id, reached] of results) {
      if (typeof reached !== "object") continue;
      if ("quietUntilMs" in reached) {
        quiet.push(id);
        quietUntilMs = Math.min(quietUntilMs, reached.quietUntilMs);
      } else {
        again.push(id);
        againAfterMs = Math.max(againAfterMs, reached.againAfterMs);
      }
    }
    const isGivenUp = tries + 1 >= MAX_TRIES && !this.#isStopped;
    if (isGivenUp) this.#drop(again.length);
    const pauseMs = FIRST_PAUSE_MS * FACTOR ** tries * (0.5 + chance() / 2);
    const dueMs = nowMs + Math.ceil(Math.max(againAfterMs, pauseMs));
    return {
      ...(quiet.length > 0 && { [QUIET]: { publications: quiet, dueMs: quietUntilMs, tries: 0 } }),
      ...(again.length > 0 &&
        !isGivenUp && {
          // At the end it was not the service that failed.
          [AGAIN]: this.#isStopped
            ? { publications: again, dueMs: nowMs, tries }
            : { publications: again, dueMs, tries: tries + 1 },
        }),
    };
  }

  /** Keeps it, however long that takes, or all these would be sent again and again while the disk is full. */
  async #keep(settled: readonly Settled[], changes: readonly RecordChange[]): Promise<void> {
    const { engine, clock } = this.#ports;
    for (;;) {
      try {
        this.#drop(await keepSettled(engine, settled, changes, clock.wallMs()));
        return;
      } catch (error) {
        const isUnavailable = error instanceof EngineError && error.code === "unavailable";
        if (!isUnavailable || this.#isStopped) throw error;
        await new Promise<void>((resolve) => clock.setTimer(RETRY_MS, resolve));
      }
    }
  }

  #drop(count: number): void {
    if (count > 0) this.#ports.metrics.notifications.inc({ sender: "any", outcome: "dropped" }, count);
  }
}

function jobData(after: string): string {
  return JSON.stringify({ after });
}
