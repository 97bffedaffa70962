/** Nothing that was acknowledged is missed, and nothing comes twice: in a real Chromium and with clients of others. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Carillon } from "@carillon/client";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { launchBrowser } from "./support/browser.ts";
import { Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";
import { Network } from "./support/network.ts";
import { SteadyPublisher } from "./support/steady-publisher.ts";

const KEY = "a-key-for-these-tests";

let browser: Browser;
let dir: string;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "carillon-"));
});
afterEach(() => rm(dir, { recursive: true }));

/** Starts, or starts again, the server of this test: same directory, same port. */
const serve = (port = 0) =>
  Server.start(["--data", dir, "--port", String(port), "--push-every", "off", "--admin-key", KEY]);

/** A tab that keeps, through reloads, every message its page has shown. */
async function openTab(context: BrowserContext, url: string): Promise<Page> {
  await context.addInitScript(() => {
    const shownIn = (nodes: NodeList) =>
      [...nodes].flatMap((node) => (node as HTMLElement).dataset?.["message"] ?? []);
    new MutationObserver((changes) => {
      for (const message of changes.flatMap(({ addedNodes }) => shownIn(addedNodes)))
        sessionStorage.setItem(`shown ${sessionStorage.length}`, message);
    }).observe(document, { childList: true, subtree: true });
  });
  const page = await context.newPage();
  await page.goto(url);
  // The page has been told where it starts.
  await page.waitForFunction(() => localStorage.getItem("carillon.app:push") !== null);
  return page;
}

const shown = (page: Page): Promise<string[]> =>
  page.evaluate(() =>
    Array.from(
      { length: sessionStorage.length },
      (_, index) => sessionStorage.getItem(`shown ${index}`) ?? "",
    ),
  );
const inState = (page: Page, state: string) =>
  page.locator(`[data-testid=state][data-state=${state}]`).waitFor();
const showsMore = async (page: Page, count: number) => {
  const goal = (await page.evaluate(() => sessionStorage.length)) + count;
  await page.waitForFunction((least) => sessionStorage.length >= least, goal);
};

test("reloads, a cut network, a held one, kill -9: the page shows everything once, in order", async () => {
  const first = await serve();
  await using network = await Network.to(first.port);
  await using context = await browser.newContext();
  const page = await openTab(context, network.httpUrl);
  await using publisher = new SteadyPublisher(first.httpUrl, KEY, "push");

  for (let reload = 0; reload < 3; reload++) {
    await showsMore(page, 20);
    await page.reload();
  }
  await showsMore(page, 20);

  network.cut();
  await inState(page, "waiting");
  await publisher.more(100);
  network.mend();
  await inState(page, "open");
  await showsMore(page, 100);

  // Chromium's own switch cuts no WebSocket: it holds back what comes.
  await context.setOffline(true);
  await publisher.more(100);
  await context.setOffline(false);
  await showsMore(page, 100);

  await page.goto("about:blank");
  await publisher.more(300);
  await page.goto(network.httpUrl);
  await showsMore(page, 300);

  process.kill(await first.serverPid(), "SIGKILL");
  await first.exited;
  await inState(page, "waiting");
  await using _second = await serve(first.port);
  await publisher.more(100);
  await showsMore(page, 100);

  const last = await publisher.stop();
  await page.waitForFunction((least) => sessionStorage.length >= least, last);
  expect(await shown(page)).toEqual(Array.from({ length: last }, (_, index) => String(index + 1)));
});

test("what retention has dropped meanwhile is said, among the messages and in the log", async () => {
  // In memory it is dropped at once; on disk within a second or so.
  await using server = await Server.start(["--push-every", "off", "--admin-key", KEY, "--retention", "* 3"]);
  await using context = await browser.newContext({ locale: "en-US" });
  const page = await openTab(context, server.httpUrl);
  await page.goto("about:blank");
  await using publisher = new SteadyPublisher(server.httpUrl, KEY, "push");
  await publisher.more(20);
  await publisher.stop();
  await page.goto(server.httpUrl);
  const said = "Some messages are no longer available";
  await page.locator("[data-testid=messages] li.gap", { hasText: said }).waitFor();
  await page.locator("[data-testid=log] li", { hasText: said }).waitFor();
});

test.each(["ws", "python"] as const)(
  "%s: a device gets what it missed, since=0 everything, and both go on live",
  async (kind) => {
    const first = await serve();
    const publish = publishTo(first.httpUrl);
    const byDevice = `${first.wsUrl}?device=phone`;
    {
      await using client = await Client.connect(kind, byDevice);
      await publish("1");
      await publish("2");
      await client.received("2");
      client.close();
      await client.closed();
    }
    await publish("3");
    first.kill();
    await first.exited;
    await using second = await serve(first.port);
    expect(second.wsUrl).toBe(first.wsUrl);
    await publish("4");

    await using returned = await Client.connect(kind, byDevice);
    await using fresh = await Client.connect(kind, `${first.wsUrl}?since=0`);
    await using fromTwo = await Client.connect(kind, `${first.wsUrl}?since=2`);
    for (const client of [returned, fresh, fromTwo]) await client.received("4");
    await publish("5");
    for (const client of [returned, fresh, fromTwo]) await client.received("5");
    expect(returned.messages).toEqual(["3", "4", "5"]);
    expect(fresh.messages).toEqual(["1", "2", "3", "4", "5"]);
    expect(fromTwo.messages).toEqual(["3", "4", "5"]);
  },
);

/** Publishes a text to the default channel; the connection ends with the answer. */
function publishTo(url: string) {
  return async (text: string) => {
    const client = new Carillon(url, { token: KEY });
    await client.channel("push").publish(text);
    client.close();
  };
}
