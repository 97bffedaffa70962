/**
 * Three devices on a real server, apps of the SDK on Node each in a process of its own: one is killed, one has switched push
 * off, one stays. The server is killed in the middle. Every device ends with what the rules say, and receipts add up.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { Caller } from "./support/api.ts";
import { root, Server } from "./support/carillon.ts";
import { Lines } from "./support/lines.ts";
import { clockShows, nowMs } from "./support/moment.ts";

const KEY = "the-admin-key-of-the-tests-of-devices";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-devices-"));
  const files = ["device.ts", "file-store.ts"].map((file) => join(root, "packages/client/src", file));
  await Bun.write(
    join(dir, "entry.ts"),
    files.map((file) => `export * from ${JSON.stringify(file)};`).join("\n"),
  );
  await Bun.build({ entrypoints: [join(dir, "entry.ts")], target: "node", outdir: dir, naming: "sdk.mjs" });
});
afterAll(() => rm(dir, { recursive: true }));

interface Told {
  readonly inbox?: string;
  readonly push?: string;
  readonly state?: string;
  readonly registered?: string;
  readonly withdrawn?: string;
  readonly done?: string;
}

class App implements AsyncDisposable {
  readonly #process: Subprocess<"pipe", "pipe", "inherit">;
  readonly lines: Lines;

  constructor(server: Server, name: string, tags: string) {
    const program = join(import.meta.dir, "clients/device-app.mjs");
    const store = join(dir, `${name}.json`);
    this.#process = Bun.spawn(["node", program, join(dir, "sdk.mjs"), server.httpUrl, store, tags], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.lines = new Lines(this.#process.stdout);
  }

  get told(): readonly Told[] {
    return this.lines.all.map((line) => JSON.parse(line));
  }
  get inbox(): readonly string[] {
    return this.told.flatMap(({ inbox }) => inbox ?? []).sort();
  }
  get pushed(): readonly string[] {
    return this.told.flatMap(({ push }) => push ?? []);
  }

  /** Resolves once it has told this. */
  async hears(text: RegExp): Promise<void> {
    await this.lines.line(text);
  }

  async order(order: object): Promise<void> {
    this.#process.stdin.write(`${JSON.stringify(order)}\n`);
    this.#process.stdin.flush();
    await this.hears(/"done"/);
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

interface Registered {
  readonly id: string;
  readonly tags?: readonly string[];
}

/** The device that carries a tag of its own. */
async function deviceOf(api: Caller, tag: string): Promise<string> {
  const { body } = await api.call("GET", `/v1/devices?tag=${tag}`);
  const [device] = body.devices as Registered[];
  return device?.id ?? expect.unreachable();
}

/** Asks until it is so: receipts are written once a second. */
async function eventually<Value>(ask: () => Promise<Value>, isSo: (value: Value) => boolean): Promise<Value> {
  for (let tries = 0; ; tries++) {
    const value = await ask();
    if (isSo(value) || tries === 100) return value;
    await clockShows(nowMs() + 100);
  }
}

test("one killed, one switched off, one online: each ends with what is for it, and receipts add up", async () => {
  const data = join(dir, "data");
  const flags = ["--admin-key", KEY, "--data", data, "--push-every", "off"];
  const first = await Server.start(flags);
  const port = String(first.port);
  let api = new Caller(first, KEY);

  await using online = new App(first, "online", "online,beta");
  await using off = new App(first, "off", "off,beta");
  const doomed = new App(first, "killed", "killed,beta,old");
  for (const app of [online, off, doomed]) await app.hears(/"state":"live"/);
  const [onlineId, offId, killedId] = await Promise.all(
    ["online", "off", "killed"].map((tag) => deviceOf(api, tag)),
  );
  for (const id of [onlineId, killedId]) await api.call("PATCH", `/v1/devices/${id}`, { user: "ann" });
  await off.order({ off: true });

  const ids: Record<string, string> = {};
  const say = async (name: string, path: string, body: object) => {
    const { status, body: published } = await api.call("POST", path, { data: name, ...body });
    expect(status).toBe(201);
    ids[name] = published.id;
  };
  const push = (name: string, body: object = {}) => say(name, "/v1/channels/push/messages", body);
  const send = (name: string, to: string, body: object = {}) => say(name, "/v1/messages", { to, ...body });

  await push("breakfast");
  await doomed.hears(/breakfast/);
  // What it has acknowledged by now is as far as the server knows.
  await eventually(
    async () => (await api.call("GET", `/v1/messages/${ids["breakfast"]}`)).body,
    ({ received }) => received === 2,
  );
  await doomed.kill();

  await push("lunch");
  await push("soon over", { ttl: 1 });
  await send("to all", "everyone");
  await send("to beta", "tag:beta");
  await send("not to the old", "tag:beta & !tag:old", { receipts: true });
  await send("to ann", "user:ann");
  await send("to the killed", `device:${killedId}`);
  await send("to the one that is off", `device:${offId}`);
  await online.hears(/to ann/);
  await off.hears(/to the one that is off/);
  // What the server has counted and not yet written a crash would count again.
  for (const name of ["lunch", "to ann", "not to the old", "to the one that is off"]) {
    await eventually(
      async () => (await api.call("GET", `/v1/messages/${ids[name]}`)).body,
      ({ sent, received }) => received === sent,
    );
  }
  // It has expired, and the positions of that second are on disk.
  await clockShows(nowMs() + 1_500);

  // The machine loses the server; all was answered, so nothing is lost.
  process.kill(await first.serverPid(), "SIGKILL");
  await first.exited;
  await using second = await Server.start([...flags, "--port", port]);
  api = new Caller(second, KEY);
  await push("dinner");
  await send("good night", "everyone");
  await online.hears(/good night/);
  await off.hears(/good night/);

  await using back = new App(second, "killed", "killed,beta,old");
  await back.hears(/good night/);
  await back.hears(/dinner/);
  expect(online.pushed).toEqual(["breakfast", "lunch", "soon over", "dinner"]);
  expect(off.pushed).toEqual([]);
  expect(back.pushed).toEqual(["lunch", "dinner"]);
  const all = ["good night", "to all", "to beta"];
  expect(online.inbox).toEqual([...all, "not to the old", "to ann"].sort());
  expect(off.inbox).toEqual([...all, "not to the old", "to the one that is off"].sort());
  expect(back.inbox).toEqual([...all, "to ann", "to the killed"].sort());

  await online.order({ read: { id: ids["good night"], channel: "$all" } });
  const funnels: Record<string, object> = {
    breakfast: { recipients: 2, sent: 2, received: 2, read: 0, expired: 0 },
    lunch: { recipients: 2, sent: 2, received: 2, read: 0, expired: 0 },
    "soon over": { recipients: 2, sent: 1, received: 1, read: 0, expired: 1 },
    "to all": { recipients: 3, sent: 3, received: 3, read: 0, expired: 0 },
    "to beta": { recipients: 3, sent: 3, received: 3, read: 0, expired: 0 },
    "not to the old": { recipients: 2, sent: 2, received: 2, read: 0, expired: 0 },
    "to ann": { recipients: 2, sent: 2, received: 2, read: 0, expired: 0 },
    "to the killed": { recipients: 1, sent: 1, received: 1, read: 0, expired: 0 },
    dinner: { recipients: 2, sent: 2, received: 2, read: 0, expired: 0 },
    "good night": { recipients: 3, sent: 3, received: 3, read: 1, expired: 0 },
  };
  for (const [name, expected] of Object.entries(funnels)) {
    const body = await eventually(
      async () => (await api.call("GET", `/v1/messages/${ids[name]}`)).body,
      (body) => Bun.deepEquals({ ...body, ...expected }, body),
    );
    expect({ name, ...body }).toMatchObject({ name, ...expected });
  }
  const { body: named } = await api.call("GET", `/v1/messages/${ids["not to the old"]}/receipts`);
  expect(named.receipts.map(({ device }: { device: string }) => device).sort()).toEqual(
    [offId, onlineId].sort(),
  );
  expect((await api.call("GET", `/v1/devices/${offId}/subscriptions`)).body.subscriptions).toEqual([
    { channel: "push", push: false },
  ]);
}, 60_000);
