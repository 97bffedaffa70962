/** The real hub and gateway on a real port, in the process of the test: it publishes and counts without a way around. */

import { openMemoryEngine } from "../../packages/server/src/engine/memory.ts";
import { nativeFanOut } from "../../packages/server/src/gateway/fan-out.ts";
import { startGateway } from "../../packages/server/src/gateway/http.ts";
import type { Authenticate } from "../../packages/server/src/hub/access.ts";
import { openHub, testAuthenticator, testPorts } from "../../packages/server/src/hub/testing/defaults.ts";
import { systemClock } from "../../packages/server/src/lib/clock.ts";
import { sequentialIds } from "../../packages/server/src/lib/ids.ts";
import { silentLog } from "../../packages/server/src/lib/log.ts";

export interface GatewayChoices {
  readonly maxCount?: number;
  readonly allowedOrigins?: readonly string[];
  readonly authenticate?: Authenticate;
}

export function openGateway({
  maxCount = 10,
  allowedOrigins = [],
  authenticate = testAuthenticator(),
}: GatewayChoices = {}) {
  const clock = systemClock;
  const fanOut = nativeFanOut();
  const engine = openMemoryEngine({ clock, retentionOf: () => ({ maxCount }) });
  const shared = testPorts();
  const { hub, devices } = openHub({
    engine,
    clock,
    log: silentLog,
    fanOut,
    ...shared,
    authenticate,
    nextPublicationId: sequentialIds(),
    idleTimeoutMs: 1_200_000,
    defaultChannel: "push",
    announcesPresence: () => false,
  });
  const gateway = startGateway({
    host: "127.0.0.1",
    maxBodyBytes: 8 * 1024 * 1024,
    maxFrameBytes: 65_536,
    trustedProxies: [],
    limits: shared.limits,
    port: 0,
    hub,
    fanOut,
    clock,
    log: silentLog,
    metrics: shared.metrics,
    nextId: sequentialIds(),
    rules: {
      defaultChannel: "push",
      allowedOrigins,
      authenticate,
      enter: (access, named) => devices.enter(access, named),
    },
    servePages: () => undefined,
    api: () => new Response(),
    serveMetrics: () => undefined,
    serveDescription: () => undefined,
    probe: () => engine.probe(),
  });
  const stop = async (graceMs = 0) => {
    gateway.stopAccepting();
    hub.close();
    await gateway.drained(graceMs);
    await engine.close();
  };
  return { hub, gateway, engine, ...shared, stop, [Symbol.asyncDispose]: () => stop() };
}
