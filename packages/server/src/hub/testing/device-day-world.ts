/**
 * A day of devices in a few milliseconds: a hub and an engine on a virtual clock, apps that come and go, and the rules beside
 * them. After everything that happens, what each connection was sent is compared with what the rules say.
 */
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import type { Engine } from "../../engine/engine.ts";
import { openMemoryEngine } from "../../engine/memory.ts";
import type { Clock } from "../../lib/clock.ts";
import { timeOrderedIds } from "../../lib/ids.ts";
import { silentLog } from "../../lib/log.ts";
import type { Devices } from "../devices/devices.ts";
import type { Hub } from "../hub.ts";
import { admin, openHub, testPorts } from "./defaults.ts";
import type { App, Fields, V1App } from "./device-day-apps.ts";
import { compare } from "./device-day-lines.ts";
import { Link } from "./device-day-link.ts";
import { Rules } from "./device-day-rules.ts";
import { type Line, nextEdge, type Party, wishName } from "./device-day-terms.ts";
import { override } from "./hub-set-up.ts";
import { randomOf } from "./simulation.ts";

const IDLE_TIMEOUT_MS = 20 * 60_000;
const HEARTBEAT_MS = 9 * 60_000;
/** The engine looks for what has expired when it likes: not 86,400 times a day. */
const ENGINE_IS_SLOWER = 120;

/** A process: what it had under way ends with it. */
interface Server {
  readonly hub: Hub;
  readonly devices: Devices;
  kill(): void;
}

export class DayWorld {
  readonly clock: VirtualClock;
  readonly random: () => number;
  readonly engine: Engine;
  readonly rules: Rules;
  readonly apps = new Map<string, App>();
  readonly lines = new Map<Link, Line>();
  /** What happened, for those who look for the reason of a failure. */
  readonly deeds: string[] = [];
  /** Whether the server crashes, and does not only restart. */
  readonly isRough: boolean;
  /** With which code the server may close connections that are up. */
  mayCloseWith: number | undefined;
  #server: Server;
  #heartbeatMs = HEARTBEAT_MS;
  /** Counts what the server does, to see when it has nothing more to do. */
  #activity = 0;

  constructor(seed: number, startMs: number, isRough: boolean) {
    this.isRough = isRough;
    this.random = randomOf(seed);
    this.clock = new VirtualClock(startMs);
    this.rules = new Rules(() => this.clock.wallMs());
    const clock: Clock = {
      wallMs: () => this.clock.wallMs(),
      monotonicMs: () => this.clock.monotonicMs(),
      setTimer: (delayMs, fire) => this.clock.setTimer(delayMs * ENGINE_IS_SLOWER, fire),
    };
    this.engine = openMemoryEngine({ clock, retentionOf: () => ({}) });
    this.#server = this.#start();
  }

  get hub(): Hub {
    return this.#server.hub;
  }

