/**
 * A session of `carillon.v1`: commands in, one reply each, pushes in between. A command that fails is answered with a
 * typed error and the connection lives.
 */
import { CloseCode } from "@carillon/protocol/codes";
import type { Command, ErrorCode, Reply } from "@carillon/protocol/frames";
import { encodeFrame, encodeHistoryReply, parseCommand } from "@carillon/protocol/json";
import { MAX_PENDING_COMMANDS } from "@carillon/protocol/limits";
import { decodePosition, encodePosition, type Position, START } from "@carillon/protocol/position";
import { EngineError } from "../engine/engine.ts";
import type { Access, Authenticated, Grant } from "./access.ts";
import { v1Codec } from "./codecs.ts";
import { EarlyFrames } from "./early-frames.ts";
import { Refreshes } from "./refreshes.ts";
import { forbidden, Refused, tokenProblem } from "./refused.ts";
import { Session } from "./session.ts";
import { further, withinLog } from "./since.ts";
import { Subscription } from "./subscription.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;
type Handlers = {
  readonly [Type in Command["type"]]: (
    session: V1Session,
    command: Of<Type>,
  ) => Reply | string | undefined | Promise<Reply | string | undefined>;
};

/** One entry per command; the type checker refuses a command without one. Each answers, or throws `Refused`. */
const handlers: Handlers = {
  connect: (session, command) => session.identify(command),
  refresh: (session, command) => session.refresh(command),
  subscribe: (session, command) => session.subscribe(command),
  unsubscribe: (session, command) => session.unsubscribe(command),
  publish: (session, command) => session.publish(command),
  history: (session, command) => session.history(command),
  presence: (session, command) => session.presence(command),
  ping: (_, { id }) => ({ type: "pong", id }),
  ack: (session, command) => session.ack(command),
};

export class V1Session extends Session {
  readonly protocol = "v1";
  device: string | undefined;
  #access: Access | undefined;
  #subscriptions: Map<string, Subscription> | undefined;
  /** Where the device stood when it connected; the engine is asked once. */
  #kept: Promise<ReadonlyMap<string, Position>> | undefined;
  #pending = 0;
  #refreshes: Refreshes | undefined;
  /** What came while the token is being looked at. */
  #early: EarlyFrames | undefined;

  /** The client speaks first. */
  start(): void {}

  override get isUnidentified(): boolean {
    return this.#access === undefined;
  }

  get access(): Access | undefined {
    return this.#access;
  }

  get channels(): readonly string[] {
    return [...(this.#subscriptions?.keys() ?? [])];
  }

  protected execute(frame: string): void {
    if (this.#early !== undefined) {
      this.#keepForLater(this.#early, frame);
      return;
    }
    const parsed = parseCommand(frame);
    if (parsed.ok) this.#carryOut(parsed.command);
    else this.#send({ type: "error", ...parsed.error });
  }

  #keepForLater(early: EarlyFrames, frame: string): void {
    if (early.add(frame)) return;
    this.#early = new EarlyFrames();
    this.close(CloseCode.policyViolation, "too much before the answer to connect");
  }

  #carryOut(command: Command): void {
    try {
      if (this.#access === undefined && command.type !== "connect") {
        throw new Refused("not_connected", "the first command has to be connect");
      }
      if (this.#pending >= MAX_PENDING_COMMANDS) {
        throw new Refused("too_many_pending", `${MAX_PENDING_COMMANDS} commands wait for an answer`);
      }
      const answer = handlers[command.type](this, command as never);
      if (answer instanceof Promise) void this.#answerLater(command, answer);
      else this.#answer(answer);
    } catch (error) {
      this.#fail(command, error);
    }
  }

