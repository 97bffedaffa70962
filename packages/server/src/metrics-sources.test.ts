import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { VirtualClock } from "@carillon/protocol/testing/virtual-clock";
import { createMetrics } from "./lib/metrics.ts";
import { type Family, parseExposition, sampleOf } from "./lib/testing/exposition.ts";
import { countCommits, watch } from "./metrics-sources.ts";

const operations = readFileSync(join(import.meta.dir, "../../../docs/operations.md"), "utf8");
const section = operations.slice(operations.indexOf("\n## Metrics\n"), operations.indexOf("\n## Limits\n"));

function setUp() {
  const clock = new VirtualClock();
  const metrics = createMetrics();
  const figures = {
    connections: { text: 2, v1: 3, sse: 0 },
    subscriptions: 7,
    watchedChannels: 4,
    devices: 6,
  };
  const webhooks = { waiting: 5 };
  const stop = watch(metrics, { hub: { figures }, webhooks, clock });
  const read = async () => parseExposition(await metrics.text());
  return { clock, metrics, figures, webhooks, stop, read };
}

function labelsOf({ samples }: Family): string[] {
  const names = [...samples.keys()].flatMap((sample) =>
    [...sample.matchAll(/[{,](\w+)="/g)].map(([, name]) => name),
  );
  return [...new Set(names)].filter((name): name is string => name !== undefined && name !== "le").sort();
}

test("every metric is documented as it is, and every documented one is there", async () => {
  const { metrics, read } = setUp();
  // A counter with a label shows it once it has counted.
  metrics.disconnected.inc({ code: 1000 });
  metrics.requests.inc({ status: 200 });
  const rows = [...section.matchAll(/^\| `(\w+)` +\| (\w+) +\| ([\w` ]*)\| \S.*\|$/gm)];
  const documented = rows.map(([, name = "", type = "", labels = ""]) => {
    return { name, type, labels: [...(labels.match(/\w+/g) ?? [])].sort() };
  });
  const exposed = [...(await read())].map(([name, family]) => {
    return { name, type: family.type, labels: labelsOf(family) };
  });
  const byName = (one: { name: string }, other: { name: string }) => (one.name < other.name ? -1 : 1);
  expect(documented.sort(byName)).toEqual(exposed.sort(byName));
  expect(documented.length).toBeGreaterThan(20);
});

test("the alerts ask for metrics that are there, and for nothing else", async () => {
  const { read } = setUp();
  const [, yaml = ""] = /```yaml\n(groups:[\s\S]*?)```/.exec(section) ?? [];
  const { groups } = Bun.YAML.parse(yaml) as { groups: { rules: { alert: string; expr: string }[] }[] };
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.length).toBeGreaterThanOrEqual(5);
  const families = await read();
  for (const { expr } of rules) {
    const names = expr.match(/\b(?:carillon|process)_\w+/g) ?? [];
    if (expr.startsWith("up{")) continue;
    expect(names).not.toEqual([]);
    for (const name of names) expect(families.has(name.replace(/_bucket$/, ""))).toBe(true);
  }
});

test("figures are read when they are asked for", async () => {
  const { figures, webhooks, read } = setUp();
  const told = async () => {
    const families = await read();
    return [
      sampleOf(families, 'carillon_connections{protocol="text"}'),
      sampleOf(families, 'carillon_connections{protocol="v1"}'),
      sampleOf(families, "carillon_subscriptions"),
      sampleOf(families, "carillon_channels_watched"),
      sampleOf(families, "carillon_webhooks_waiting"),
      sampleOf(families, "carillon_devices_connected"),
    ];
  };
  expect(await told()).toEqual([2, 3, 7, 4, 5, 6]);
  figures.connections.text = 0;
  figures.subscriptions = 6;
  webhooks.waiting = 0;
  figures.devices = 1;
  expect(await told()).toEqual([0, 3, 6, 4, 0, 1]);
});

test("a counter that may alarm is there before its first count", async () => {
  const families = await setUp().read();
  const samples = [...(families.get("carillon_webhooks_total")?.samples ?? [])];
  const outcomes = ["delivered", "retried", "dead", "dropped"];
  expect(samples).toEqual(outcomes.map((outcome) => [`carillon_webhooks_total{outcome="${outcome}"}`, 0]));
  const refused = families.get("carillon_refused_total")?.samples;
  expect(refused?.get('carillon_refused_total{code="storage_unavailable"}')).toBe(0);
});

test("CPU time only grows, and is not added up again by each question", async () => {
  const { read, metrics } = setUp();
  metrics.total("fixed_total", "Five.", () => 5);
  await read();
  expect(sampleOf(await read(), "fixed_total")).toBe(5);
  const first = sampleOf(await read(), "process_cpu_seconds_total");
  await read();
  const { user, system } = process.cpuUsage();
  const last = sampleOf(await read(), "process_cpu_seconds_total");
  expect(last).toBeGreaterThanOrEqual(first);
  expect(last).toBeWithin((user + system) / 1e6 - 1, (user + system) / 1e6 + 1);
});

test("a stalled loop shows, one that is not does not", async () => {
  const { clock, read, stop } = setUp();
  clock.advance(10_000);
  const name = "carillon_event_loop_lag_seconds";
  const calm = await read();
  expect([sampleOf(calm, `${name}_count`), sampleOf(calm, `${name}_sum`)]).toEqual([5, 0]);
  clock.stall(2_500);
  const stalled = await read();
  expect([sampleOf(stalled, `${name}_count`), sampleOf(stalled, `${name}_sum`)]).toEqual([6, 0.5]);
  stop();
  expect(clock.pendingTimers).toBe(0);
});

test("commits are counted with what they held and how long they took", async () => {
  const { metrics, read } = setUp();
  const onCommit = countCommits(metrics);
  onCommit({ items: 3, ms: 4 });
  onCommit({ items: 1, ms: 6 });
  const families = await read();
  const of = (sample: string) => sampleOf(families, `carillon_engine_commit_${sample}`);
  expect([of("items_sum"), of("items_count"), of("seconds_sum"), of("seconds_count")]).toEqual([
    4, 2, 0.01, 2,
  ]);
  expect(of('seconds_bucket{le="0.005"}')).toBe(1);
});

test.each([
  ["a 1"],
  ["a 1\n"],
  ["# HELP a b\n# TYPE b counter\nb 1\n"],
  ["# HELP a b\n# TYPE a counter\nb 1\n"],
  ["# HELP a b\n# TYPE a counter\na one\n"],
  ["# HELP a b\n# TYPE a counter\na 1\na 2\n"],
  ['# HELP a b\n# TYPE a counter\na{b="c} 1\n'],
  ['# HELP a b\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n'],
  ['# HELP a b\n# TYPE a histogram\na_bucket{le="+Inf"} 2\na_sum 1\na_count 1\n'],
])("the parser of these tests refuses %j", (text) => {
  expect(() => parseExposition(text)).toThrow();
});
