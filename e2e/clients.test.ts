/** Clients of others, all at once, against the server as a user starts it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { launchBrowser } from "./support/browser.ts";
import { Server } from "./support/carillon.ts";
import { Client } from "./support/client.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

const INTERVAL_MS = 2_000;
/** How far two arrivals may be from the interval on a machine that runs five clients and a browser on two cores. */
const TOLERANCE_MS = 500;

test("five clients each see exactly one push per interval", async () => {
  await using server = await Server.start(["--push-every", "2s"]);
  await using node1 = await Client.connect("ws", server.wsUrl);
  await using node2 = await Client.connect("ws", server.wsUrl);
  await using python1 = await Client.connect("python", server.wsUrl);
  await using python2 = await Client.connect("python", server.wsUrl);
  const page = await browser.newPage();
  await page.goto(server.httpUrl);
  await server.out.line(/Client connected\. Total connections: 5/);

  const pushes = await node1.next(4);
  const first = pushes[0] ?? "";
  const last = pushes.at(-1) ?? "";
  expect(new Set(pushes).size).toBe(4);
  for (const push of pushes) expect(push).toMatch(/^Server push message at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);

  const arrivals = node1.events.filter(({ data }) => pushes.includes(data ?? "")).map(({ at }) => at);
  for (let run = 1; run < arrivals.length; run++) {
    const gapMs = (arrivals[run] ?? 0) - (arrivals[run - 1] ?? 0);
    expect(Math.abs(gapMs - INTERVAL_MS)).toBeLessThan(TOLERANCE_MS);
  }

  for (const client of [node2, python1, python2]) {
    await client.received(last);
    const { messages } = client;
    expect(messages.slice(messages.indexOf(first), messages.indexOf(last) + 1)).toEqual([...pushes]);
  }
  await page.locator(`[data-testid=messages] li[data-message="${last}"]`).waitFor();
  const shown = await page
    .locator("[data-testid=messages] li")
    .evaluateAll((items) => items.map((item) => item.getAttribute("data-message") ?? "").reverse());
  expect(shown.slice(shown.indexOf(first), shown.indexOf(last) + 1)).toEqual([...pushes]);
  await page.close();
});

test.each(["ws", "python"] as const)(
  "%s: push off and on, heartbeat, any other text, and the log",
  async (kind) => {
    await using server = await Server.start(["--push-every", "1s", "--time-zone", "UTC"]);
    await using witness = await Client.connect("ws", server.wsUrl);
    await using client = await Client.connect(kind, server.wsUrl);
    await client.next(1);

    client.send("unsubscribe");
    client.send("unsubscribe");
    await server.out.count(/unsubscribe: 关闭推送$/, 2);
    const whenOff = client.messages.length;
    await witness.next(4);
    client.send("Heartbeat");
    client.send("你好 🎐");
    await client.received("Server received: 你好 🎐");
    expect(client.messages.slice(whenOff)).toEqual([
      "Server received: Heartbeat",
      "Server received: 你好 🎐",
    ]);

    client.send("subscribe");
    client.send("subscribe");
    await client.next(1);
    const [push = ""] = await witness.next(1);
    await client.received(push);
    expect(client.messages.filter((message) => message === push)).toHaveLength(1);

    client.close();
    expect((await client.closed()).code).toBe(1000);
    await server.out.line(/Client disconnected\. Total connections: 1$/);
    const log = server.out.all.slice(server.out.all.findIndex((line) => line.includes("listening")) + 1);
    expect(log.filter((line) => !/^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] /.test(line))).toEqual([]);
    expect(log.map((line) => line.slice(22))).toEqual([
      "Client connected. Total connections: 1",
      "Client connected. Total connections: 2",
      "unsubscribe: 关闭推送",
      "unsubscribe: 关闭推送",
      "subscribe: 开启推送",
      "subscribe: 开启推送",
      "Client disconnected. Total connections: 1",
    ]);
  },
);
