/** Figures that are read from the server's rooms and from the process; `docs/operations.md` explains each. */
import manifest from "../package.json" with { type: "json" };
import type { OnCommit } from "./engine/engine.ts";
import type { Hub } from "./hub/hub.ts";
import type { CancelTimer, Clock } from "./lib/clock.ts";
import type { Metrics } from "./lib/metrics.ts";

/**
 * To wake up an idle process twice a second takes 0.07 % of a core, ten times 0.24 %; beside a push a second to 5,000 clients
 * twice a second was seen as 4 % of the server's CPU. A stall that is shorter is hit by chance, in proportion to its length.
 */
const LAG_EVERY_MS = 2_000;

export interface MetricsSources {
  readonly hub: Pick<Hub, "figures">;
  readonly webhooks: { readonly waiting: number } | undefined;
  readonly clock: Clock;
}

/** Has `metrics` tell of the server and of the process. Returns a function that stops it. */
export function watch(metrics: Metrics, { hub, webhooks, clock }: MetricsSources): CancelTimer {
  const { version } = manifest;
  metrics.info("carillon_build_info", "The version that runs.", { version, bun: Bun.version });
  metrics.gauges("carillon_connections", "Connections now, by protocol.", "protocol", () => {
    return hub.figures.connections;
  });
  metrics.gauge("carillon_subscriptions", "Subscriptions of all connections now.", () => {
    return hub.figures.subscriptions;
  });
  metrics.gauge("carillon_channels_watched", "Channels that somebody is subscribed to now.", () => {
    return hub.figures.watchedChannels;
  });
  metrics.gauge("carillon_devices_connected", "Devices that have a connection now.", () => {
    return hub.figures.devices;
  });
  metrics.gauge("carillon_webhooks_waiting", "Events neither posted nor given up yet.", () => {
    return webhooks?.waiting ?? 0;
  });
  // From the start on, or the first of each would be no increase to Prometheus.
  for (const outcome of ["delivered", "retried", "dead", "dropped"]) metrics.webhooks.inc({ outcome }, 0);
  for (const sender of ["webPush", "unifiedPush"]) {
    for (const outcome of ["sent", "gone", "refused", "retried"])
      metrics.notifications.inc({ sender, outcome }, 0);
  }
  metrics.notifications.inc({ sender: "any", outcome: "dropped" }, 0);
  metrics.refused.inc({ code: "storage_unavailable" }, 0);
  for (const protocol of ["text", "v1", "sse"]) metrics.connected.inc({ protocol }, 0);
  watchProcess(metrics, clock);
  return watchLoop(metrics, clock);
}

/** By the names that Prometheus' clients share. */
function watchProcess(metrics: Metrics, clock: Clock): void {
  const startS = clock.wallMs() / 1e3 - process.uptime();
  metrics.gauge(
    "process_start_time_seconds",
    "When the process started, in seconds since 1970.",
    () => startS,
  );
  metrics.gauge("process_resident_memory_bytes", "Memory of the process.", () => process.memoryUsage.rss());
  metrics.total("process_cpu_seconds_total", "CPU time of the process, all threads.", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
}

function watchLoop({ loopLagSeconds }: Metrics, clock: Clock): CancelTimer {
  let cancel: CancelTimer = () => {};
  const arm = () => {
    const dueMs = clock.monotonicMs() + LAG_EVERY_MS;
    cancel = clock.setTimer(LAG_EVERY_MS, () => {
      loopLagSeconds.observe(Math.max(0, clock.monotonicMs() - dueMs) / 1e3);
      arm();
    });
  };
  arm();
  return () => cancel();
}

/** Counts an engine's commits. */
export function countCommits({ commitSeconds, commitItems }: Metrics): OnCommit {
  return ({ items, ms }) => {
    commitSeconds.observe(ms / 1e3);
    commitItems.observe(items);
  };
}