  protected leave(): void {
    for (const [, subscription] of this.#subscriptions ?? []) this.#end(subscription);
    this.#subscriptions = undefined;
  }

  identify(command: Of<"connect">): Reply | undefined | Promise<Reply | undefined> {
    if (this.#access !== undefined) throw new Refused("already_connected", "connect was said already");
    const authenticated = this.context.authenticate(command.token);
    if (!(authenticated instanceof Promise)) return this.#admit(command, authenticated);
    this.#early = new EarlyFrames();
    return authenticated.then((later) => this.#admit(command, later));
  }

  #admit({ id, device }: Of<"connect">, authenticated: Authenticated): Reply | undefined {
    if (typeof authenticated === "string") {
      const { code, message, closeCode } = tokenProblem(authenticated);
      this.#send({ type: "error", id, code, message });
      this.close(closeCode, message);
      return undefined;
    }
    if (this.hasEnded) return undefined;
    this.#access = authenticated;
    this.device = device;
    this.context.identified(this);
    const { clock, idleTimeoutMs, maxFrameBytes, defaultChannel } = this.context;
    return {
      type: "connected",
      id,
      session: this.info.id,
      time: new Date(clock.wallMs()).toISOString(),
      idleTimeoutMs,
      maxFrameBytes,
      defaultChannel,
      ...expiry(authenticated),
    };
  }

  /** Carries out what came before the answer to `connect`, after it. */
  #takeEarly(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const frame of early) if (!this.hasEnded) this.execute(frame);
  }

  async refresh({ id, token }: Of<"refresh">): Promise<Reply> {
    this.#refreshes ??= new Refreshes(this.context);
    const access = await this.#refreshes.authenticate(token);
    if (!this.hasEnded) {
      this.#access = access;
      this.context.expiry.watch(this);
      this.#revokeForbidden(access);
    }
    return { type: "refreshed", id, ...expiry(access) };
  }

  #revokeForbidden(access: Access): void {
    for (const [channel, subscription] of this.#subscriptions ?? []) {
      if (access.may("subscribe", channel)) continue;
      this.#forget(channel, subscription);
      const { code, message } = forbidden(`receive ${channel}`);
      this.#send({ type: "revoked", channel, code, message });
    }
  }

  async subscribe(command: Of<"subscribe">): Promise<undefined> {
    const { channel: name } = command;
    this.#mayOrThrow("subscribe", name, "receive");
    const { maxSubscriptions } = this.context.limits;
    this.#subscriptions ??= new Map();
    const before = this.#subscriptions.get(name);
    if (before !== undefined && command.position === undefined) {
      throw new Refused("already_subscribed", `already subscribed to ${name}`);
    }
    if (before === undefined && this.#subscriptions.size >= maxSubscriptions) {
      throw new Refused("too_many_subscriptions", `at most ${maxSubscriptions} subscriptions a connection`);
    }
    // With a position it starts anew from there: the client has found out that something is missing.
    before?.end();
    const subscription = new Subscription(name, this, v1Codec, this.context);
    this.#subscriptions.set(name, subscription);
    if (before === undefined) {
      this.context.presence.joined(subscription.channel, this);
      this.#log("subscribe: 开启推送", name);
    }
    try {
      await this.#begin(subscription, command);
    } catch (error) {
      if (!subscription.hasEnded) this.#forget(name, subscription);
      throw error;
    }
  }

