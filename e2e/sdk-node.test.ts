/** The SDK on the oldest Node that is supported, through restarts and crashes of the server and of the app. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { root, Server } from "./support/carillon.ts";
import { Lines } from "./support/lines.ts";

const ADMIN_KEY = "key-of-the-node-test";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-sdk-"));
  // Node cannot read the sources: it wants `.js` and no types.
  await Bun.write(
    join(dir, "entry.ts"),
    ["index.ts", "file-store.ts"]
      .map((file) => `export * from ${JSON.stringify(join(root, "packages/client/src", file))};`)
      .join("\n"),
  );
  await Bun.build({ entrypoints: [join(dir, "entry.ts")], target: "node", outdir: dir, naming: "sdk.mjs" });
});
afterAll(() => rm(dir, { recursive: true }));

interface Told {
  readonly data?: number;
  readonly state?: string;
  readonly status?: string;
  readonly error?: string;
  readonly gap?: unknown;
  readonly published?: number;
}

/** An app on Node: one process. */
class App implements AsyncDisposable {
  readonly #process: Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: Lines;

  constructor(server: Server, store?: string) {
    const program = join(import.meta.dir, "clients/sdk-client.mjs");
    const more = store === undefined ? [] : [join(dir, store)];
    this.#process = Bun.spawn(["node", program, join(dir, "sdk.mjs"), server.httpUrl, ADMIN_KEY, ...more], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#lines = new Lines(this.#process.stdout);
  }

  get told(): readonly Told[] {
    return this.#lines.all.map((line) => JSON.parse(line));
  }
  get numbers(): readonly number[] {
    return this.told.flatMap(({ data }) => data ?? []);
  }

  tell(order: object): void {
    this.#process.stdin.write(`${JSON.stringify(order)}\n`);
    this.#process.stdin.flush();
  }
  async until(is: (told: Told) => boolean): Promise<void> {
    await this.#lines.until(() => this.told.some(is));
  }
  async close(): Promise<void> {
    this.tell({ close: true });
    await this.#process.exited;
    await this.#lines.ended;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

function start(port: number): Promise<Server> {
  const data = join(dir, "data");
  return Server.start([
    "--data",
    data,
    "--port",
    String(port),
    "--admin-key",
    ADMIN_KEY,
    "--push-every",
    "off",
  ]);
}

test("published and received on Node, through a restart and a crash of the server: nothing lost, nothing twice", async () => {
  const first = await start(0);
  const { port } = first;
  await using receiver = new App(first, "positions.json");
  await using publisher = new App(first);
  receiver.tell({ listen: true });
  await receiver.until(({ state }) => state === "live");
  publisher.tell({ from: 1, to: 600 });

  await receiver.until(({ data }) => data === 150);
  first.kill("SIGTERM");
  await first.exited;
  const second = await start(port);
  await receiver.until(({ data }) => data === 350);
  process.kill(await second.serverPid(), "SIGKILL");
  await second.exited;
  await using third = await start(port);

  await publisher.until(({ published }) => published === 600);
  await receiver.until(({ data }) => data === 600);
  expect(receiver.numbers).toEqual(range(1, 600));
  expect(receiver.told.filter(({ gap, error }) => gap !== undefined || error !== undefined)).toEqual([]);
  expect(receiver.told.filter(({ status }) => status === "open").length).toBeGreaterThanOrEqual(3);

  // The app ends, and its next life goes on where it was.
  await receiver.close();
  publisher.tell({ from: 601, to: 650 });
  await publisher.until(({ published }) => published === 650);
  await using nextLife = new App(third, "positions.json");
  nextLife.tell({ listen: true });
  await nextLife.until(({ data }) => data === 650);
  expect(nextLife.numbers).toEqual(range(601, 650));
});
