/**
 * A session of `carillon.v1`: commands in, one reply each, pushes in between. A command that fails is answered with a
 * typed error and the connection lives.
 */
import { CloseCode } from "@carillon/protocol/codes";
import type { Command, ErrorCode, Reply } from "@carillon/protocol/frames";
import { encodeFrame, encodeHistoryReply, parseCommand } from "@carillon/protocol/json";
import { MAX_PENDING_COMMANDS } from "@carillon/protocol/limits";
import { EngineError } from "../engine/engine.ts";
import type { Access, Authenticated, Grant } from "./access.ts";
import { inboxOf, type Switch } from "./devices/device.ts";
import { DeviceRefused } from "./devices/devices.ts";
import { EarlyFrames } from "./early-frames.ts";
import { Refreshes } from "./refreshes.ts";
import { forbidden, Refused, tokenProblem } from "./refused.ts";
import { Session } from "./session.ts";
import type { Subscription } from "./subscription.ts";
import { V1Subscriptions } from "./v1-subscriptions.ts";

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
  switch: (session, command) => session.switch(command),
  read: (session, command) => session.read(command),
  ack: (session, command) => session.ack(command),
};

export class V1Session extends Session {
  readonly protocol = "v1";
  device: string | undefined;
  #access: Access | undefined;
  #subscriptions: V1Subscriptions | undefined;
  #urgentFirst = false;
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
    return this.#subscriptions?.channels ?? [];
  }

  protected get subscriptions(): Iterable<Subscription> {
    return this.#subscriptions ?? [];
  }

  get #joined(): V1Subscriptions {
    this.#subscriptions ??= new V1Subscriptions(this, this.context, this.#urgentFirst);
    return this.#subscriptions;
  }

  protected execute(frame: string): void {
    if (this.#early !== undefined) {
      this.#keepForLater(this.#early, frame);
      return;
    }
    const parsed = parseCommand(frame);
    if (parsed.ok) this.#carryOut(parsed.command);
    else this.send({ type: "error", ...parsed.error });
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
    this.#subscriptions?.endAll();
    this.#subscriptions = undefined;
  }

  identify(command: Of<"connect">): Reply | undefined | Promise<Reply | undefined> {
    if (this.#access !== undefined) throw new Refused("already_connected", "connect was said already");
    const authenticated = this.context.authenticate(command.token);
    const isAsked = authenticated instanceof Promise;
    if (!isAsked && (typeof authenticated === "string" || deviceOf(authenticated, command) === undefined)) {
      return this.#admit(command, authenticated);
    }
    this.#early = new EarlyFrames();
    return this.#meet(command, authenticated);
  }

  /** Waits until it is known who it is, and what is kept of its device. */
  async #meet(
    command: Of<"connect">,
    asked: Authenticated | Promise<Authenticated>,
  ): Promise<Reply | undefined> {
    const authenticated = await asked;
    if (typeof authenticated === "string" || this.hasEnded) return this.#admit(command, authenticated);
    const named = deviceOf(authenticated, command);
    if (named === undefined) return this.#admit(command, authenticated);
    // Before it is asked whether the token is good: one that is withdrawn meanwhile ends this session.
    this.#access = authenticated;
    const device = await this.context.registry.enter(authenticated, command.device);
    if (device === "forbidden") return this.#turnAway(command, forbidden(`be ${command.device}`));
    if (this.hasEnded) return undefined;
    this.connected = this.context.devices.enter(named, this);
    this.device = named;
    this.context.identified(this);
    try {
      await this.connected.ready;
    } catch (error) {
      this.close(CloseCode.tryAgainLater, "what is kept of the device cannot be read now");
      throw error;
    }
    return this.hasEnded ? undefined : this.#welcome(command, authenticated);
  }

  #turnAway({ id }: Of<"connect">, { code, message }: Refused): undefined {
    this.send({ type: "error", id, code, message });
    this.close(CloseCode.unauthorized, message);
  }

  #admit(command: Of<"connect">, authenticated: Authenticated): Reply | undefined {
    if (typeof authenticated === "string") {
      const { code, message, closeCode } = tokenProblem(authenticated);
      this.send({ type: "error", id: command.id, code, message });
      this.close(closeCode, message);
      return undefined;
    }
    if (this.hasEnded) return undefined;
    this.#access = authenticated;
    this.context.identified(this);
    return this.#welcome(command, authenticated);
  }

  #welcome({ id, urgentFirst }: Of<"connect">, access: Access): Reply {
    this.#urgentFirst = urgentFirst === true;
    const { clock, idleTimeoutMs, maxFrameBytes, defaultChannel } = this.context;
    const device = this.connected?.device;
    return {
      type: "connected",
      id,
      session: this.info.id,
      time: new Date(clock.wallMs()).toISOString(),
      idleTimeoutMs,
      maxFrameBytes,
      defaultChannel,
      ...expiry(access),
      ...(device !== undefined && { device: device.id }),
      ...(device?.isRegistered === true && { inbox: inboxOf(device) }),
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
    if (access.device !== undefined && access.device !== this.device) throw forbidden("be another device");
    if (!this.hasEnded) {
      this.#access = access;
      this.context.expiry.watch(this);
      this.#revokeForbidden(access);
    }
    return { type: "refreshed", id, ...expiry(access) };
  }

  #revokeForbidden(access: Access): void {
    for (const channel of this.channels) {
      if (channel.startsWith("$") || access.may("subscribe", channel)) continue;
      this.#subscriptions?.end(channel);
      const { code, message } = forbidden(`receive ${channel}`);
      this.send({ type: "revoked", channel, code, message });
    }
  }

  subscribe(command: Of<"subscribe">): Promise<undefined> {
    this.#mayReadOrThrow(command.channel);
    return this.#joined.subscribe(command);
  }

  unsubscribe(command: Of<"unsubscribe">): Reply {
    return this.#joined.unsubscribe(command);
  }

  switch(command: Of<"switch">): Promise<Reply> {
    this.#mayReadOrThrow(command.channel);
    return this.#joined.switch(command);
  }

  read(command: Of<"read">): Promise<Reply> {
    this.#mayReadOrThrow(command.channel);
    return this.#joined.read(command);
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

  ack(command: Of<"ack">): undefined {
    this.#subscriptions?.ack(command);
  }

  /** Nobody is granted an inbox: it is its device's. */
  #mayReadOrThrow(channel: string): void {
    if (!channel.startsWith("$")) this.#mayOrThrow("subscribe", channel, "receive");
    else if (!this.#joined.isOwnInbox(channel)) throw forbidden(`receive ${channel}`);
  }

  /** The access that allows it. */
  #mayOrThrow(grant: Grant, channel: string, deed: string): Access {
    if (this.#access === undefined) throw new Refused("not_connected", "the first command has to be connect");
    if (!this.#access.may(grant, channel)) throw forbidden(`${deed} ${channel}`);
    return this.#access;
  }

  override switchChanged(channel: string, { push, quietHours }: Switch): void {
    this.send({ type: "switch", channel, push, ...(quietHours !== undefined && { quietHours }) });
  }

  /** A line in the log for operators. A device reads its inbox whenever it is there: that is no news. */
  note(line: string, channel: string): void {
    if (!channel.startsWith("$")) this.context.log.info(line, { ...this.logFields(), channel });
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
    this.send({ type: "error", id: command.id, ...this.explain(error) });
  }

  explain(error: unknown): { code: ErrorCode; message: string } {
    if (error instanceof Refused) return { code: error.code, message: error.message };
    if (error instanceof DeviceRefused && error.code === "too_many_subscriptions") {
      return { code: error.code, message: error.message };
    }
    if (error instanceof EngineError)
      return { code: "storage_unavailable", message: "the log is not available" };
    this.context.log.error(`A command failed: ${error}`, this.logFields());
    return { code: "internal", message: "the server failed; its log says more" };
  }

  send(frame: Parameters<typeof encodeFrame>[0]): void {
    if (!this.hasEnded) this.outbound.send(encodeFrame(frame));
  }
}

/** A device's token says which; any other may name one that has none. */
function deviceOf(access: Access, { device }: Of<"connect">): string | undefined {
  return access.device ?? device;
}

function expiry({ expiresAtMs }: Access): { expiresAt?: string } {
  return expiresAtMs === undefined ? {} : { expiresAt: new Date(expiresAtMs).toISOString() };
}
