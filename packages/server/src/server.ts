/**
 * The composition root: builds the server from a configuration and wires its rooms together.
 *
 *     const server = await startServer(config);
 *     server.port; // 8080
 *     await server.stop();
 */
import manifest from "../package.json" with { type: "json" };
import { AccessControl } from "./access-control.ts";
import type { NewAdminKey } from "./admin-key.ts";
import { backupsOf } from "./backups.ts";
import { closedApps } from "./closed-apps.ts";
import type { Config } from "./config.ts";
import type { Engine } from "./engine/engine.ts";
import { openMemoryEngine } from "./engine/memory.ts";
import { stageRestore } from "./engine/sqlite/restore.ts";
import { openSqliteEngine } from "./engine/sqlite/sqlite.ts";
import { createApi } from "./gateway/api/api.ts";
import { serveDescription } from "./gateway/api/description.ts";
import { allRoutes } from "./gateway/api/routes.ts";
import { streamRoute } from "./gateway/api/stream.ts";
import { deviceChanges } from "./gateway/device-changes.ts";
import { nativeFanOut } from "./gateway/fan-out.ts";
import type { HandshakeRules } from "./gateway/handshake.ts";
import { sharedProbe } from "./gateway/health.ts";
import { startGateway } from "./gateway/http.ts";
import { metricsRoute } from "./gateway/metrics-route.ts";
import { bundlePages } from "./gateway/pages.ts";
import { registration } from "./gateway/registration.ts";
import { Webhooks } from "./gateway/webhooks/webhooks.ts";
import type { Authenticate } from "./hub/access.ts";
import { ApiKeys } from "./hub/api-keys.ts";
import { Devices } from "./hub/devices/devices.ts";
import { noEvents } from "./hub/events.ts";
import { Hub } from "./hub/hub.ts";
import type { Limits } from "./hub/limits.ts";
import { systemClock as clock } from "./lib/clock.ts";
import { chance, sequentialIds, timeOrderedIds } from "./lib/ids.ts";
import { lineWriter } from "./lib/line-writer.ts";
import { createLog, type Log } from "./lib/log.ts";
import { createMetrics, type Metrics } from "./lib/metrics.ts";
import { timestampFormat } from "./lib/timestamp.ts";
import { countCommits, watch } from "./metrics-sources.ts";
import { Scheduler } from "./schedule/scheduler.ts";
import { Schedules } from "./schedule/schedules.ts";
import type { ScheduleFields } from "./schedule/stored.ts";
import { schedulePorts } from "./schedule-ports.ts";
import { readTls } from "./tls.ts";
import { readWebhookTarget } from "./webhook-target.ts";

export interface RunningServer {
  /** The port that is listened on. */
  readonly port: number;
  readonly log: Log;
  /** The admin key, if it was made at this start. */
  readonly newAdminKey: NewAdminKey | undefined;
  /** Resolves when the server is to be stopped and started anew: something was restored. */
  readonly restartWanted: Promise<void>;
  /**
   * Takes over the admin key, keys for JWTs, origins and limits from another configuration; connections stay, but for those
   * that were made with an admin key which is none any more.
   * @throws {ConfigError} if a file that it names is wrong; then nothing has changed.
   */
  reload(config: Config): void;
  /** Stops accepting, ends every connection with 1012 and resolves within about `STOP_GRACE_MS`. */
  stop(): Promise<void>;
}

/** Clients that have not answered the goodbye by then are cut off: an exit takes 10 s at most. */
const STOP_GRACE_MS = 5_000;

/**
 * Starts a server.
 * @throws {Error} with `code` EADDRINUSE, EACCES and the like, when it cannot listen or write.
 * @throws {EngineError} when the data cannot be opened.
 */