  get devices(): Devices {
    return this.#server.devices;
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)] as T;
  }

  note(deed: string): void {
    this.deeds.push(`${new Date(this.clock.wallMs()).toISOString().slice(5, 23)} ${deed}`);
  }

  #start(): Server {
    let isAlive = true;
    const clock: Clock = {
      wallMs: () => this.clock.wallMs(),
      monotonicMs: () => this.clock.monotonicMs(),
      setTimer: (delayMs, fire) => this.clock.setTimer(delayMs, () => isAlive && fire()),
    };
    const engine = this.#watched(() => isAlive);
    const publish = (topic: string, frame: string) => {
      for (const link of this.lines.keys()) if (isAlive && link.topics.has(topic)) link.send(frame);
    };
    const { hub, devices } = openHub({
      engine,
      clock,
      log: silentLog,
      fanOut: { publish },
      ...testPorts(),
      nextPublicationId: timeOrderedIds(this.clock),
      idleTimeoutMs: IDLE_TIMEOUT_MS,
      defaultChannel: "push",
      announcesPresence: () => false,
    });
    const kill = () => {
      isAlive = false;
      hub.close();
    };
    return { hub, devices, kill };
  }

  /** The engine as a process sees it: what is asked by one that is dead is not done. */
  #watched(isAlive: () => boolean): Engine {
    const watch =
      <Args extends unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
      (...args: Args): Promise<Result> => {
        this.#activity += 1;
        return isAlive() ? call(...args) : new Promise(() => {});
      };
    const { engine } = this;
    return override(engine, {
      publish: watch((items, changes) => engine.publish(items, changes)),
      top: watch((channel) => engine.top(channel)),
      read: watch((channel, request) => engine.read(channel, request)),
      withdraw: watch((channel, offset) => engine.withdraw(channel, offset)),
      savePositions: watch((positions, changes) => engine.savePositions(positions, changes)),
      saveRecords: watch((changes) => engine.saveRecords(changes)),
      positionsOf: watch((device) => engine.positionsOf(device)),
      record: watch((kind, id) => engine.record(kind, id)),
    });
  }

  /** An orderly restart: clients are told, and what is in memory is written. */
  async restart(): Promise<void> {
    const { hub, devices } = this.#server;
    this.mayCloseWith = 1012;
    hub.close();
    this.mayCloseWith = undefined;
    await this.settle();
    await hub.flush();
    await devices.flush();
    this.#server.kill();
    this.#server = this.#start();
  }

  /** The process is gone, and with it what it had not written. */
  async crash(): Promise<void> {
    for (const [link, line] of this.lines) {
      link.session = undefined;
      link.state = "closed";
      this.rules.ended(line, false);
      this.apps.get(line.device.id)?.links.delete(link);
    }
    this.lines.clear();
    this.#server.kill();
    await this.rules.crashed((id) => this.engine.positionsOf(id));
    this.#server = this.#start();
  }

  /** Does something by which all connections of an app are closed. */
  async cutting<Result>(app: App, code: number, deed: () => Promise<Result>): Promise<Result> {
    this.mayCloseWith = code;
    const result = await deed();
    this.mayCloseWith = undefined;
    const left = this.rules.linesOf(this.party(app)).length;
    if (left > 0)
      throw new Error(`${left} connections of ${app.device} are open, and were to be closed with ${code}`);
    return result;
  }

  party(app: App): Party {
    const party = this.rules.parties.get(app.device);
    if (party === undefined) throw new Error(`${app.device} is known`);
    return party;
  }

  /** An app connects, and subscribes to what it wants. */
  async connect(app: App): Promise<Link> {
    const link = new Link(
      this.clock,
      (ended, code) => this.#ended(ended, code),
      () => (this.#activity += 1),
    );
    const line = this.rules.connected(this.party(app), app.kind, app.kind === "v1" && app.isUrgentFirst);
    this.lines.set(link, line);
    app.links.add(link);
    const info = { id: `s${this.clock.monotonicMs()}-${this.random()}`, address: "::1" };
    if (app.kind === "v1") {
      link.session = this.hub.connectV1(info, link);
      const more = app.isUrgentFirst ? { urgentFirst: true } : {};
      await this.say(link, app.command({ type: "connect", token: app.token, ...more }));
      // What is urgent has come first; the rest may come.
      if (app.isUrgentFirst) await this.pass(500);
      return link;
    }
    const access = app.token === undefined ? admin : await this.devices.kind(app.token);
    if (typeof access !== "object") throw new Error(`the token of ${app.device} is good`);
    link.session = this.hub.connectText(
      { ...info, access, channels: app.channels, device: app.device },
      link,
    );
    await this.settle();
    for (const channel of link.session.channels) this.rules.subscribed(line, channel);
    await this.checkUp();
    return link;
  }

  #ended(link: Link, code: number): void {
    const line = this.lines.get(link);
    const { session } = link;
    if (line === undefined || session === undefined) return;
    if (code !== 1000 && code !== 1006 && code !== this.mayCloseWith) {
      const silentMs = this.clock.monotonicMs() - link.heardMs;
      if (code !== 4000 || silentMs < 2 * IDLE_TIMEOUT_MS)
        throw new Error(`a connection is closed with ${code}`);
    }
    compare(link, line, this.rules);
    this.lines.delete(link);
    this.apps.get(line.device.id)?.links.delete(link);
    this.rules.ended(line, code === 1000 || code === 1001);
    this.hub.disconnect(session, code, "");
  }

  /** The app says something on one of its connections. */
  async say(link: Link, ...commands: Fields[]): Promise<void> {
    const line = this.lines.get(link);
    if (line === undefined) return;
    for (const command of commands) {
      this.#rule(line, command);
      link.say(JSON.stringify(command));
    }
    await this.checkUp();
  }

  #rule(line: Line, { type, channel, position, publications, push, quietHours }: Fields): void {
    const offset = (position as { offset: unknown } | undefined)?.offset;
    const said = typeof offset === "number" ? [offset, offset, offset] : offset;
    const offsets = said as readonly [number, number, number] | undefined;
    if (type === "subscribe") this.rules.subscribed(line, channel as string, offsets);
    if (type === "ack" && offsets !== undefined)
      this.rules.acknowledged(line.device, channel as string, offsets);
    if (type === "switch") {
      const patch = { push, quietHours } as Parameters<Rules["switched"]>[2];
      this.rules.switched(line.device, wishName(channel as string), patch);
    }
    for (const id of (publications as string[] | undefined) ?? []) {
      const message = this.rules.messages.find((each) => each.id === id);
      if (message !== undefined) this.rules.read(line.device, message);
    }
  }

  /** Waits until nothing goes on any more; the clock stands still. */
  async settle(): Promise<void> {
    for (let before = -1; before !== this.#activity; ) {
      before = this.#activity;
      for (let turn = 0; turn < 30; turn++) await Promise.resolve();
    }
  }

  /** All that the rules demand was sent, and nothing else; then the apps take what has reached them. */
  async checkUp(): Promise<void> {
    for (;;) {
      await this.settle();
      for (const [link, line] of this.lines) {
        this.rules.flow(line);
        compare(link, line, this.rules);
      }
      const said = this.#takeAll();
      if (said.length === 0) return;
      for (const [link, commands] of said) await this.say(link, ...commands);
    }
  }

  #takeAll(): [Link, Fields[]][] {
    const said: [Link, Fields[]][] = [];
    for (const [link, { device }] of this.lines) {
      const app = this.apps.get(device.id);
      if (app === undefined || link.state !== "up") continue;
      const frames = link.unread;
      link.unread = [];
      const commands = frames.flatMap((frame) => takeOne(app, link, frame));
      if (commands.length > 0) said.push([link, commands]);
    }
    return said;
  }

  /** Time goes on, and the apps show that they are there. */
  async pass(deltaMs: number): Promise<void> {
    const untilMs = this.clock.monotonicMs() + deltaMs;
    for (let nowMs = this.clock.monotonicMs(); nowMs < untilMs; nowMs = this.clock.monotonicMs()) {
      const wallMs = this.clock.wallMs();
      const edgeMs = nextEdge(this.rules.parties.values(), wallMs, wallMs + untilMs - nowMs);
      const stepMs = edgeMs === undefined ? untilMs - nowMs : edgeMs - wallMs;
      await this.#goTo(Math.min(nowMs + stepMs, this.#heartbeatMs, untilMs));
      if (this.clock.monotonicMs() >= this.#heartbeatMs) await this.#heartbeats();
      await this.checkUp();
    }
  }

  async #goTo(atMs: number): Promise<void> {
    for (
      let before = this.#activity;
      this.clock.step(atMs - this.clock.monotonicMs());
      before = this.#activity
    ) {
      for (let turn = 0; turn < 3; turn++) await Promise.resolve();
      if (this.#activity !== before) await this.settle();
    }
  }

  async #heartbeats(): Promise<void> {
    await this.checkUp();
    this.#heartbeatMs = this.clock.monotonicMs() + HEARTBEAT_MS;
    for (const link of this.lines.keys()) if (link.state === "up") this.heartbeat(link);
  }

  heartbeat(link: Link): void {
    const line = this.lines.get(link);
    if (line === undefined) return;
    const isText = line.kind === "text";
    if (isText) this.rules.alive(line);
    link.say(isText ? "Heartbeat" : JSON.stringify({ type: "ping", id: 1 }));
  }
}

function takeOne(app: App, link: Link, frame: string): Fields[] {
  if (app.kind === "v1") return (app satisfies V1App).take(link, JSON.parse(frame) as Fields);
  app.take(frame);
  return [];
}