  /** Says where the channel stands, then catches up. */
  async #begin(subscription: Subscription, { id, position }: Of<"subscribe">): Promise<void> {
    const opening = subscription.opened();
    if (opening !== undefined) await opening;
    const { channel } = subscription;
    const all = await this.#keptPositions();
    const kept = withinLog(channel, all?.get(channel.name));
    if (subscription.hasEnded) throw new Refused("not_subscribed", "unsubscribed meanwhile");
    const { epoch, delivered } = channel;
    const start = further(epoch, position && decodePosition(position), kept);
    if (start !== undefined && start.epoch === epoch && Math.max(...start.offsets) > delivered) {
      throw new Refused("future_position", `the position is ahead of the log, which ends at ${delivered}`);
    }
    const after = start?.epoch === epoch ? start.offsets : START;
    this.#send({
      type: "subscribed",
      id,
      channel: channel.name,
      position: { epoch, offset: delivered },
      ...(start !== undefined && { from: encodePosition({ epoch, offsets: after }) }),
      ...(start !== undefined && start.epoch !== epoch && { gap: { reason: "epoch" } as const }),
    });
    if (start === undefined) return subscription.goLive();
    void this.#catchUp(subscription, after);
  }

  async #catchUp(subscription: Subscription, after: Position["offsets"]): Promise<void> {
    try {
      await subscription.catchUp(after);
    } catch (error) {
      if (subscription.hasEnded) return;
      const { name: channel } = subscription.channel;
      this.#forget(channel, subscription);
      this.#send({ type: "revoked", channel, ...this.#explain(error) });
    }
  }

  unsubscribe({ id, channel }: Of<"unsubscribe">): Reply {
    const subscription = this.#subscriptions?.get(channel);
    if (subscription === undefined) throw new Refused("not_subscribed", `not subscribed to ${channel}`);
    // Off means not wanted: the device does not get later what comes from now on.
    if (this.device !== undefined) this.context.positions.forget(this.device, channel);
    this.#kept = undefined;
    this.#forget(channel, subscription);
    this.#log("unsubscribe: 关闭推送", channel);
    return { type: "unsubscribed", id, channel };
  }

  async publish({ type: _, id, ...item }: Of<"publish">): Promise<Reply> {
    const { who } = this.#mayOrThrow("publish", item.channel, "publish to");
    const waitMs = this.context.publishRates.take(who);
    if (waitMs > 0)
      throw new Refused("rate_limited", `too many publications a second; try again in ${waitMs} ms`);
    const [result] = await this.context.publisher.publish([item]);
    if (result === undefined) throw new Error("the engine answered nothing");
    return {
      type: "published",
      id,
      channel: item.channel,
      publication: result.id,
      epoch: result.epoch,
      ...(result.offset > 0 && { offset: result.offset }),
      time: new Date(result.timeMs).toISOString(),
      ...(result.duplicate && { duplicate: true as const }),
    };
  }

  async history({ id, channel, after = 0, limit = 100 }: Of<"history">): Promise<string> {
    this.#mayOrThrow("history", channel, "read the history of");
    return encodeHistoryReply(id, channel, await this.context.pages.history(channel, after, limit));
  }

  presence({ id, channel }: Of<"presence">): Reply {
    this.#mayOrThrow("presence", channel, "see who is in");
    return { type: "presence", id, channel, ...this.context.presence.of(channel) };
  }

  ack({ channel, position }: Of<"ack">): undefined {
    const subscription = this.#subscriptions?.get(channel);
    // An ack of another log, or of what was never delivered, is no news.
    if (subscription === undefined || position.epoch !== subscription.channel.epoch) return;
    const { offsets } = decodePosition(position);
    if (Math.max(...offsets) <= subscription.channel.delivered) this.#note(subscription, offsets);
  }

  /** The access that allows it. */
  #mayOrThrow(grant: Grant, channel: string, deed: string): Access {
    if (this.#access === undefined) throw new Refused("not_connected", "the first command has to be connect");
    if (!this.#access.may(grant, channel)) throw forbidden(`${deed} ${channel}`);
    return this.#access;
  }

  #keptPositions(): Promise<ReadonlyMap<string, Position>> | undefined {
    if (this.device === undefined) return undefined;
    this.#kept ??= this.context.positions.of(this.device);
    this.#kept.catch(() => {
      this.#kept = undefined;
    });
    return this.#kept;
  }

  #log(line: string, channel: string): void {
    this.context.log.info(line, { ...this.logFields(), channel });
  }

  #note({ channel }: Subscription, offsets: Position["offsets"]): void {
    if (this.device === undefined) return;
    this.context.positions.note(this.device, channel.name, { epoch: channel.epoch, offsets });
  }

  #forget(name: string, subscription: Subscription): void {
    this.#subscriptions?.delete(name);
    this.#end(subscription);
  }

  #end(subscription: Subscription): void {
    subscription.end();
    this.context.presence.left(subscription.channel, this);
  }

  async #answerLater(command: Command, answer: Promise<Reply | string | undefined>): Promise<void> {
    this.#pending += 1;
    try {
      this.#answer(await answer);
    } catch (error) {
      this.#fail(command, error);
    } finally {
      this.#pending -= 1;
      if (command.type === "connect") this.#takeEarly();
    }
  }

  #answer(answer: Reply | string | undefined): void {
    if (answer === undefined || this.hasEnded) return;
    this.outbound.send(typeof answer === "string" ? answer : encodeFrame(answer));
  }

  #fail(command: Command, error: unknown): void {
    if (command.type === "ack") return;
    this.#send({ type: "error", id: command.id, ...this.#explain(error) });
  }

  #explain(error: unknown): { code: ErrorCode; message: string } {
    if (error instanceof Refused) return { code: error.code, message: error.message };
    if (error instanceof EngineError)
      return { code: "storage_unavailable", message: "the log is not available" };
    this.context.log.error(`A command failed: ${error}`, this.logFields());
    return { code: "internal", message: "the server failed; its log says more" };
  }

  #send(frame: Parameters<typeof encodeFrame>[0]): void {
    if (!this.hasEnded) this.outbound.send(encodeFrame(frame));
  }
}

function expiry({ expiresAtMs }: Access): { expiresAt?: string } {
  return expiresAtMs === undefined ? {} : { expiresAt: new Date(expiresAtMs).toISOString() };
}
