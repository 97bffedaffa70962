/**
 * The composition root: builds the server from a configuration and wires its rooms together.
 *
 *     const server = await startServer(config);
 *     server.port; // 8080
 *     await server.stop();
 */
import type { Config } from "./config.ts";
import { startGateway } from "./gateway/http.ts";
import { bundlePages } from "./gateway/pages.ts";
import { nativeFanOut } from "./gateway/websocket.ts";
import { Hub } from "./hub/hub.ts";
import { systemClock as clock } from "./lib/clock.ts";
import { sequentialIds } from "./lib/ids.ts";
import { lineWriter } from "./lib/line-writer.ts";
import { createLog, type Log } from "./lib/log.ts";
import { timestampFormat } from "./lib/timestamp.ts";
import { startSchedule } from "./schedule/scheduler.ts";

export interface RunningServer {
  /** The port that is listened on. */
  readonly port: number;
  readonly log: Log;
  /** Stops accepting, ends every connection with 1012 and resolves within about `STOP_GRACE_MS`. */
  stop(): Promise<void>;
}

/** Clients that have not answered the goodbye by then are cut off: an exit takes 10 s at most. */
const STOP_GRACE_MS = 5_000;

/**
 * Starts a server.
 * @throws {Error} with `code` EADDRINUSE, EACCES and the like, when it cannot listen.
 */
export async function startServer(config: Config): Promise<RunningServer> {
  const timestamp = timestampFormat(config.timeZone);
  const log = createLog({
    format: config.log,
    level: config.logLevel,
    clock,
    timestamp,
    write: lineWriter(process.stdout),
  });
  const fanOut = nativeFanOut();
  const hub = new Hub({ clock, log, fanOut, idleTimeoutMs: config.idleTimeout });
  const gateway = startGateway({
    host: config.host,
    port: config.port,
    hub,
    fanOut,
    clock,
    log,
    nextId: sequentialIds(),
    rules: { defaultChannel: config.defaultChannel, allowedOrigins: config.allowedOrigins },
    servePages: await bundlePages(),
  });
  const stopSchedule = startTimedPush(config, log, hub);
  return {
    port: gateway.port,
    log,
    async stop() {
      stopSchedule();
      gateway.stopAccepting();
      hub.close();
      await gateway.drained(STOP_GRACE_MS);
    },
  };
}

function startTimedPush(config: Config, log: Log, hub: Hub): () => void {
  if (config.pushEvery === undefined) return () => {};
  const rule = { channel: config.defaultChannel, text: config.pushText, everyMs: config.pushEvery };
  const publish = (channel: string, text: string) => hub.publish(channel, text);
  return startSchedule(rule, { clock, log, timestamp: timestampFormat(config.timeZone), publish });
}