export async function startServer(config: Config): Promise<RunningServer> {
  const tls = readTls(config);
  const webhookTarget = readWebhookTarget(config);
  const timestamp = timestampFormat(config.timeZone);
  const log = createLog({
    format: config.log,
    level: config.logLevel,
    clock,
    timestamp,
    write: lineWriter(process.stdout),
  });
  const access = new AccessControl(config, { clock, log, dir: keepsFiles(config) ? config.data : undefined });
  const metrics = createMetrics();
  const engine = await openEngine(config, log, metrics);
  try {
    return await serve(config, { log, metrics, engine, access, tls, webhookTarget });
  } catch (error) {
    await engine.close();
    throw error;
  }
}

interface Ground {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly engine: Engine;
  readonly access: AccessControl;
  readonly tls: ReturnType<typeof readTls>;
  readonly webhookTarget: ReturnType<typeof readWebhookTarget>;
}

async function serve(
  config: Config,
  { log, metrics, engine, access, tls, webhookTarget }: Ground,
): Promise<RunningServer> {
  const { defaultChannel } = config;
  const limits = limitsOf(config);
  // What is asked for anew each time; a reload replaces it.
  let settings: Pick<Config, "forgetDevicesAfter" | "selfRegistration"> = config;
  const apiKeys = await ApiKeys.open(engine, { clock, log });
  const devices: Devices = new Devices({
    engine,
    clock,
    log,
    forgetAfterMs: () => settings.forgetDevicesAfter,
    mayAnybody: (grant, channel) => {
      const anybody = authenticate(undefined);
      return typeof anybody === "object" && "may" in anybody && anybody.may(grant, channel);
    },
    isConnected: (id) => hub.isConnected(id),
    changed: (change) => {
      hub.deviceChanged(change);
      notifications.deviceChanged(change);
    },
    receiptsOf: (id, after, limit) => hub.receipts.ofDevice(id, after, limit),
  });
  const authenticate: Authenticate = access.authenticator([apiKeys.kind, devices.kind]);
  const { data: dir } = config;
  const { notifications, endpoints, publicKey } = await closedApps(
    config,
    keepsFiles(config) ? dir : undefined,
    {
      engine,
      clock,
      log,
      metrics,
      devices,
      isConnected: (id) => hub.isConnected(id),
      positionsOf: (id) => hub.positionsOf(id),
    },
  );
  const nextId = sequentialIds();
  const webhooks =
    webhookTarget && new Webhooks(webhookTarget, { clock, log, metrics, nextId, chance, post: fetch });
  const fanOut = nativeFanOut();
  const hub: Hub = new Hub({
    engine,
    devices,
    timeZone: config.timeZone,
    notifications,
    clock,
    log,
    fanOut,
    authenticate,
    limits,
    metrics,
    events: webhooks ?? noEvents,
    defaultChannel,
    nextPublicationId: timeOrderedIds(clock),
    idleTimeoutMs: config.idleTimeout,
    maxFrameBytes: config.maxFrame,
    announcesPresence: config.presence,
  });
  const { promise: restartWanted, resolve: restart } = Promise.withResolvers<void>();
  const backups = keepsFiles(config)
    ? backupsOf({
        dir,
        maxBodyBytes: config.maxBody,
        backup: (path) => engine.backup(path),
        stage: (path) => stageRestore(dir, path, { move: true }),
        restart,
      })
    : undefined;
  const ports = { ...schedulePorts(engine, hub), clock };
  const onRun = (latenessMs: number) => metrics.scheduleLatenessSeconds.observe(latenessMs / 1e3);
  const scheduler = new Scheduler({ ...ports, log, onRun });
  const { timeZone } = config;
  const schedules = new Schedules({ ...ports, nextId: timeOrderedIds(clock), timeZone, scheduler });
  const mayRegister = registration({
    limits,
    isOpen: () => settings.selfRegistration === "on",
    clock,
    metrics,
  });
  const routes = allRoutes({
    hub,
    devices,
    mayRegister,
    mayChange: deviceChanges({ clock, metrics }),
    endpointProblem: (text) => endpoints.problem(text),
    publicKey,
    apiKeys,
    schedules,
    backups,
  });
  const rules: { -readonly [Name in keyof HandshakeRules]: HandshakeRules[Name] } = {
    defaultChannel,
    allowedOrigins: config.allowedOrigins,
    authenticate,
    enter: (access, named) => devices.enter(access, named),
  };
  const gateway = startGateway({
    host: config.host,
    port: config.port,
    tls,
    maxBodyBytes: config.maxBody,
    maxFrameBytes: config.maxFrame,
    trustedProxies: config.trustedProxies,
    limits,
    hub,
    fanOut,
    clock,
    log,
    metrics,
    nextId,
    rules,
    api: createApi(routes, { authenticate, log }),
    serveMetrics: metricsRoute({ allowed: config.metrics, metrics, authenticate }),
    serveDescription: serveDescription([...routes, streamRoute], manifest.version),
    servePages: await bundlePages(),
    probe: sharedProbe(() => engine.probe()),
  });
  const stopWatching = watch(metrics, { hub, webhooks, clock });
  // On a disk that is full the rest has to work all the same.
  await schedules
    .manage(PUSH_EVERY, timedPush(config))
    .catch((error) => log.error(`--push-every is not in force: ${error.message}`));
  scheduler.wake();
  devices.start();
  notifications.start();
  return {
    port: gateway.port,
    log,
    newAdminKey: access.newAdminKey,
    restartWanted,
    reload(changed) {
      for (const who of access.reload(changed)) hub.withdraw(who);
      Object.assign(limits, limitsOf(changed));
      settings = changed;
      rules.allowedOrigins = changed.allowedOrigins;
      log.info("Reloaded: keys, origins and limits");
    },
    async stop() {
      stopWatching();
      await scheduler.stop();
      gateway.stopAccepting();
      hub.close();
      await gateway.drained(STOP_GRACE_MS);
      await Promise.all([devices.stop(), notifications.stop()]);
      await Promise.all([hub.flush(), apiKeys.flush(), devices.flush(), webhooks?.stop()]);
      await backups?.close();
      await engine.close();
    },
  };
}

