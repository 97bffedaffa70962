/** What browsers have for Server-Sent Events, in a real Chromium: it comes back by itself, and says where it was. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { launchBrowser } from "./support/browser.ts";
import { Server } from "./support/carillon.ts";

const KEY = "the-admin-key-of-the-tests-of-streams";

let browser: Browser;
const dirs: string[] = [];
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  for (const dir of dirs) rmSync(dir, { recursive: true });
});

function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "carillon-event-source-"));
  dirs.push(dir);
  return dir;
}

const start = (dir: string, port = 0) =>
  Server.start(["--push-every", "off", "--admin-key", KEY, "--data", dir, "--port", String(port)]);

async function publish({ httpUrl }: Server, channel: string, texts: readonly string[]): Promise<void> {
  const { status } = await fetch(`${httpUrl}/v1/batch`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ messages: texts.map((data) => ({ channel, data })) }),
  });
  expect(status).toBe(201);
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => String(from + n));

declare global {
  /** By the address of each stream, what the page has heard. */
  interface Window {
    heard: Record<string, string[]>;
  }
}

/** A page of the server's own origin. */
async function visit(server: Server): Promise<Page & AsyncDisposable> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(server.httpUrl);
  return Object.assign(page, { [Symbol.asyncDispose]: () => context.close() });
}

/** Opens an EventSource in the page, and waits until it is open. */
async function listen(page: Page, url: string): Promise<void> {
  await page.evaluate((url) => {
    window.heard ??= {};
    window.heard[url] = [];
    const heard = window.heard[url];
    const source = new EventSource(url);
    source.onopen = () => heard.push("open");
    source.onmessage = ({ data }) => heard.push(data);
    source.addEventListener("gap", ({ data }) => heard.push(`gap ${data}`));
    source.addEventListener("close", ({ data }) => heard.push(`close ${JSON.parse(data).code}`));
  }, url);
  await heard(page, url, 1);
}

/** Resolves to what the page has heard of a stream, once that is this much. */
async function heard(page: Page, url: string, count: number): Promise<readonly string[]> {
  await page.waitForFunction(([url, count]) => (window.heard[url]?.length ?? 0) >= count, [
    url,
    count,
  ] as const);
  return page.evaluate((url) => window.heard[url] ?? [], url);
}

const PUSH = "/v1/channels/push/stream";
const QUIET = `/v1/channels/quiet/stream?token=${KEY}`;

test.each(["SIGTERM", "SIGKILL"] as const)(
  "pushes come in order, and after %s and a new start it goes on where it was: nothing is missed or comes twice",
  async (signal) => {
    const dir = newDir();
    const first = await start(dir);
    await using page = await visit(first);
    await listen(page, PUSH);
    await listen(page, QUIET);
    await publish(first, "push", numbers(1, 100));
    expect(await heard(page, PUSH, 101)).toEqual(["open", ...numbers(1, 100)]);

    process.kill(await first.serverPid(), signal);
    await first.exited;
    const goodbye = signal === "SIGTERM" ? ["close 1012"] : [];
    await using second = await start(dir, first.port);
    // They come back after two seconds: this is published while nobody listens.
    await publish(second, "push", numbers(101, 200));
    await publish(second, "quiet", ["the first"]);
    const all = await heard(page, PUSH, 202 + goodbye.length);
    expect(all).toEqual(["open", ...numbers(1, 100), ...goodbye, "open", ...numbers(101, 200)]);
    // It had heard nothing yet, and misses nothing all the same.
    const quiet = await heard(page, QUIET, 3 + goodbye.length);
    expect(quiet).toEqual(["open", ...goodbye, "open", "the first"]);
    await publish(second, "push", ["201"]);
    expect((await heard(page, PUSH, all.length + 1)).at(-1)).toBe("201");
  },
);

test("of another log it is told, and gets everything that it keeps", async () => {
  const first = await start(newDir());
  await using page = await visit(first);
  await listen(page, PUSH);
  await publish(first, "push", ["old"]);
  await heard(page, PUSH, 2);
  first.kill();
  await first.exited;
  await using second = await start(newDir(), first.port);
  await publish(second, "push", ["new"]);
  expect(await heard(page, PUSH, 6)).toEqual([
    "open",
    "old",
    "close 1012",
    "open",
    'gap {"reason":"epoch"}',
    "new",
  ]);
});

test("a page of another origin listens only where it is allowed", async () => {
  const elsewhere = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => new Response("<!doctype html>", { headers: { "content-type": "text/html" } }),
  });
  const origin = `http://127.0.0.1:${elsewhere.port}`;
  await using open = await Server.start(["--push-every", "off", "--allowed-origins", origin]);
  await using closed = await Server.start(["--push-every", "off"]);
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(origin);
  const outcome = (url: string) =>
    page.evaluate(
      (url) =>
        new Promise<string>((resolve) => {
          const source = new EventSource(url);
          source.onopen = () => resolve("open");
          source.onerror = () => resolve(`readyState ${source.readyState}`);
        }),
      url,
    );
  expect(await outcome(open.httpUrl + PUSH)).toBe("open");
  expect(await outcome(closed.httpUrl + PUSH)).toBe("readyState 2");
  await context.close();
  await elsewhere.stop(true);
});