/**
 * Has the next start in `dir` begin with what is in `file`, as a new epoch. What is there is kept beside it.
 * @throws {EngineError} if the file is damaged or none of ours; then nothing has changed.
 */
export function restoreInto(dir: string, file: string): void {
  stageRestore(dir, file);
}

/** The type checker refuses a list that lacks one. */
const LIMITS: Readonly<Record<keyof Limits, true>> = {
  maxConnections: true,
  maxConnectionsPerAddress: true,
  maxStreams: true,
  maxHandshakesPerSecond: true,
  maxFramesPerSecond: true,
  maxBytesPerSecond: true,
  maxPublishesPerSecond: true,
  maxSubscriptions: true,
  maxRegistrationsPerMinute: true,
};

function limitsOf(config: Config): Limits {
  const names = Object.keys(LIMITS) as (keyof Limits)[];
  return Object.fromEntries(names.map((name) => [name, config[name]])) as Record<keyof Limits, number>;
}

function keepsFiles({ memory, engine }: Config): boolean {
  return !memory && engine === "sqlite";
}

/** The only place that names engines. */
async function openEngine(config: Config, log: Log, metrics: Metrics): Promise<Engine> {
  const { retention: retentionOf, data: dir } = config;
  const onCommit = countCommits(metrics);
  if (!keepsFiles(config)) return openMemoryEngine({ clock, retentionOf, onCommit });
  return openSqliteEngine({ dir, clock, log, retentionOf, onCommit });
}

/** The schedule that `--push-every` describes. */
const PUSH_EVERY = "push-every";

/** Not made up for after a downtime: what it says is that the time has come. */
function timedPush({ pushEvery, defaultChannel, pushText, timeZone }: Config): ScheduleFields | undefined {
  if (pushEvery === undefined) return undefined;
  return { channel: defaultChannel, data: pushText, every: `${pushEvery}ms`, timeZone, misfire: "skip" };
}
